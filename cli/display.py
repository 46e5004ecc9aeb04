"""Everything that goes to standard error: progress, warnings, errors, one line per tool call."""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from agent.backends.base import Progress as Step
from agent.errors import A2IAError
from cli.streams import OutputLost, give_up, printable
from graphs.events import Failure, ToolFinished

INTERRUPTED = 130
"""What Ctrl-C ends with."""

_PLAIN_EVERY = 5.0


class Display:
    """Writes to standard error, with colours and a moving bar only where it is a terminal (NO_COLOR is obeyed)."""

    def __init__(self, *, debug: bool = False) -> None:
        plain = bool(os.environ.get("NO_COLOR"))  # rich itself would still write bold and dim
        colours: Literal["auto"] | None = None if plain else "auto"
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, color_system=colours)
        self._debug = debug
        self._bar: Progress | None = None
        self._task: Any = None
        self._last = ("", 0.0)

    @property
    def colours(self) -> bool:
        """Whether colours may be used."""
        return self._console.color_system is not None

    def progress(self, step: Step) -> None:
        """Show one step of long work: a bar where its size is known, else a line. May be called from any thread."""
        if step.total is None or step.done is None:
            self.settle()
            if step.text != self._last[0]:
                self._print(f"[dim]{_safe(step.text)}[/]")
            self._last = (step.text, time.monotonic())
        elif self._console.is_terminal:
            self._move_bar(step, step.done, step.total)
        elif step.text != self._last[0] or time.monotonic() - self._last[1] > _PLAIN_EVERY:
            self._last = (step.text, time.monotonic())
            share = step.done / max(step.total, 1)
            self._print(f"{_safe(step.text)}: {share:.0%} of {step.total / 1e6:,.0f} MB")

    def _print(self, markup: str) -> None:
        """Print, if it can be: a standard error that is full or gone must not end a run."""
        try:
            self._console.print(markup)
        except OSError:
            give_up(sys.stderr)

    def _move_bar(self, step: Step, done: int, total: int) -> None:
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._bar = Progress(*columns, TimeRemainingColumn(), console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(step.text, total=total, completed=done)
        self._bar.update(self._task, description=step.text, completed=done, total=total)

    def settle(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def warn(self, text: str) -> None:
        """Show a warning."""
        self.settle()
        self._print(f"[yellow]warning:[/] {_safe(text)}")

    def failure(self, failure: Failure) -> None:
        """Show the error of a turn: one sentence, one suggestion."""
        self.settle()
        self._print(f"[red]error:[/] {_safe(failure.message)}")
        if failure.hint:
            self._print(f"[dim]{_safe(failure.hint)}[/]")

    def traceback(self, error: BaseException) -> None:
        """Show where `error` was raised; only with --debug."""
        if self._debug:
            self._print(_safe("".join(traceback.format_exception(error)).rstrip()))

    def debug(self, text: str) -> None:
        """Show what was logged."""
        self._print(_safe(text))

    def tool(self, step: ToolFinished) -> None:
        """Show one finished tool call as a line."""
        mark = {"ok": "[green]✓[/]", "error": "[red]✗[/]"}.get(step.status, "[yellow]-[/]")
        first = step.result.strip().partition("\n")[0][:80]
        call = f"{step.tool}({call_arguments(step.args)})"
        self._print(f"{mark} {_safe(call)} [dim]{step.ms / 1000:.1f} s  {_safe(first)}[/]")

    def note(self, text: str) -> None:
        """Show a dimmed line."""
        self.settle()
        self._print(f"[dim]{_safe(text)}[/]")


def guarded(work: Callable[[], None], display: Display, interrupted: str) -> int:
    """Do `work` and return the exit code; an error is told on `display`, as is `interrupted` after Ctrl-C."""
    try:
        work()
    except KeyboardInterrupt:
        display.note(interrupted)
        return INTERRUPTED
    except OutputLost:
        return 1
    except Exception as error:
        failure = failure_of(error)
        display.failure(failure)
        return failure.exit_code
    return 0


def call_arguments(args: Mapping[str, Any], limit: int = 60) -> str:
    """Return `args` as `name=value, ...`, each value at most `limit` characters."""
    parts = []
    for name, value in args.items():
        text = json.dumps(value, ensure_ascii=False)
        parts.append(f"{name}={text if len(text) <= limit else text[:limit] + '…'}")
    return ", ".join(parts)


def failure_of(error: BaseException) -> Failure:
    """Return what to tell of `error`; anything but an `A2IAError` is a bug of ours."""
    if isinstance(error, A2IAError):
        return Failure(type(error).__name__, error.message, error.hint, error.exit_code)
    message = f"A bug in A2IA: {type(error).__name__}: {error}"
    return Failure(type(error).__name__, message, "Run again with --debug and report the traceback.", 1)


def _safe(text: str) -> str:
    """Return `text` without control characters and rich markup."""
    return escape(printable(text))
