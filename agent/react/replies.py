"""What wrappers of a reply share: its chunks, how a reply is held to a choice, the call that it makes."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from agent.react.prompt import AFTER_THINKING

REACT_REPAIRS = "react_repairs"
"""Key of `additional_kwargs` that lists what was mended to read a step; absent where it was well formed."""

REACT_COPIED = "react_copied"
"""Key of `additional_kwargs` that lists a call's required arguments whose values only the worked examples know."""

FREE = (None, False, "auto")
"""The values of a `tool_choice` that leave a reply free to be a call or an answer."""

Tools = Sequence[Mapping[str, Any]]
Chunks = AsyncGenerator[ChatGenerationChunk, None]


class Replies(Protocol):
    """Asks the model for the next step of a thread."""

    def __call__(self, messages: list[BaseMessage], choice: Any = None, /) -> Chunks:
        """Give the chunks of a reply to `messages`, held to `choice` (a `tool_choice`)."""
        ...


def thought_anew(identity: str | None) -> ChatGenerationChunk:
    """Return the chunk that sets a second thought off from the first, in a reply of that id."""
    thought = {"reasoning_content": AFTER_THINKING}
    return ChatGenerationChunk(message=AIMessageChunk(content="", id=identity, additional_kwargs=thought))


def allowed_tools(names: Sequence[str]) -> dict[str, Any]:
    """Return the `tool_choice` for a call of one of `names`, in the form of OpenAI's API."""
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": tools}}


def this_call(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `tool_choice` for a call of `function`, an OpenAI spec whose `parameters` may be narrower."""
    return {"type": "function", "function": dict(function)}


def chosen(functions: list[dict[str, Any]], choice: Any) -> tuple[list[dict[str, Any]], bool]:
    """Return which of `functions` (OpenAI specs) a reply may call by a `tool_choice`, and whether it may be an answer.

    `choice` is "none", "any", "required", a tool's name, or one of OpenAI's objects for one tool and `allowed_tools`.
    """
    if choice in FREE:
        return functions, True
    if choice == "none":
        return [], True
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        allowed = choice["allowed_tools"]
        names = {tool["function"]["name"] for tool in allowed["tools"]}
        return [one for one in functions if one["name"] in names], allowed["mode"] != "required"
    if isinstance(choice, Mapping) and "parameters" in choice["function"]:
        return [choice["function"]], False
    name = choice["function"]["name"] if isinstance(choice, Mapping) else choice
    return [one for one in functions if one["name"] == name] or functions, False


def called(chunk: ChatGenerationChunk, tools: Tools) -> Mapping[str, Any] | None:
    """Return which of `tools` (OpenAI form) a chunk calls."""
    calls = chunk.message.tool_call_chunks if isinstance(chunk.message, AIMessageChunk) else []
    return next((tool for tool in tools if calls and tool["function"]["name"] == calls[0]["name"]), None)


def arguments(chunk: ChatGenerationChunk) -> dict[str, Any] | None:
    """Return the arguments of the call in a chunk, None where there is none that can be made."""
    calls = chunk.message.tool_call_chunks if isinstance(chunk.message, AIMessageChunk) else []
    try:
        given = json.loads(calls[0]["args"] or "") if calls else None
    except ValueError:
        return None
    return given if isinstance(given, dict) else None
