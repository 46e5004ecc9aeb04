"""The three standard streams, which may be closed, full, or never end."""

import os
import re
import select
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_PIPE_WAIT = 3.0
"""Seconds to wait for the first byte of a pipe below `-p TEXT`: a parent that never writes must not hang us."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def prepare_streams(*, as_json: bool) -> None:
    """Make standard output and error safe to write: a closed one swallows, a narrow encoding replaces.

    JSON goes out as UTF-8 in any locale; what UTF-8 cannot say (half a character) is escaped as JSON does it.
    """
    sys.stdout, sys.stderr = _open(sys.stdout), _open(sys.stderr)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None and as_json:
        reconfigure(encoding="utf-8", errors="backslashreplace")
    elif reconfigure is not None:
        reconfigure(errors="replace")


def _open(stream: TextIO | None) -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8") if stream is None else stream


def give_up(stream: TextIO) -> None:
    """Point a stream that cannot be written to nowhere, so that nothing fails on it again, not even the exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class OutputLost(Exception):
    """Standard output cannot be written any more; `reader_left` where it is a pipe that nobody reads."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.reader_left = isinstance(error, BrokenPipeError)


def write(text: str) -> None:
    """Write `text` to standard output at once. Raises `OutputLost`."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        give_up(sys.stdout)
        raise OutputLost(error) from error


def printable(text: str) -> str:
    """Return `text` without control characters but line ends: models and tools must not steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def read_prompt(prompt: str, warn: Callable[[str], None]) -> str:
    """Return the whole prompt: `-` reads standard input, a text gets what is piped in below it.

    Bytes that are not UTF-8 become U+FFFD: no model server takes them.
    """
    parts = [_read()] if prompt == "-" else [prompt, _piped(warn)]
    return sendable("\n\n".join(part for part in parts if part.strip()))


def sendable(text: str) -> str:
    """Return what was typed or piped in with U+FFFD for bytes that are no UTF-8."""
    return _SURROGATE.sub("\ufffd", text)


def _read() -> str:
    if sys.stdin is None or sys.stdin.closed:
        return ""
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    return sys.stdin.read()


def _piped(warn: Callable[[str], None]) -> str:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISREG(mode):
        return _read()
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return ""
    if select.select([sys.stdin], [], [], _PIPE_WAIT)[0]:
        return _read()
    warn(f"nothing came from standard input within {_PIPE_WAIT:g} s, so it was left out; `-p -` waits for it.")
    return ""
