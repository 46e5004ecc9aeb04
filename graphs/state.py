"""What a thread remembers between supersteps."""

from typing import Annotated, Any, Literal, NotRequired

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

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
    failures: NotRequired[int]
    """Malformed replies in a row."""
    stop_reason: NotRequired[StopReason | None]
    """Why the turn ended; None while it runs."""


class CallTask(TypedDict):
    """What one `Send` to the tools node carries."""

    call: ToolCall
    repeats: int
    """How often the same call was made right before this one."""


def last_reply(messages: list[AnyMessage]) -> AIMessage | None:
    """Return the model's latest message, if there is one."""
    return next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)


def open_calls(messages: list[AnyMessage]) -> list[ToolCall]:
    """Return the tool calls of the latest reply that have no result yet, in the reply's order."""
    reply = last_reply(messages)
    done = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return [call for call in reply.tool_calls if call["id"] not in done] if reply else []


def repeats_of(call: ToolCall, messages: list[AnyMessage]) -> int:
    """Return how many of the latest replies before the last made exactly this call, and it alone."""
    count = 0
    replies = [message for message in messages if isinstance(message, AIMessage | HumanMessage)]
    for reply in reversed(replies[:-1]):
        same = isinstance(reply, AIMessage) and [(c["name"], c["args"]) for c in reply.tool_calls]
        if same != [(call["name"], call["args"])]:
            break
        count += 1
    return count


def told_to_conclude(messages: list[AnyMessage]) -> bool:
    """Say whether the latest message refused a call that was repeated too often; the next reply must be an answer."""
    latest = messages[-1] if messages else None
    return isinstance(latest, ToolMessage) and isinstance(latest.artifact, dict) and bool(latest.artifact.get("repeat"))


def call_result(call: ToolCall, text: str, status: CallStatus, **details: Any) -> ToolMessage:
    """Return the result of `call`. `details` (server, ms, truncated) travel in its artifact with the status."""
    return ToolMessage(
        text,
        tool_call_id=call["id"] or "",
        name=call["name"],
        status="success" if status == "ok" else "error",
        artifact={"status": status, **details},
    )
