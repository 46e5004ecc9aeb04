"""What the interactive session needs of a terminal; `live_screen` and `plain_screen` are the two kinds."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from cli.paint import Paint
from cli.streams import write


class Screen:
    """Takes lines from the user while others write above them. What is typed ahead waits for its turn."""

    streams = False
    """Whether text is shown raw as it comes, since what is written can not be changed any more."""

    def __init__(self, paint: Paint) -> None:
        self.paint = paint
        self.live: Callable[[int], Sequence[str]] = lambda width: ()
        """Gives what is going on, in lines for a width; asked for again and again."""
        self.status: Callable[[int], str] = lambda width: ""
        """Gives the status line for a width."""
        self.shown = asyncio.Event()
        """Set once the user sees the first prompt."""
        self.on_interrupt: Callable[[], None] = lambda: None
        self.on_leave: Callable[[], None] = lambda: None
        self.on_key: Callable[[], None] = lambda: None
        self.hint = ""
        """Stands in the status line's place while it is set."""
        self.question = ""
        """What is being asked beside the conversation."""
        self._answer: asyncio.Future[str | None] | None = None
        self._lines: deque[str] = deque()
        self._arrived = asyncio.Event()

    @property
    def width(self) -> int:
        """The terminal's width in columns."""
        return 80

    async def run(self) -> None:
        """Show the screen until `close`."""
        raise NotImplementedError

    def close(self) -> None:
        """Have `run` return; the terminal is then as it was before."""

    def say(self, text: str) -> None:
        """Write lines that stay."""
        write(f"{text}\n")

    def stream(self, text: str) -> None:
        """Write a piece of a line that stays; only where `streams`."""

    def end_line(self) -> None:
        """End the line that was streamed last."""

    def clear(self) -> None:
        """Empty the screen."""

    def update(self) -> None:
        """Show anew what is live."""

    async def next_line(self) -> str:
        """Return the next line that the user entered, in the order of entering."""
        while not self._lines:
            self._arrived.clear()
            await self._arrived.wait()
        return self._lines.popleft()

    async def ask(self, question: str) -> str | None:
        """Ask beside the conversation and return the answer, None for Ctrl-D. What was typed ahead answers nothing."""
        self.question, self._answer = question, asyncio.get_running_loop().create_future()
        self.update()
        try:
            return await self._answer
        finally:
            self.question, self._answer = "", None
            self.update()

    def answer(self, text: str | None) -> None:
        """Answer the question, if there is one. Enter alone is no answer: it may have been meant for something else."""
        if text is not None and not text.strip():
            return
        if self._answer and not self._answer.done():
            self._answer.set_result(text)

    def give_up(self) -> None:
        """Take a Ctrl-D: it leaves the question, or else the session."""
        if self.question:
            self.answer(None)
        else:
            self.on_leave()

    def enter(self, text: str) -> None:
        """Take a line that the user entered."""
        if text.strip():
            self._lines.append(text)
            self._arrived.set()

    @property
    def waiting(self) -> Sequence[str]:
        """The lines that were typed ahead."""
        return self._lines

    def take_back(self) -> None:
        """Give the user back what was typed ahead, to be entered again or not."""
        self._lines.clear()

    def discard(self) -> None:
        """Empty the input."""
