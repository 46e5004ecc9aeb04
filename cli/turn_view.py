"""Shows one turn: thoughts dimmed, a line per tool call and one for its result, the answer as Markdown."""

import time

from cli.display import call_arguments
from cli.page import Page
from graphs.events import (
    AnswerDelta,
    Event,
    FormatError,
    ProtocolChanged,
    Result,
    ThoughtDelta,
    ToolFinished,
    ToolStarted,
)

_ENDS = {
    "step_limit": "stopped at the step limit; --max-steps N allows more",
    "interrupted": "stopped; the conversation goes on",
}
_CODE_LINES = 50
"""Lines of a block of code that are kept to go on with."""


class TurnView:
    """Takes the events of a turn; what is finished is said, what still grows is `live`."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._screen = page.screen
        self._paint = page.paint
        self._renderer = page.renderer
        self._began = time.monotonic()
        self._text = ""
        self._is_thought = False
        self._said = 0
        """How much of the growing text was said already: whole lines of a block of code that goes on."""
        self._joined = False
        """Whether the growing text goes on with a list whose earlier items were said."""
        self._drawn: tuple[str, int, list[str]] = ("", 0, [])
        self._running: dict[str, tuple[ToolStarted, float]] = {}

    def event(self, event: Event) -> None:
        """Show `event`."""
        if isinstance(event, ThoughtDelta | AnswerDelta):
            self._feed(event.text, thought=isinstance(event, ThoughtDelta))
            return
        self._end_text()
        if isinstance(event, ToolStarted):
            self._running[event.id] = event, time.monotonic()
        elif isinstance(event, ToolFinished):
            self._running.pop(event.id, None)
            self._screen.say(self._finished(event))
        elif isinstance(event, FormatError):
            self._page.note(f"unreadable reply, the model is told: {event.message}")
        elif isinstance(event, ProtocolChanged):
            self._page.note(event.message)
        elif isinstance(event, Result):
            self._end(event)

    def live(self, width: int) -> list[str]:
        """Return what goes on now: the text that still grows, the calls that run, or that the model is at work."""
        now = time.monotonic()
        lines = self._growing(width)
        for call, since in self._running.values():
            seconds = f" {now - since:.1f} s"
            head = self._renderer.clip(_call(call), width - len(seconds) - 3)
            lines.append(f"{self._paint('cyan', self._paint.spinner(now))} {head}{self._paint('dim', seconds)}")
        if not self._running and not self._screen.question:
            took = f"{self._paint.spinner(now)} {now - self._began:.0f} s, Ctrl-C stops"
            lines.append(self._paint("dim", took))
        return lines

    def close(self) -> None:
        """Say what is left to say of a turn that broke off."""
        self._end_text()

    def _feed(self, text: str, *, thought: bool) -> None:
        if thought != self._is_thought:
            self._end_text()
        self._is_thought = thought
        if self._screen.streams:
            self._screen.stream(self._paint.safe(text))
            return
        self._text += text
        if "\n" in text:
            self._settle(self._text.rfind("\n") + 1)

    def _settle(self, end: int) -> None:
        """Say what can not change any more of the growing text, whose whole lines go to `end`."""
        done, joined = (end, False) if self._is_thought else self._renderer.finished(self._text[:end])
        if done:
            self._say(done)
            self._text, self._said, self._joined, end = self._text[done:], 0, joined, end - done
        if not self._is_thought and end > self._said and self._renderer.is_code(self._text[:end]):
            self._say(end)
            self._said = end
            if self._text.count("\n", 0, end) > _CODE_LINES:
                self._shorten()

    def _shorten(self) -> None:
        """Go on with a block of code as if it began behind what was said: what grows is rendered anew at each line."""
        if self._text[: self._said].rstrip().endswith(("```", "~~~")):  # it may have ended
            return
        start = len(self._text) - len(self._text.lstrip())
        opening = self._text.index("\n", start) + 1
        self._text, self._said = self._text[:opening] + self._text[self._said :], opening

    def _end_text(self) -> None:
        self._screen.end_line()
        self._say(len(self._text))
        self._text, self._said, self._joined = "", 0, False

    def _say(self, end: int) -> None:
        if rows := self._rows(self._text[:end], self._page.width):
            self._screen.say("\n".join(rows))

    def _rows(self, text: str, width: int) -> list[str]:
        """Return the rows of `text`, the beginning of the growing text, that were not said yet."""
        if not text.strip():
            return []
        if self._is_thought:
            return self._paint("dim", self._renderer.wrap(text, width)).split("\n")
        rows = self._markdown(text, width)
        if self._said:
            return rows[len(self._markdown(text[: self._said], width)) :]
        return rows if self._joined else ["", *rows]

    def _markdown(self, text: str, width: int) -> list[str]:
        rows = self._renderer.markdown(text, width)
        return rows.split("\n") if rows else []

    def _growing(self, width: int) -> list[str]:
        """Return the growing text in lines; it is rendered once for each of its lengths."""
        if self._drawn[:2] != (self._text, width):
            self._drawn = (self._text, width, self._rows(self._text, width - 1))
        return list(self._drawn[2])

    def _finished(self, step: ToolFinished) -> str:
        colour = {"ok": "green", "error": "red"}.get(step.status, "yellow")
        took = f" {step.ms / 1000:.1f} s"
        head = self._renderer.clip(_call(step), self._page.width - len(took) - 2)
        first, _, rest = step.result.strip().partition("\n")
        more = f" (+{rest.count(chr(10)) + 1} lines)" if rest else ""
        result = "  " + self._renderer.clip(first, self._page.width - len(more) - 2) + more
        line = f"{self._paint(colour, self._paint.sign(step.status))} {head}{self._paint('dim', took)}"
        return line + "\n" + self._paint("dim", result)

    def _end(self, result: Result) -> None:
        for step in result.steps:
            if self._running.pop(step.id, None):  # it was stopped in the middle
                self._screen.say(self._finished(step))
        self._running.clear()
        if result.error:
            self._page.failure(result.error)
        elif result.stop_reason in _ENDS:
            self._page.note(_ENDS[result.stop_reason])
        self._screen.say("")


def _call(call: ToolStarted | ToolFinished) -> str:
    return f"{call.tool}({call_arguments(call.args, 200)})"
