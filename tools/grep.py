import codecs
import io
import itertools
import json
import os
import re
import resource
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tools.encoding import MAX_WIDE, decoded, is_binary, is_wide
from tools.errors import ToolFailure
from tools.related import named_files
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
_MAX_NAMED = 20_000
_NAMES_SHOWN = 20
_MAX_NEAR = 20_000
_NEAR_SHOWN = 8
_WORD = re.compile(r"[^\W_]{3,}")

Find = Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class Hit:
    """A line in which something was found."""

    path: str
    number: int
    piece: str

    @property
    def text(self) -> str:
        """The hit as a result shows it."""
        return f"{self.path}:{self.number}: {self.piece}"


def plain(text: str) -> Find:
    """Give the function that finds `text` in a line (-1 for not there), in any case."""
    wanted = text.lower().encode("utf-8")

    def find(line: bytes) -> int:
        line = line.lower() if line.isascii() else line.decode("utf-8", "replace").lower().encode("utf-8")
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
    hits, size, note = list[Hit](), 0, ""
    for hit in _hits(workspace, path, find, deadline):
        size += len(hit.text) + 1
        if size > RESULT_CHARS:
            note = f"[cut here after {len(hits)} lines; search a smaller path or a longer text]"
            break
        hits.append(hit)
    if time.monotonic() > deadline:
        note = f"[stopped after {LIMIT_S} seconds; search a smaller path]"
    if note:
        return "\n".join([*(hit.text for hit in hits), note])
    return "\n".join(_found(workspace, text, path, hits, find, deadline))


def _found(workspace: Workspace, text: str, path: str, hits: list[Hit], find: Find, deadline: float) -> list[str]:
    """Give the lines of a search that came to its end: what was found, files named so, else the nearest lines."""
    named = _named(workspace, path, find)
    pointer = named_files(workspace, "\n".join(hit.piece for hit in hits), {*named, *(hit.path for hit in hits)})
    if hits or named:
        head = [] if hits else [f"No file has '{shown(text)}' in its text."]
        return [*head, *(hit.text for hit in hits), *named, *filter(None, [pointer])]
    near = _nearest(workspace, text, path, deadline)
    if near:
        return [f"The lines nearest to '{shown(text)}', with some of its words:", *near]
    nothing = f"No file in '{shown(path)}' has '{shown(text)}', neither in its text nor in its name."
    if not workspace.names(path):  # that was all of it
        return [nothing]
    elsewhere = [hit.text for hit in itertools.islice(_hits(workspace, ".", find, deadline), _NEAR_SHOWN)]
    return [nothing, "But other files have it:", *elsewhere] if elsewhere else [nothing]


def _nearest(workspace: Workspace, text: str, path: str, deadline: float) -> list[str]:
    """Give the lines that have the most of the words of `text`: a small model searches for whole questions."""
    words = set(_WORD.findall(text.lower()))
    if len(words) < 2:
        return []
    best, most = list[str](), 1
    any_word = expression("|".join(map(re.escape, sorted(words))))
    for hit in itertools.islice(_hits(workspace, path, any_word, deadline), _MAX_NEAR):
        count = len(words & set(_WORD.findall(f"{hit.path} {hit.piece}".lower())))
        if count > most:
            best, most = [], count
        if count == most:
            best.append(hit.text)
    return best[:_NEAR_SHOWN]


def _named(workspace: Workspace, path: str, find: Find) -> list[str]:
    """Give the files whose name `find` finds, under a line that counts them: who looks for one often searches so."""
    names = list(itertools.islice(_files(workspace, path), _MAX_NAMED))
    paths = ["/".join(found) for found in names if find(found[-1].encode("utf-8", "replace")) >= 0]
    if not paths:
        return []
    head = f"{len(paths)} {'files have' if len(paths) > 1 else 'file has'} it in the name:"
    more = [f"[and {len(paths) - _NAMES_SHOWN} more]"] if len(paths) > _NAMES_SHOWN else []
    return [head, *(shown(found, 255) for found in paths[:_NAMES_SHOWN]), *more]


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


def _hits(workspace: Workspace, path: str, find: Find, deadline: float) -> Iterator[Hit]:
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
                piece = line.decode("utf-8", "replace")[start : start + _AROUND]
                yield Hit(shown("/".join(names), 255), number, piece.strip())


def _files(workspace: Workspace, path: str) -> Iterator[Names]:
    with workspace.place(path) as place:
        status = place.required_status()
        if stat.S_ISDIR(status.st_mode):
            return workspace.walk(place.names)
        require_file(place, status)
        return iter([place.names])


def _lines_with(stream: BinaryIO, find: Find, deadline: float) -> Iterator[tuple[int, bytes, int]]:
    number, rest, chunk = 1, b"", stream.read(_CHUNK)
    if is_wide(chunk):
        text, _ = decoded(chunk + stream.read(MAX_WIDE), "")
        stream = io.BytesIO(text.encode("utf-8", "replace"))
        chunk = stream.read(_CHUNK)
    elif is_binary(chunk):
        return
    while chunk and time.monotonic() < deadline:
        *lines, rest = (rest + chunk).split(b"\n")
        chunk = stream.read(_CHUNK)
        if not chunk or len(rest) > _MAX_LINE:
            lines.append(rest)
        for offset, whole in enumerate(lines):
            line = whole.removesuffix(b"\r").removeprefix(codecs.BOM_UTF8 if number + offset == 1 else b"")
            if (at := find(line)) >= 0:
                yield number + offset, line, at
        number += len(lines)
        if len(rest) > _MAX_LINE:
            rest, number = rest[-MAX_TEXT * 4 :], number - 1
