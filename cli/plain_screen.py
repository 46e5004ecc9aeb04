"""The screen of a terminal that cannot move its cursor (TERM=dumb): lines come, lines go, nothing is drawn twice."""

import asyncio
import codecs
import os
import shutil
import sys

from cli.paint import Paint
from cli.screen import Screen
from cli.streams import write


class PlainScreen(Screen):
    """Reads lines as the terminal itself edits them, and writes what is said one after the other."""

    streams = True

    def __init__(self, paint: Paint) -> None:
        super().__init__(paint)
        self._decoder = codecs.getincrementaldecoder(sys.stdin.encoding or "utf-8")("replace")
        self._typed = ""
        self._open = False
        self._sign = ""
        """The prompt that stands at the end, behind which the user types."""
        self._over = asyncio.Event()

    @property
    def width(self) -> int:
        """The terminal's width in columns."""
        return shutil.get_terminal_size().columns

    async def run(self) -> None:
        """Read until `close`."""
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), self._read)
        self.shown.set()
        try:
            await self._over.wait()
        finally:
            loop.remove_reader(sys.stdin.fileno())

    def close(self) -> None:
        """Have `run` return."""
        self._over.set()

    def say(self, text: str) -> None:
        """Write lines."""
        write(f"\n{text}\n" if self._open or self._sign else f"{text}\n")
        self._open = False
        if self._sign:
            write(self._sign)

    def stream(self, text: str) -> None:
        """Write a piece of a line."""
        write(text)
        self._open = not text.endswith("\n")

    def end_line(self) -> None:
        """End the line that was streamed last."""
        if self._open:
            self.stream("\n")

    async def next_line(self) -> str:
        """Return the next line that the user entered; ask for one if there is none."""
        if not self.waiting:
            self._prompt("> ")
        return await super().next_line()

    def take_back(self) -> None:
        """Show what was typed ahead: a line that the terminal has given away cannot be put back."""
        for line in self.waiting:
            self.say(f"not sent: {self.paint.safe(line)}")
        super().take_back()

    async def ask(self, question: str) -> str | None:
        """Ask, and return the answer."""
        self.say(question)
        self._prompt("? ")
        return await super().ask(question)

    def _prompt(self, sign: str) -> None:
        write(f"\n{sign}" if self._open else sign)
        self._open, self._sign = False, sign

    def _read(self) -> None:
        try:
            data = os.read(sys.stdin.fileno(), 65536)
        except OSError:
            data = b""
        self.on_key()
        self._sign = ""
        if not data:
            self.give_up()
            return
        *lines, self._typed = (self._typed + self._decoder.decode(data)).split("\n")
        for line in lines:
            if self.question:
                self.answer(line)
            else:
                self.enter(line)
