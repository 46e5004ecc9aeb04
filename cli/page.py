"""The forms in which the interactive session says things."""

import asyncio
import traceback
from contextlib import suppress

from cli.display import failure_of
from cli.markdown import Renderer
from cli.screen import Screen
from graphs.events import Failure


class Page:
    """Says remarks, warnings and errors on a screen, wrapped to its width."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.paint = screen.paint
        self.renderer = Renderer(screen.paint)
        self._loop = asyncio.get_running_loop()

    @property
    def width(self) -> int:
        """Columns to write in; the last one stays free."""
        return self.screen.width - 1

    def note(self, text: str) -> None:
        """Say a dimmed remark."""
        self.screen.say(self.paint("dim", self.renderer.wrap(text, self.width)))

    def warning(self, text: str) -> None:
        """Say a warning."""
        lines = self.renderer.wrap(f"warning: {text}", self.width, "")
        self.screen.say(lines.replace("warning:", self.paint("yellow", "warning:"), 1))

    def failure(self, failure: Failure) -> None:
        """Say what went wrong: one sentence, one suggestion."""
        lines = self.renderer.wrap(f"error: {failure.message}", self.width, "")
        self.screen.say(lines.replace("error:", self.paint("red", "error:"), 1))
        if failure.hint:
            self.note(failure.hint)

    def error(self, error: BaseException, *, trace: bool) -> None:
        """Say what `error` is; with `trace` also where it was raised."""
        if trace:
            self.screen.say(self.paint.safe("".join(traceback.format_exception(error)).rstrip()))
        self.failure(failure_of(error))

    def debug(self, text: str) -> None:
        """Say what was logged. May be called from any thread."""
        with suppress(RuntimeError):  # the loop is closed: the session is over
            self._loop.call_soon_threadsafe(self.screen.say, self.paint("cyan", self.paint.safe(text)))
