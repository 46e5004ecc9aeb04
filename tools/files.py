import itertools
import os
import secrets
import stat
from collections import Counter
from pathlib import PurePath

from tools.encoding import decoded, encoded, is_binary
from tools.errors import ToolFailure
from tools.excerpt import excerpt
from tools.related import named_files
from tools.replace import replace_once
from tools.text import RESULT_CHARS, shown, size_text
from tools.workspace import Place, Workspace, require_file

_MAX_ENTRIES = 100_000
_MAX_CONTENT = 5_000_000
_MAX_BEFORE = 2_000
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Files:
    """The tools that list, read and change the workspace's files; the first line of each is what a model reads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def list_directory(self, path: str = ".") -> str:
        """List the files in a folder.

        The folders, then the files, each under a line that counts them and one name a line; cut at a result's size.
        A file in place of a folder is no error, as with ls.

        Raises:
            ToolFailure: there is no such folder.
        """
        with self._workspace.place(path) as place:
            status = place.status()
            if status and stat.S_ISREG(status.st_mode):
                return f"{place.path} is a file ({size_text(status.st_size)}): use read_file to see what is in it."
        with self._workspace.listing(path) as folder, os.scandir(folder) as entries:
            names = sorted(_entry_text(entry) for entry in itertools.islice(entries, _MAX_ENTRIES))
        if not names:
            return "(empty folder)"
        shown_names = list(_within_size(names))
        if len(shown_names) == len(names):
            return "\n".join(_grouped(names))
        count = f"{len(names)}{' or more' if len(names) == _MAX_ENTRIES else ''}"
        note = f"[the first {len(shown_names)} of {count} entries; list a folder below, or use ls]"
        return "\n".join([note, *_grouped(shown_names)])

    def read_file(self, path: str, start_line: int = 1, end_line: int = -1) -> str:
        """Read a text file, or only its lines start_line to end_line (-1: the last).

        The text is as it stands in the file; a first line in brackets says what was cut and how to read on.

        Raises:
            ToolFailure: there is no such text file, or no such lines.
        """
        if start_line < 1:
            raise ToolFailure(f"start_line is {start_line}, but lines count from 1.")
        last = None if end_line == -1 else end_line
        if last is not None and last < start_line:
            raise ToolFailure(f"end_line ({end_line}) is before start_line ({start_line}): swap them.")
        with self._workspace.reading(path) as stream:
            text = excerpt(stream, shown(path), start_line, last)
        pointer = named_files(self._workspace, text, ["/".join(self._workspace.names(path))])
        return f"{text.rstrip()}\n\n{pointer}" if pointer else text

    def write_file(self, path: str, content: str) -> str:
        """Create a file, or replace all of it, with content.

        Makes missing folders; the old file stays until the new one is complete. Where a short text was replaced by one
        of less than half its length, the result tells it: a model that meant to change a line has not lost the rest.

        Raises:
            ToolFailure: the path can not be written, or the content is too large.
        """
        if path.endswith(("/", "/.")):
            raise ToolFailure(f"'{shown(path)}' names a folder: add a file name.")
        data = encoded(content, "utf-8")
        if len(data) > _MAX_CONTENT:
            raise ToolFailure(f"content is {size_text(len(data))}, the limit is {size_text(_MAX_CONTENT)}: write less.")
        with self._workspace.writing:
            before = self._short_text(path)
            with self._workspace.place(path, write=True) as place:
                done = "Replaced" if place.status() else "Created"
                _write(place, data)
        lines = content.count("\n") + (not content.endswith("\n") and content != "")
        lost = f" Before, it held:\n{before}" if len(content) < len(before) / 2 else ""
        return f"{done} {place.path} ({lines} {'line' if lines == 1 else 'lines'}).{lost}"

    def _short_text(self, path: str) -> str:
        """Give the text of a file, or nothing if there is none, or more than a short one."""
        names = self._workspace.names(path)
        stream = self._workspace.open_file(names) if names else None
        if stream is None:
            return ""
        with stream:
            data = stream.read(_MAX_BEFORE + 1)
        return "" if len(data) > _MAX_BEFORE or is_binary(data) else data.decode("utf-8", "replace").strip()

    def edit_file(self, path: str, old: str, new: str) -> str:
        """Replace the text old by new in a file; old must be exact and occur once (empty: add new at the end).

        Line ends and encoding stay as they are.

        Raises:
            ToolFailure: `old` does not occur exactly once, or the file can not be edited.
        """
        with self._workspace.writing:
            with self._workspace.reading(path) as stream:
                if os.fstat(stream.fileno()).st_size > _MAX_CONTENT:
                    raise ToolFailure(f"'{shown(path)}' is too large to edit: use execute_command with sed.")
                text, encoding = decoded(stream.read(_MAX_CONTENT + 1), shown(path))
            edited, line = replace_once(text, old, new, shown(path))
            with self._workspace.place(path, write=True) as place:
                _write(place, encoded(edited, encoding))
        return f"Edited {place.path} at line {line}."


def _entry_text(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return f"{shown(entry.name, 255)}@"
    return shown(entry.name, 255) + ("/" if entry.is_dir(follow_symlinks=False) else "")


def _grouped(names: list[str]) -> list[str]:
    """Give the folders and then the files, each group under its count, since small models count and sort badly."""
    folders = [name for name in names if name.endswith("/")]
    files = [name for name in names if not name.endswith("/")]
    lines = [f"{_count(folders, 'folder')}:", *folders] if folders else []
    if not files:
        return lines
    kinds = Counter(PurePath(name).suffix or "without suffix" for name in files).most_common(8)
    by_kind = f" ({', '.join(f'{count} {kind}' for kind, count in kinds)})" if len(kinds) > 1 else ""
    return [*lines, f"{_count(files, 'file')}{by_kind}:", *files]


def _count(names: list[str], noun: str) -> str:
    return f"{len(names)} {noun}{'s' * (len(names) > 1)}"


def _within_size(lines: list[str]) -> "itertools.takewhile[str]":
    sizes = itertools.accumulate(len(line) + 1 for line in lines)
    return itertools.takewhile(lambda _: next(sizes) <= RESULT_CHARS, lines)


def _write(place: Place, data: bytes) -> None:
    """Put `data` at `place` by way of a new file beside it, so that a reader sees all of it or nothing."""
    before = place.status()
    require_file(place, before)
    if before and not before.st_mode & stat.S_IWUSR:
        raise ToolFailure(
            f"'{shown(place.path)}' is read-only: leave it as it is, or ask for its rights to be changed."
        )
    temporary = f".a2ia-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, _NEW_FILE, 0o666, dir_fd=place.folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if before:
                os.fchmod(stream.fileno(), stat.S_IMODE(before.st_mode) & 0o777)
            stream.write(data)
        os.rename(temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except BaseException:
        os.unlink(temporary, dir_fd=place.folder)
        raise
