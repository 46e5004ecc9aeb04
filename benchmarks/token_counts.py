"""Whether A2IA's count of a prompt is the server's: `python -m benchmarks.token_counts --backend embedded|vllm`."""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.backends.base import Backend, CountsTokens
from agent.backends.select import open_backend
from agent.config import Settings
from agent.react.model import ReActChatModel

_PIECES = [
    "What is in notes.txt?",
    "def f(x):\n    return {'a': x ** 2}  # 0x1F\n",
    "Grüße aus Zürich, naïve café — “quoted” … 🙂",
    "<|im_end|> is a token of some templates, [INST] of others.",
    "日本語の文章と العربية و русский текст.",
    '{"path": "a/b.txt", "lines": [1, 2, 3]}\n\n\n\t\ttabs and   spaces   ',
    "word " * 60,
    "12345678901234567890 3.14159e-10 www.example.org/a?b=c&d",
]


def _tool(name: str, kinds: Sequence[str]) -> dict[str, Any]:
    properties = {f"{kind}_{place}": {"type": kind} for place, kind in enumerate(kinds)}
    schema = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": schema}}


TOOLS = [_tool("read_file", ["string"]), _tool("search", ["string", "integer", "boolean"]), _tool("now", [])]


def varied(number: int) -> tuple[list[BaseMessage], list[dict[str, Any]]]:
    """Return request `number`: a thread of one to six turns, in part with calls, and no to three tools."""
    chance = random.Random(number)

    def text() -> str:
        return "\n".join(chance.choices(_PIECES, k=chance.randint(1, 3)))

    messages: list[BaseMessage] = [SystemMessage(text())] if chance.random() < 0.5 else []
    for turn in range(chance.randint(0, 2)):
        messages.append(HumanMessage(text()))
        if chance.random() < 0.5:
            call = {"id": f"c{turn}", "name": "read_file", "args": {"string_0": text()}}
            messages += [AIMessage("", tool_calls=[call]), ToolMessage(text(), tool_call_id=f"c{turn}")]
        messages.append(AIMessage(text()))
    return [*messages, HumanMessage(text())], TOOLS[: chance.randint(0, len(TOOLS))]


async def compare(chat: BaseChatModel, number: int) -> tuple[int, int]:
    """Return A2IA's count of a request and the server's; every second one speaks ReAct."""
    messages, tools = varied(number)
    model = ReActChatModel(inner=chat) if number % 2 else chat
    if not isinstance(model, CountsTokens):
        raise TypeError(f"{type(model).__name__} does not count")
    predicted = await model.prompt_tokens(messages, tools)
    bound = model.bind_tools(tools) if tools else model
    reply = await bound.bind(max_tokens=1).ainvoke(messages)
    usage = reply.usage_metadata if isinstance(reply, AIMessage) else None
    return predicted, usage["input_tokens"] if usage else -1


async def _main(settings: Settings, n: int) -> int:
    backend: Backend = open_backend(settings, lambda step: None)
    try:
        chat = backend.chat_model(await backend.profile())
        pairs = [await compare(chat, number) for number in range(n)]
    finally:
        await backend.aclose()
    wrong = [(number, *pair) for number, pair in enumerate(pairs) if pair[0] != pair[1]]
    print(f"{backend.name}: {n - len(wrong)} of {n} counts alike, {min(pairs)[1]} to {max(pairs)[1]} tokens")
    for number, predicted, told in wrong:
        print(f"  request {number}: predicted {predicted}, the server says {told}")
    return len(wrong)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="embedded")
    parser.add_argument("--model")
    parser.add_argument("--vllm-url")
    parser.add_argument("--n", type=int, default=50)
    given = parser.parse_args()
    chosen = Settings(backend=given.backend, model=given.model, vllm_url=given.vllm_url, react=True)
    sys.exit(bool(asyncio.run(_main(chosen, given.n))))
