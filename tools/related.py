import itertools
import re
from collections import defaultdict
from collections.abc import Iterable

from tools.encoding import is_binary
from tools.text import shown
from tools.workspace import Workspace

_MAX_FILES = 2_000
_MAX_TEXT = 2_000
_SHORT_TEXT = 400
_MAX_NAMED = 3
_MIN_STEM = 4
_PREVIEW = 240
_WORD = re.compile(r"[\w./-]*\w")


def named_files(workspace: Workspace, text: str, seen: Iterable[str]) -> str:
    """Give a line that tells which files of the workspace `text` names, or nothing; `seen` are not told.

    A small model that reads "the key is in etc/app.key" takes the path for the answer, so a single file that is named
    comes with its first lines. A word without suffix counts as a file's name only in a short text. More than three are
    no pointer.
    """
    words = set(_WORD.findall(text[:_MAX_TEXT]))
    if not words:
        return ""
    ways = _names(workspace)
    found = {
        path
        for word in words
        for path in [_file_of(word.removeprefix("./"), ways, stems=len(text) <= _SHORT_TEXT)]
        if path and path not in seen
    }
    if not 1 <= len(found) <= _MAX_NAMED:
        return ""
    if len(found) > 1:
        return f"[It names files here: {', '.join(map(shown, sorted(found)))}]"
    (path,) = found
    start = _start_of(workspace, path)
    return f"[It names a file here, {shown(path)}, which {f'begins: {start}' if start else 'read_file shows'}]"


def _start_of(workspace: Workspace, path: str) -> str:
    """Give the first lines of a text file, or nothing."""
    stream = workspace.open_file(tuple(path.split("/")))
    if stream is None:
        return ""
    with stream:
        data = stream.read(_PREVIEW * 4)
    if is_binary(data):
        return ""
    text = data.decode("utf-8", "replace").strip()
    return text if len(text) <= _PREVIEW else f"{text[:_PREVIEW].rpartition(chr(10))[0] or text[:_PREVIEW]}\n..."


def _names(workspace: Workspace) -> dict[str, list[str]]:
    """Give the paths that a name may stand for: by whole path, by file name, and by file name without suffix."""
    ways: dict[str, list[str]] = defaultdict(list)
    for names in itertools.islice(workspace.walk(), _MAX_FILES):
        path, name = "/".join(names), names[-1]
        for way in {path, name, name.partition(".")[0].lower()}:
            ways[way].append(path)
    return ways


def _file_of(word: str, ways: dict[str, list[str]], *, stems: bool) -> str:
    is_stem = "." not in word and "/" not in word
    if is_stem and not (stems and len(word) >= _MIN_STEM):
        return ""
    paths = ways.get(word) or (ways.get(word.lower()) if is_stem else None) or []
    return paths[0] if len(paths) == 1 else ""
