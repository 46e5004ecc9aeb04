"""What a thread remembers between supersteps."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NotRequired
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, InvalidToolCall, ToolCall, ToolMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from agent.react.prompt import REACT_TEXT

Protocol = Literal["native", "react"]
StopReason = Literal["answered", "step_limit", "denied", "format_errors", "overflow", "interrupted", "error"]
CallStatus = Literal["ok", "error", "denied", "interrupted"]


class ThreadState(TypedDict):
    """State of a thread. `messages` are canonical whatever protocol the model speaks.

    An `AIMessage` carries its calls in `tool_calls` (malformed ones in `invalid_tool_calls`) and is followed by exactly
    one `ToolMessage` per call.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    protocol: NotRequired[Protocol]
    """The protocol that the thread's model speaks; the graph's default where absent."""
    model_calls: NotRequired[int]
    """Model calls since the last user message."""
    stop_reason: NotRequired[StopReason | None]
    """Why the turn ended; None while it runs."""


class CallTask(TypedDict):
    """What one `Send` to the tools node carries."""

    call: ToolCall
    refused: str
    """What the model is told in place of a result, where the turn has to conclude; else empty."""
    doubted: bool
    """Whether the same call was made in this turn, so that the model is asked whether it is meant to be made again."""
    known: ToolMessage | None
    """The result of the same call, where it cannot have changed since."""
    warned: bool
    """Whether the reply before could not be used either."""


def last_reply(messages: list[AnyMessage]) -> AIMessage | None:
    """Return the model's latest message, if there is one."""
    return next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)


def open_calls(messages: list[AnyMessage]) -> list[ToolCall]:
    """Return the tool calls of the latest reply that have no result yet, in the reply's order."""
    reply = last_reply(messages)
    done = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return [call for call in reply.tool_calls if call["id"] not in done] if reply else []


def with_calls(reply: AIMessage, calls: Sequence[ToolCall]) -> AIMessage:
    """Return `reply` with other calls, without the model's own text, which spoke of the first ones."""
    extra = {key: value for key, value in reply.additional_kwargs.items() if key not in (REACT_TEXT, "tool_calls")}
    return reply.model_copy(update={"tool_calls": list(calls), "additional_kwargs": extra})


def with_own_ids(reply: AIMessage, thread: Sequence[AnyMessage]) -> AIMessage:
    """Return `reply` with an id for each call that no other call of the thread has.

    Results and decisions are kept by id, and servers repeat them: Kimi's on vLLM begin at `name:0` in every reply
    (vllm-project/vllm#50295), LM Studio sends empty ones (lmstudio-bug-tracker#830).
    """
    taken = {call["id"] for message in thread if isinstance(message, AIMessage) for call in _calls(message)}
    ids = [call["id"] for call in _calls(reply)]
    if all(ids) and len({*ids, *taken}) == len(ids) + len(taken):
        return reply

    def own(identity: str | None) -> str:
        found = identity or f"call_{uuid4().hex}"
        while found in taken:
            found = _next(found)
        taken.add(found)
        return found

    good = [ToolCall(**{**call, "id": own(call["id"])}) for call in reply.tool_calls]
    bad = [InvalidToolCall(**{**call, "id": own(call["id"])}) for call in reply.invalid_tool_calls]
    extra = {key: value for key, value in reply.additional_kwargs.items() if key != "tool_calls"}
    return reply.model_copy(update={"tool_calls": good, "invalid_tool_calls": bad, "additional_kwargs": extra})


def _calls(reply: AIMessage) -> list[ToolCall | InvalidToolCall]:
    return [*reply.tool_calls, *reply.invalid_tool_calls]


def _next(identity: str) -> str:
    """Return the id that counts one further; Kimi's chat template reads the number at the end of one."""
    stem = identity.rstrip("0123456789")
    number = identity[len(stem) :][-9:] or "0"
    return f"{identity.removesuffix(number)}{int(number) + 1}"


def call_result(call: ToolCall, text: str, status: CallStatus, **details: Any) -> ToolMessage:
    """Return the result of `call`. `details` (server, ms, truncated) travel in its artifact with the status."""
    return ToolMessage(
        text,
        tool_call_id=call["id"] or "",
        name=call["name"],
        status="success" if status == "ok" else "error",
        artifact={"status": status, **details},
    )
