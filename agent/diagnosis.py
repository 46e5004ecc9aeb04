"""One line of what `a2ia-cli doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "note", "fail"]
"""`note`: absent, or less than it could be, and nothing of it is needed now."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the diagnosis."""

    area: str
    state: State
    text: str
    mend: str = ""
    """What to do about it: a command where there is one."""
    exit_code: int = 2
    """What a failure of it ends with."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The same for programs."""
