import io
from dataclasses import dataclass, field
from typing import BinaryIO

from tools.encoding import MAX_WIDE, decoded, is_binary, is_wide, not_text
from tools.errors import ToolFailure
from tools.text import RESULT_CHARS

_CHUNK = 1 << 18
_KEPT_BYTES = RESULT_CHARS * 4
_MAX_SCAN = 200_000_000
_COUNTED = 20


@dataclass
class _Window:
    """What was read: the bytes from line `start` on, and how many lines there are in all."""

    kept: bytearray = field(default_factory=bytearray)
    newlines: int = 0
    last: bytes = b""
    whole: bool = False

    @property
    def lines(self) -> int:
        return self.newlines + (self.last not in (b"", b"\n"))


def excerpt(stream: BinaryIO, name: str, start: int, end: int | None) -> str:
    """Give lines `start` to `end` of a text file, at most a result's size; a header line says what was left out.

    Of a short file that has no line `start` it gives all. Memory stays bounded whatever the file's size; of very large
    files only the first part is read.

    Raises:
        ToolFailure: the file is binary, or it is empty or long and has no line `start`.
    """
    window = _read(_as_narrow(stream, name), start)
    if start > max(window.lines, 1):
        if not window.whole or not 0 < window.lines < _COUNTED:
            raise _too_far(name, start, window)
        stream.seek(0)
        lines = "1 line" if window.lines == 1 else f"{window.lines} lines"
        return f"[all {lines}; there is no line {start}]\n{excerpt(stream, name, 1, None)}"
    text, last, partial = _select(window, name, start, end)
    if text == "" and window.lines == 0:
        return "(empty file)"
    if not partial and start == 1 and window.whole and last == window.lines:
        return text if last < _COUNTED else f"[all {last} lines]\n{text}"
    return f"{_header(window, start, last, partial)}\n{text}"


def _as_narrow(stream: BinaryIO, name: str) -> BinaryIO:
    start = stream.read(8192)
    stream.seek(0)
    if is_wide(start):
        text, _ = decoded(stream.read(MAX_WIDE), name)
        return io.BytesIO(text.encode("utf-8", "replace"))
    if is_binary(start):
        raise not_text(name)
    return stream


def _read(stream: BinaryIO, start: int) -> _Window:
    window, scanned = _Window(), 0
    while scanned < _MAX_SCAN:
        chunk = stream.read(_CHUNK)
        if not chunk:
            window.whole = True
            break
        scanned += len(chunk)
        _keep(window, chunk, start)
        window.newlines += chunk.count(b"\n")
        window.last = chunk[-1:]
    return window


def _keep(window: _Window, chunk: bytes, start: int) -> None:
    """Add what `chunk` has of the lines from `start` on, up to the size that is kept."""
    room = _KEPT_BYTES - len(window.kept)
    missing = start - 1 - window.newlines
    if room <= 0 or missing > chunk.count(b"\n"):
        return
    at = 0
    for _ in range(max(missing, 0)):
        at = chunk.index(b"\n", at) + 1
    window.kept += chunk[at : at + room]


def _select(window: _Window, name: str, start: int, end: int | None) -> tuple[str, int, bool]:
    """Give the text, its last line's number, and whether that line is cut."""
    complete = window.whole and len(window.kept) < _KEPT_BYTES
    text, _ = decoded(bytes(window.kept) if complete else _whole_characters(bytes(window.kept)), name)
    lines = text.replace("\r\n", "\n").split("\n")
    if complete and lines[-1] == "":
        lines.pop()
        lines[-1:] = [f"{line}\n" for line in lines[-1:]]
    if end is not None and len(lines) > end - start + 1:
        lines, complete = lines[: end - start + 1], True
    used = size = 0
    while used < len(lines) and size + len(lines[used]) < RESULT_CHARS and (complete or used < len(lines) - 1):
        size += len(lines[used]) + 1
        used += 1
    if used == 0 and lines:
        return lines[0][:RESULT_CHARS], start, True
    return "\n".join(lines[:used]), start + used - 1, False


def _whole_characters(data: bytes) -> bytes:
    """Drop a UTF-8 character that the end of the buffer cuts in two."""
    for back in range(1, min(4, len(data)) + 1):
        if data[-back] >= 0xC0:
            needed = 2 + (data[-back] >= 0xE0) + (data[-back] >= 0xF0)
            return data[:-back] if needed > back else data
        if data[-back] < 0x80:
            break
    return data


def _header(window: _Window, start: int, last: int, partial: bool) -> str:
    total = f"{window.lines}" if window.whole else f"more than {window.lines}"
    if partial:
        return (
            f"[line {start} of {total}, cut after {RESULT_CHARS} characters; see more with execute_command and cut -c]"
        )
    more = f"; read on with start_line={last + 1}" if last < window.lines else ""
    return f"[lines {start}-{last} of {total}{more}]"


def _too_far(name: str, start: int, window: _Window) -> ToolFailure:
    if not window.whole:
        return ToolFailure(f"start_line {start} is too far into '{name}' to be read: use execute_command with sed -n.")
    if window.lines == 0:
        return ToolFailure(f"'{name}' is empty, so it has no line {start}.")
    return ToolFailure(f"'{name}' has only {window.lines} lines: choose a start_line up to {window.lines}.")
