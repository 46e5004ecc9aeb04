"""Our ReAct conversation through the chat templates that models are published with."""

from itertools import pairwise

import pytest
from jinja2.exceptions import TemplateError
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
)

from agent.backends.base import ModelProfile
from agent.backends.vllm import create
from agent.config import Settings
from agent.react.prompt import render
from tests.agent.react.templates import FREE, STRICT, rendered
from tests.servers.http import Reply, reply_json
from tests.servers.vllm import VLLM, refusal

TOOLS = [{"name": "read", "description": "Read a file.", "parameters": {"type": "object", "properties": {}}}]


def call(number: int) -> list[BaseMessage]:
    """A step and its result."""
    made = {"id": f"c{number}", "name": "read", "args": {"path": f"{number}.txt"}}
    return [AIMessage("", tool_calls=[made]), ToolMessage(f"it says {number}", tool_call_id=f"c{number}")]


THREAD: list[BaseMessage] = [
    SystemMessage("Files: a.txt"),
    HumanMessage("Read all."),
    *call(1),
    *call(2),
    AIMessage("They say 1 and 2."),
    HumanMessage("And the third?"),
    HumanMessage("Please."),
    *call(3),
]
ENDS = [2, 4, 6, 8, 9, 11]
"""How long the thread was each time that the model was asked."""


class Templated(VLLM):
    """A vLLM server whose model has this chat template; a character is a token."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def _tokenize(self, body: dict[str, object]) -> Reply:
        try:
            prompt = rendered(self.name, body.pop("messages"), **body)  # type: ignore[arg-type]
        except TemplateError as error:
            return refusal(str(error))
        return reply_json({"count": len(prompt), "max_model_len": 4096, "tokens": [ord(c) for c in prompt]})


async def profiled(name: str) -> ModelProfile:
    with Templated(name) as server:
        backend = create(Settings(vllm_url=server.url), lambda _: None)
        try:
            return await backend.profile()
        finally:
            await backend.aclose()


@pytest.mark.parametrize("name", [*STRICT, *FREE])
async def test_the_profile_says_what_the_template_takes_and_our_conversation_obeys(name: str) -> None:
    profile = await profiled(name)
    assert profile.system_role is (name in FREE)
    prompts = []
    for end in ENDS:
        turns = render(THREAD[:end], TOOLS, system_role=profile.system_role)
        prompts.append(rendered(name, convert_to_openai_messages(turns)))
        assert all(turn.text.strip() in prompts[-1] for turn in turns)
        assert prompts[-1].count("You are A2IA") == 1
    openings = [
        "<|im_start|>assistant\n",
        "<start_of_turn>model\n",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ]
    for shorter, longer in pairwise(prompts):
        common = shorter
        for opening in openings:
            common = common.removesuffix(opening)
        if THREAD[ENDS[prompts.index(shorter)]].type == "ai":
            assert longer.startswith(common), "a longer prompt begins with the shorter one"


@pytest.mark.parametrize("name", STRICT)
def test_a_system_message_or_a_broken_alternation_would_be_refused(name: str) -> None:
    with pytest.raises(TemplateError):
        rendered(name, convert_to_openai_messages(render(THREAD, TOOLS)))
    with pytest.raises(TemplateError):
        rendered(name, [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])


async def test_a_template_without_tools_is_evidence_against_native_calls() -> None:
    assert "takes no tools" in (await profiled("mixtral-8x7b-instruct-v0.1")).evidence
    assert "takes tools" in (await profiled("qwen2.5-coder-instruct")).evidence
