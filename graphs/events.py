"""What a session tells its caller while a turn runs. Every event is data; `as_json` is its wire form."""

from dataclasses import asdict, dataclass, field
from typing import Any

from graphs.state import CallStatus, Protocol, StopReason

RESULT_CHARS = 4000
"""Longest tool result inside a step of the final object, in characters."""


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The turn has begun; says who will answer."""

    thread_id: str
    model: str
    backend: str
    protocol: Protocol
    type: str = "turn_started"


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    """The next piece of a thought."""

    text: str
    type: str = "thought_delta"


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """The next piece of the answer."""

    text: str
    type: str = "answer_delta"


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool call has begun to run."""

    id: str
    tool: str
    server: str
    args: dict[str, Any]
    type: str = "tool_started"


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool call has its result; `ms` is its run time."""

    id: str
    tool: str
    server: str
    args: dict[str, Any]
    status: CallStatus
    result: str
    truncated: bool
    ms: float
    type: str = "tool_finished"


@dataclass(frozen=True, slots=True)
class FormatError:
    """The model's reply could not be read; it was told why."""

    message: str
    type: str = "format_error"


@dataclass(frozen=True, slots=True)
class ProtocolChanged:
    """The thread goes on in another protocol; `message` says why."""

    protocol: Protocol
    message: str
    type: str = "protocol_changed"


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that waits for a person's yes."""

    id: str
    tool: str
    server: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """The turn waits for a person's yes to `calls`."""

    calls: list[PendingCall]
    type: str = "approval_requested"


@dataclass(slots=True)
class Usage:
    """What the turn cost, in tokens; None where the server did not say."""

    model_calls: int = 0
    prompt_tokens: int | None = 0
    cached_tokens: int | None = 0
    completion_tokens: int | None = 0

    def add(self, counts: dict[str, Any] | None) -> None:
        """Count one model call with its `usage_metadata`."""
        counts = counts or {}
        cached = (counts.get("input_token_details") or {}).get("cache_read")
        self.model_calls += 1
        self.prompt_tokens = _plus(self.prompt_tokens, counts.get("input_tokens"))
        self.cached_tokens = _plus(self.cached_tokens, cached)
        self.completion_tokens = _plus(self.completion_tokens, counts.get("output_tokens"))


def _plus(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of a turn: its class, one sentence on what happened, one on what to do."""

    type: str
    message: str
    hint: str
    exit_code: int = 1


@dataclass(slots=True)
class Result:
    """How a turn ended; always the last event."""

    thread_id: str
    model: str
    backend: str
    protocol: Protocol
    answer: str = ""
    stop_reason: StopReason = "error"
    error: Failure | None = None
    steps: list[ToolFinished] = field(default_factory=list)
    pending: list[PendingCall] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    type: str = "result"


Event = (
    TurnStarted
    | ThoughtDelta
    | AnswerDelta
    | ToolStarted
    | ToolFinished
    | FormatError
    | ProtocolChanged
    | ApprovalRequested
    | Result
)


_RESULT_ORDER = ["thread_id", "answer", "stop_reason", "error", "steps", "pending", "usage", "model", "backend"]
_RESULT_ORDER += ["protocol"]


def as_json(event: Event) -> dict[str, Any]:
    """Return the event's wire form: one JSON object with `type` first."""
    data = asdict(event)
    if isinstance(event, Result):
        data["steps"] = [_step(step) for step in data["steps"]]
        if data["error"]:
            data["error"].pop("exit_code")
        data = {key: data[key] for key in _RESULT_ORDER} | {"type": data["type"]}
    return {"type": data.pop("type"), **data}


def _step(step: dict[str, Any]) -> dict[str, Any]:
    shown = step["result"][:RESULT_CHARS]
    keys = ("id", "tool", "server", "args", "status")
    cut = step["truncated"] or shown != step["result"]
    return {**{key: step[key] for key in keys}, "result": shown, "truncated": cut, "ms": step["ms"]}
