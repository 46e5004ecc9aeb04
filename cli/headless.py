"""One turn without a terminal: `a2ia-cli -p`."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from typing import Any

from agent.config import Settings, load_settings
from agent.errors import UsageError
from cli.display import Display, failure_of
from cli.streams import OutputLost, prepare_streams, printable, read_prompt, write
from graphs.events import (
    AnswerDelta,
    ApprovalRequested,
    Event,
    Failure,
    FormatError,
    ProtocolChanged,
    Result,
    ToolFinished,
    ToolStarted,
    TurnStarted,
    as_json,
)

HELD = {signal.SIGINT, signal.SIGTERM}
"""Signals that the caller may have blocked: `run_headless` lets them through once it can answer with a result."""

_EXIT = {"answered": 0, "denied": 4, "step_limit": 5, "format_errors": 5, "overflow": 5, "interrupted": 130}
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""What JSON leaves as it is and some readers of lines take for a line's end."""
_HINTS = {"step_limit": "stopped at the step limit; --max-steps N allows more", "interrupted": "interrupted"}


def run_headless(prompt: str, output: str, flags: Mapping[str, Any]) -> int:
    """Run one turn on `prompt` and print it in the form `output`; return the exit code.

    In the JSON forms exactly one result object is printed, whatever happens.
    """
    prepare_streams(as_json=output != "text")
    printer = _Printer(output, Display(debug=bool(flags.get("debug"))))
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(prompt, flags, printer)
    except OutputLost as lost:
        printer.lost(lost)
    finally:
        signal.signal(signal.SIGTERM, before)
    return printer.exit_code


def _run(prompt: str, flags: Mapping[str, Any], printer: "_Printer") -> None:
    settings: Settings | None = None
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        settings = load_settings(flags)
        text = read_prompt(prompt, printer.display.warn)
        if not text.strip():
            raise UsageError("The prompt is empty.", 'Give a text: a2ia-cli -p "What is in this folder?"')
        asyncio.run(_turn(text, settings, printer))
    except (KeyboardInterrupt, asyncio.CancelledError):
        printer.end(printer.so_far(settings, flags), interrupted=True)
    except OutputLost:
        raise
    except Exception as error:
        printer.display.traceback(error)
        result = printer.so_far(settings, flags)
        result.error = failure_of(error)
        printer.end(result)


async def _turn(prompt: str, settings: Settings, printer: "_Printer") -> None:
    task = asyncio.current_task()
    if task:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    from cli.debug import DebugLog
    from cli.runtime import open_runtime

    display = printer.display
    DebugLog(display.debug, on=settings.debug)
    async with open_runtime(settings, display.progress, display.warn) as runtime:
        async for event in runtime.session.run(prompt):
            printer.event(event)


class _Printer:
    """Writes a turn to standard output in one of three forms."""

    def __init__(self, output: str, display: Display) -> None:
        self.display = display
        self.exit_code = 1
        self._output = output
        self._started: TurnStarted | None = None
        self._steps: list[ToolFinished] = []
        self._streamed = ""
        self._ended = False

    def event(self, event: Event) -> None:
        """Print `event` as far as the form shows it."""
        if isinstance(event, Result):
            self.end(event)
            return
        if self._output == "stream-json":
            self._line(event)
        if isinstance(event, ToolStarted | ToolFinished | FormatError | ApprovalRequested):
            self._drop()
        if isinstance(event, TurnStarted):
            self._started = event
        elif isinstance(event, ToolFinished):
            self._steps.append(event)
            self.display.tool(event)
        elif isinstance(event, FormatError):
            self.display.note(f"unreadable reply: {event.message}")
        elif isinstance(event, ProtocolChanged):
            self.display.note(event.message)
        elif isinstance(event, AnswerDelta) and self._output == "text":
            self._answer(event.text)
        elif isinstance(event, ApprovalRequested):
            for call in event.calls:
                hint = f"--allow {call.tool} or --yes"
                self.display.warn(f"{call.tool} needs a yes, and -p does not ask; allow it with {hint}.")

    def _answer(self, text: str) -> None:
        """Stream to a terminal; whoever reads a pipe gets the answer once it is certain to be one."""
        self._streamed += text
        if sys.stdout.isatty():
            write(printable(text))

    def _drop(self) -> None:
        """Take what was said for no answer: a call followed, or it was cut off."""
        if self._streamed and sys.stdout.isatty():
            write("\n")
        self._streamed = ""

    def so_far(self, settings: Settings | None, flags: Mapping[str, Any]) -> Result:
        """Return the result of a turn that broke off without one: what is known of it."""
        if self._started:
            known = self._started
            return Result(known.thread_id, known.model, known.backend, known.protocol, steps=self._steps)
        backend = (settings.backend if settings else flags.get("backend")) or ""
        model = (settings.model if settings else flags.get("model")) or ""
        return Result("", model, backend, "native" if flags.get("react") is False else "react")

    def end(self, result: Result, *, interrupted: bool = False) -> None:
        """Print the result, once."""
        if self._ended:
            return
        self._ended = True
        if interrupted:
            result.stop_reason = "interrupted"
        code = result.error.exit_code if result.error else _EXIT.get(result.stop_reason, 1)
        if self._output != "text":
            self._line(result)
        elif self._streamed and sys.stdout.isatty():
            write("\n")
        elif said := result.answer or self._streamed:
            write(_for_reader(f"{said}\n"))
        if result.error:
            self.display.failure(result.error)
        elif result.stop_reason in _HINTS:
            self.display.note(_HINTS[result.stop_reason])
        self.exit_code = code

    def lost(self, lost: OutputLost) -> None:
        """Say that the output could not be written; a reader that left, as `head` does, knows."""
        self.exit_code = 1
        if not lost.reader_left:
            message = f"Standard output cannot be written: {lost}."
            self.display.failure(Failure("OutputLost", message, "Free some space, or write to another place."))

    def _line(self, event: Event) -> None:
        write(json.dumps(as_json(event), ensure_ascii=False).translate(_LINE_ENDS) + "\n")


def _for_reader(text: str) -> str:
    return printable(text) if sys.stdout.isatty() else text
