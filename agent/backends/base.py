"""What a model server is to A2IA: a `Backend` that measures its model and hands out a chat model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

    from agent.config import Settings

ConstraintKind = Literal["lark", "json_schema"]


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What the server's model was seen to do. Code asks this record, never the model's name."""

    model: str
    """The id that requests name."""
    window: int
    """The served window in tokens: prompt and reply together."""
    native_tools: bool
    """Whether a probe's tool call came back in `tool_calls`."""
    evidence: str
    """One sentence: why `native_tools` is what it is."""
    constraint: ConstraintKind | None = None
    """The language in which the server takes a constraint for a reply, if it takes one."""
    system_role: bool = True
    """Whether the chat template takes a system message and free alternation of roles."""
    reasoning: bool = False
    """Whether the model thinks in a field of its own."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of long work, for a progress display. `done` and `total` are in bytes; None where unknown."""

    text: str
    done: int | None = None
    total: int | None = None


Report = Callable[[Progress], None]

_LONGEST_REPLY = 4096


def reply_tokens(window: int) -> int:
    """Return the longest reply to ask for in a window of `window` tokens: a quarter, as for a tool result.

    Unbounded, a model that repeats itself goes on until the window is full.
    """
    return min(window // 4, _LONGEST_REPLY)


class Backend(Protocol):
    """One model server. Constructing it must be cheap: nothing is contacted before `profile`."""

    name: str

    async def profile(self) -> ModelProfile:
        """Bring the server up if that is ours to do, and ask it what its model can do. Raises `ModelServerError`."""
        ...

    def chat_model(self, profile: ModelProfile) -> BaseChatModel:
        """Return a chat model for the profiled model, streaming, with usage counts."""
        ...

    def constrain(self, constraint: str) -> dict[str, Any]:
        """Return the per-call keyword arguments that hold a reply to `constraint` (of `profile.constraint`'s kind)."""
        ...

    async def health(self) -> bool:
        """Say whether the server answers now, without starting it."""
        ...

    async def aclose(self) -> None:
        """Let go of the server; one that is ours lives on for its keep-alive."""
        ...


@runtime_checkable
class KeepsPrefix(Protocol):
    """A backend that can have its server know a prompt's fixed beginning before the first request."""

    async def keep_prefix(self, prompt: Sequence[BaseMessage]) -> None:
        """Make `prompt`, with which every thread begins, cheap to answer. Raises `ModelServerError`."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A chat model whose server tells how long a prompt is before it is sent."""

    async def prompt_tokens(self, messages: list[BaseMessage], tools: Sequence[dict[str, Any]] = ()) -> int:
        """Return the tokens that this request's prompt will have, `tools` (OpenAI form) included.

        Raises an `A2IAError` if the server does not tell.
        """
        ...


OPENAI_ODDS: Mapping[str, Any] = {"logprobs": True, "top_logprobs": 20, "max_completion_tokens": 1}
"""What `TellsOdds.odds` returns for a server that speaks OpenAI's form, in which 20 is the most."""


@runtime_checkable
class TellsOdds(Protocol):
    """A backend whose server tells how likely other tokens were."""

    def odds(self) -> dict[str, Any]:
        """Return the per-call keyword arguments for a reply of one token that tells the likeliest tokens."""
        ...


BackendFactory = Callable[["Settings", Report], Backend]
"""What an entry point of the group `a2ia.backends` names."""
