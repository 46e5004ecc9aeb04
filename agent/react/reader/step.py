"""What a reply of the model is: a call, an answer, or a named error."""

from dataclasses import dataclass
from typing import Any, Literal

MalformedCode = Literal[
    "empty",
    "missing_action",
    "missing_input",
    "bad_json",
    "not_an_object",
    "unknown_tool",
    "unreadable_call",
    "cut_off",
]


@dataclass(frozen=True, slots=True)
class Call:
    """The model wants `name` called with `args`."""

    thought: str
    name: str
    args: dict[str, Any]
    repairs: tuple[str, ...] = ()
    """What was mended to read it; empty for a well-formed step."""
    copied: tuple[str, ...] = ()
    """Required arguments whose values stand in the worked examples alone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The model ends the turn with `text`."""

    thought: str
    text: str
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Malformed:
    """A reply that is neither; `problem` names one mistake and what is expected, written for the model."""

    thought: str
    code: MalformedCode
    problem: str
    name: str = ""
    repairs: tuple[str, ...] = ()


Step = Call | Answer | Malformed
