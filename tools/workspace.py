import difflib
import errno
import itertools
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tools.errors import ToolFailure
from tools.names import belongs_to_git, names_of
from tools.text import shown

SKIPPED = frozenset({".git", "node_modules", "__pycache__", ".venv"})
"""Folders that a walk does not go down into."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAX_LINKS = 40
_MAX_ENTRIES = 100_000
_MAX_WALK_DEPTH = 60
_HINT_NAMES = 12
_ALIKE = 0.85
_HINT_ENTRIES = 5_000

Names = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A name in an open folder, reached without following any link."""

    folder: int
    names: Names

    @property
    def name(self) -> str:
        """The last name, "." for the workspace folder itself."""
        return self.names[-1] if self.names else "."

    @property
    def path(self) -> str:
        """The path from the workspace folder, without links."""
        return "/".join(self.names) or "."

    def status(self) -> os.stat_result | None:
        """Give what stands at the name itself (a link is not followed), or None for nothing."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def required_status(self) -> os.stat_result:
        """Give what stands at the name itself.

        Raises:
            FileNotFoundError: nothing stands there.
        """
        return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)


class Workspace:
    """The one folder whose files the tools may touch.

    A path is first written without links, as text. Then it is walked name by name, each opened in the folder before
    it with O_NOFOLLOW, so a link that appears between check and use is an error and never a way out.
    """

    def __init__(self, root: Path) -> None:
        """Take `root` as the workspace.

        Raises:
            ToolFailure: `root` is no folder.
        """
        if not root.is_dir():
            raise ToolFailure(f"The workspace {root} is not a folder: give an existing one with --workspace.")
        self.root = root.resolve()
        self._given = os.path.abspath(root)  # noqa: PTH100 (Path.absolute keeps '..')
        self.writing = threading.Lock()

    def names(self, path: str) -> Names:
        """Give the names that lead to `path`, before links are followed.

        Raises:
            ToolFailure: the path is not a plain one inside the workspace.
        """
        is_alias = path == self._given or path.startswith(self._given + "/")
        return names_of(path, self._given if is_alias else str(self.root))

    @contextmanager
    def place(self, path: str, *, write: bool = False) -> Iterator[Place]:
        """Open the folder that holds `path`, links followed inside the workspace; to `write`, make missing folders.

        Raises:
            ToolFailure: the path leaves the workspace, belongs to git, or its folder does not exist.
        """
        given = self.names(path)
        names = self.link_free(given, path)
        if any(belongs_to_git(name) for name in given + names):
            raise ToolFailure(f"'{shown(path)}' belongs to git: use git_status, git_diff, git_log or git_commit.")
        try:
            folder = self._enter(names[:-1], write=write)
        except OSError as error:
            raise self._failure(error, path, names) from error
        try:
            yield Place(folder, names)
        except OSError as error:
            raise self._failure(error, path, names) from error
        finally:
            os.close(folder)

    @contextmanager
    def reading(self, path: str) -> Iterator[BinaryIO]:
        """Open the regular file at `path` for reading bytes.

        Raises:
            ToolFailure: there is no such file, or it is a folder, a pipe or a device.
        """
        with self.place(path) as place:
            require_file(place, place.required_status())
            with os.fdopen(os.open(place.name, _FILE, dir_fd=place.folder), "rb") as stream:
                require_file(place, os.fstat(stream.fileno()))
                yield stream

    @contextmanager
    def listing(self, path: str) -> Iterator[int]:
        """Open the folder at `path` and give its descriptor.

        Raises:
            ToolFailure: there is no such folder.
        """
        with self.place(path) as place:
            folder = os.open(place.name, _FOLDER, dir_fd=place.folder)
            try:
                yield folder
            finally:
                os.close(folder)

    def walk(self, names: Names = ()) -> Iterator[Names]:
        """Give the regular files below the folder at `names`, sorted folder by folder; links are not followed."""
        waiting = [names]
        while waiting:
            here = waiting.pop()
            files, folders = self._entries(here)
            yield from ((*here, name) for name in files)
            if len(here) < _MAX_WALK_DEPTH:
                waiting.extend((*here, name) for name in reversed(folders))

    def open_file(self, names: Names) -> BinaryIO | None:
        """Open the regular file at link-free `names`, or give None where there is none (any more)."""
        try:
            folder = self._enter(names[:-1])
            try:
                stream = os.fdopen(os.open(names[-1], _FILE, dir_fd=folder), "rb")
            finally:
                os.close(folder)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return stream
        stream.close()
        return None

    def _entries(self, names: Names) -> tuple[list[str], list[str]]:
        files: list[str] = []
        folders: list[str] = []
        with suppress(OSError):
            folder = self._enter(names)
            try:
                with os.scandir(folder) as entries:
                    for entry in itertools.islice(entries, _MAX_ENTRIES):
                        if entry.is_file(follow_symlinks=False):
                            files.append(entry.name)
                        elif entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED:
                            folders.append(entry.name)
            finally:
                os.close(folder)
        return sorted(files), sorted(folders)

    def link_free(self, names: Names, path: str) -> Names:
        """Give the names that lead to the same place without any link; `path` is what a refusal shows.

        Raises:
            ToolFailure: a link leaves the workspace or goes round in a circle.
        """
        waiting, done, links = list(reversed(names)), list[str](), 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                if not done:
                    raise _outside(path)
                done.pop()
                continue
            try:
                target = os.readlink(self.root.joinpath(*done, name))  # noqa: PTH115 (keep the text as it is)
            except OSError:
                done.append(name)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise ToolFailure(f"'{shown(path)}' is a link that leads round in a circle: name the file itself.")
            if target.startswith("/"):
                done, target = [], self._inside(target, path)
            waiting.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        return tuple(done)

    def _inside(self, target: str, path: str) -> str:
        for base in (str(self.root), self._given):
            if target == base or target.startswith(base.rstrip("/") + "/"):
                return target[len(base) :]
        raise _outside(path)

    def _enter(self, names: Names, *, write: bool = False) -> int:
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in names:
            try:
                if write:
                    _refuse_git_folder(folder)
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=folder)
                below = os.open(name, _FOLDER, dir_fd=folder)
            finally:
                os.close(folder)
            folder = below
        if write:
            _refuse_git_folder(folder)
        return folder

    def _failure(self, error: OSError, path: str, names: Names) -> ToolFailure:
        if error.errno == errno.ENOENT:
            return ToolFailure(f"'{shown(path)}' does not exist.{self._hint(names)}")
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            return ToolFailure(f"'{shown(path)}' goes through a file or a link, not a folder: see list_directory.")
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            return ToolFailure("The path is too long or has characters that this disk does not take: change it.")
        return ToolFailure(f"'{shown(path)}' can not be used: {(error.strerror or 'unknown error').lower()}.")

    def _hint(self, names: Names) -> str:
        """Say what exists that is nearest to the missing `names`."""
        wanted = names[-1] if names else ""
        files = ["/".join(found) for found in itertools.islice(self.walk(), _HINT_ENTRIES)]
        same = [path for path in files if path.rpartition("/")[2] == wanted]
        beside = [path for path in files if path.rpartition("/")[0] == "/".join(names[:-1])]
        if len(same) == 1:
            return f" Did you mean {shown(same[0])}?"
        near = same or difflib.get_close_matches("/".join(names), beside, 3, _ALIKE)
        near = near or difflib.get_close_matches("/".join(names), files[:1_000], 3, _ALIKE)
        if near:
            return f" Other files with a similar name: {', '.join(shown(path) for path in near[:3])}."
        top = sorted(_entry(path) for path in Path(self.root).iterdir() if not belongs_to_git(path.name))
        some = ", ".join(shown(name) for name in top[:_HINT_NAMES])
        more = ", and more" if len(top) > _HINT_NAMES else ""
        return f" The workspace folder, whose path is '.', has: {some or 'nothing'}{more}."


def _entry(path: Path) -> str:
    return path.name + ("/" if path.is_dir() and not path.is_symlink() else "")


def require_file(place: Place, status: os.stat_result | None = None) -> None:
    """Check that a regular file stands at `place`, or nothing.

    Raises:
        ToolFailure: it is a folder, a link, a pipe, a socket or a device.
    """
    status = status or place.status()
    if status is None or stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise ToolFailure(f"'{shown(place.path)}' is a folder, not a file: use list_directory to see what is in it.")
    raise ToolFailure(f"'{shown(place.path)}' is a pipe, a device or a link, not a file: choose a regular file.")


def _refuse_git_folder(folder: int) -> None:
    """Refuse a repository's own folder under another name than .git: git runs what its config and hooks name."""
    with suppress(OSError):
        for name in ("HEAD", "objects", "refs"):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        raise ToolFailure("This folder is a git repository's own: its files must not be changed.")


def _outside(path: str) -> ToolFailure:
    return ToolFailure(f"'{shown(path)}' is a link that leaves the workspace: choose a file inside of it.")
