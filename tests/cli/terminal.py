"""A terminal of its own for the real program: types keys, and reads the screen as a person would see it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Self

import pyte

from tests.cli.support import Place

LIMIT = 90.0
"""Seconds that anything may take before the test fails."""

_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
ENTER = "\r"
CTRL_C = "\x03"
CTRL_D = "\x04"


class Terminal:
    """A process at a terminal of `columns` and `rows`; `env` goes over the place's environment."""

    def __init__(self, place: Place, *args: str, columns: int = 80, rows: int = 24, **env: str) -> None:
        self.raw = ""
        self._screen = pyte.HistoryScreen(columns, rows, history=2000)
        self._stream = pyte.ByteStream(self._screen)
        self._end, inner = pty.openpty()
        self.resize(columns, rows)
        command = [sys.executable, "-c", _OWN_TERMINAL, sys.executable, "-m", "cli.main", *args]
        self._process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=place.workspace,
            env=place.environment(**env),
            start_new_session=True,
        )
        os.close(inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._end)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._end, keys.encode(errors="surrogateescape"))

    def enter(self, line: str) -> None:
        """Type a line and press Enter."""
        self.type(line + ENTER)

    def interrupt(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    @property
    def rows(self) -> list[str]:
        """The rows that the screen shows now."""
        return [row.rstrip() for row in self._screen.display]

    @property
    def text(self) -> str:
        """Everything that a person can read, what has scrolled away included."""
        above = ["".join(row[x].data for x in range(self._screen.columns)) for row in self._screen.history.top]
        return "\n".join(row.rstrip() for row in [*above, *self._screen.display])

    def style_of(self, text: str) -> str:
        """Return the colour and weight of the first character of `text` on the screen."""
        for y, row in enumerate(self.rows):
            if text in row:
                char = self._screen.buffer[y][row.index(text)]
                return f"{'bold ' if char.bold else ''}{char.fg}"
        raise AssertionError(f"no {text!r} in {self.text}")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until the screen is as wanted."""
        deadline = time.monotonic() + LIMIT
        while not holds():
            assert time.monotonic() < deadline, f"not seen: {what}, in:\n{self.text}"
            assert self._read(), f"the program left before {what}:\n{self.text}"

    def expect(self, text: str, times: int = 1) -> None:
        """Wait until `text` can be read, as often as said."""
        self.until(lambda: self.text.count(text) >= times, repr(text))

    def ready(self) -> None:
        """Wait until the program says who answers, and for a prompt."""
        self.expect("/help tells")
        self.until(lambda: ">" in self.rows, "a prompt")

    def leave(self) -> int:
        """Wait for the program's end and return its exit code."""
        while self._read():
            pass
        return self._process.wait(LIMIT)

    def _read(self) -> bool:
        assert select.select([self._end], [], [], LIMIT)[0], f"nothing more came after:\n{self.text}"
        try:
            data = os.read(self._end, 65536)
        except OSError:  # Linux ends a terminal that nobody holds with EIO
            return False
        self.raw += data.decode(errors="replace")
        self._stream.feed(data)
        return bool(data)
