import itertools
import json
import os
import re
import resource
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tools.encoding import is_binary
from tools.errors import ToolFailure
from tools.text import RESULT_CHARS, shown
from tools.workspace import Names, Workspace, require_file

LIMIT_S = 10
"""The most seconds that one search takes."""
MAX_TEXT = 500
"""The most characters that can be searched for."""
REFUSED = 3
"""The exit code of the child process when the result is a refusal."""

_CHUNK = 1 << 18
_MAX_LINE = 1 << 16
_AROUND = 200
_CHILD_MEMORY = 1 << 30

Find = Callable[[bytes], int]


def plain(text: str) -> Find:
    """Give the function that finds `text` in a line (-1 for not there); one without capitals is found in any case."""
    wanted, any_case = text.encode("utf-8"), text == text.lower()

    def find(line: bytes) -> int:
        if any_case and line.isascii():
            line = line.lower()
        at = line.find(wanted)
        return at if at <= 0 else len(line[:at].decode("utf-8", "replace"))

    return find


def expression(pattern: str) -> Find:
    """Give the function that finds a regular expression in a line (-1 for not there).

    Raises:
        ToolFailure: `pattern` is no regular expression.
    """
    try:
        compiled = re.compile(pattern, re.IGNORECASE if pattern == pattern.lower() else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise ToolFailure(f"text is not a valid regex ({error}): correct it, or leave regex out.") from error

    def find(line: bytes) -> int:
        hit = compiled.search(line.decode("utf-8", "replace"))
        return hit.start() if hit else -1

    return find


def search(workspace: Workspace, text: str, path: str, find: Find) -> str:
    """Give the lines under `path` in which `find` finds something, at most a result's size, within 10 seconds.

    Raises:
        ToolFailure: there is no such path.
    """
    deadline = time.monotonic() + LIMIT_S
    lines, size, note = list[str](), 0, ""
    for line in _hits(workspace, path, find, deadline):
        size += len(line) + 1
        if size > RESULT_CHARS:
            note = f"[cut here after {len(lines)} lines; search a smaller path or a longer text]"
            break
        lines.append(line)
    if time.monotonic() > deadline:
        note = f"[stopped after {LIMIT_S} seconds; search a smaller path]"
    if not lines and not note:
        return f"No matches for '{shown(text)}' in '{shown(path)}'."
    return "\n".join([*lines, note] if note else lines)


def main() -> None:
    """Search as the child process of the tool: the arguments as JSON in argv, the result on stdout."""
    root, text, path = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (_CHILD_MEMORY, _CHILD_MEMORY))
    code = 0
    try:
        result = search(Workspace(Path(root)), text, path, expression(text))
    except ToolFailure as failure:
        result, code = str(failure), REFUSED
    sys.stdout.buffer.write(result.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    os._exit(code)


def _hits(workspace: Workspace, path: str, find: Find, deadline: float) -> Iterator[str]:
    for names in _files(workspace, path):
        if time.monotonic() > deadline:
            return
        stream = workspace.open_file(names)
        if stream is None:
            continue
        with stream:
            hits = itertools.groupby(_lines_with(stream, find, deadline), key=lambda hit: hit[0])
            for number, (_, line, at) in ((number, next(same)) for number, same in hits):
                start = max(at - _AROUND // 2, 0)
                piece = line.decode("utf-8", "replace").rstrip("\r")[start : start + _AROUND]
                yield f"{shown('/'.join(names), 255)}:{number}: {piece.strip()}"


def _files(workspace: Workspace, path: str) -> Iterator[Names]:
    with workspace.place(path) as place:
        status = place.required_status()
        if stat.S_ISDIR(status.st_mode):
            return workspace.walk(place.names)
        require_file(place, status)
        return iter([place.names])


def _lines_with(stream: BinaryIO, find: Find, deadline: float) -> Iterator[tuple[int, bytes, int]]:
    number, rest, chunk = 1, b"", stream.read(_CHUNK)
    if is_binary(chunk):
        return
    while chunk and time.monotonic() < deadline:
        *lines, rest = (rest + chunk).split(b"\n")
        chunk = stream.read(_CHUNK)
        if not chunk or len(rest) > _MAX_LINE:
            lines.append(rest)
        for offset, line in enumerate(lines):
            if (at := find(line)) >= 0:
                yield number + offset, line, at
        number += len(lines)
        if len(rest) > _MAX_LINE:
            rest, number = rest[-MAX_TEXT * 4 :], number - 1
