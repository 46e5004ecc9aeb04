"""What a thread remembers between supersteps."""

from typing import Annotated, Any, Literal, NotRequired

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

Protocol = Literal["native", "react"]
StopReason = Literal["answered", "step_limit", "denied", "format_errors", "overflow", "interrupted", "error"]
CallStatus = Literal["ok", "error", "denied", "interrupted"]


_LONGEST_CIRCLE = 4


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
    looping: bool
    """Whether the turn goes in a circle with this call."""


def last_reply(messages: list[AnyMessage]) -> AIMessage | None:
    """Return the model's latest message, if there is one."""
    return next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)


def open_calls(messages: list[AnyMessage]) -> list[ToolCall]:
    """Return the tool calls of the latest reply that have no result yet, in the reply's order."""
    reply = last_reply(messages)
    done = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return [call for call in reply.tool_calls if call["id"] not in done] if reply else []


def is_looping(call: ToolCall, messages: list[AnyMessage]) -> bool:
    """Say whether the turn's latest calls went twice round a circle, results included, and `call` begins it again.

    A circle is one call repeated, or up to four that take turns. Where a result changed, something happens.
    """
    steps: list[tuple[list[Any], list[str]]] = []
    for message in messages:
        if isinstance(message, HumanMessage):
            steps = []
        elif isinstance(message, AIMessage):
            steps.append(([(made["name"], made["args"]) for made in message.tool_calls], []))
        elif isinstance(message, ToolMessage) and steps:
            steps[-1][1].append(message.text)
    before = steps[:-1]
    return any(
        before[-2 * size : -size] == before[-size:] and before[-size][0] == [(call["name"], call["args"])]
        for size in range(1, _LONGEST_CIRCLE + 1)
        if len(before) >= 2 * size
    )


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
