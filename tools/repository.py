import itertools
import os
import re
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from tools.errors import ToolFailure
from tools.process import Finished, run
from tools.settings import GitSettings, read_settings
from tools.text import shown

_TIMEOUT_S = 20
_KEPT = 16_000_000
_MAX_SCANNED = 200_000
_FILES = ("HEAD", "index", "packed-refs", "shallow", "config")
_FOLDERS = ("objects", "refs", "logs", "info")
_UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
_BRANCH = re.compile(r"ref: refs/heads/[^\x00-\x20~^:?*\[\\\x7f]+\s*")
_ELSEWHERE = "use execute_command with git instead"


@dataclass(frozen=True)
class Repository:
    """The workspace's repository, run through a git folder of our own making.

    That folder is new for every call. It links to the real objects and refs, and its config is written by us from a
    few plain values, so nothing that the workspace's own git settings name (hooks, filters, monitors, drivers,
    aliases, includes, another work tree) exists for the git that we run.
    """

    root: Path
    real: Path
    ours: Path
    settings: GitSettings

    async def run(self, *arguments: str, stdin: bytes | None = None, index: Path | None = None) -> Finished:
        """Run git, at most 20 seconds; its output is bounded."""
        environment = {
            **self.settings.environment,
            "GIT_DIR": str(self.ours),
            "GIT_WORK_TREE": str(self.root),
            "GIT_INDEX_FILE": str(index or self.real / "index"),
        }
        ended = await run(
            [self.settings.program, "--no-pager", *arguments],
            folder=self.root,
            environment=environment,
            timeout=_TIMEOUT_S,
            keep=(_KEPT, 0),
            stdin=stdin,
        )
        if ended.timed_out:
            raise ToolFailure(f"git took more than {_TIMEOUT_S} seconds and was ended: {_ELSEWHERE}.")
        return ended

    async def output(self, *arguments: str, stdin: bytes | None = None, index: Path | None = None) -> str:
        """Run git and give what it wrote.

        Raises:
            ToolFailure: git failed; the message is its own.
        """
        ended = await self.run(*arguments, stdin=stdin, index=index)
        if ended.code != 0:
            words = ended.errors.decode("utf-8", "replace").replace(str(self.ours), ".git").strip()
            first = words.splitlines()[0] if words else f"exit code {ended.code}"
            raise ToolFailure(f"git said: {shown(first.removeprefix('fatal: ').removeprefix('error: '), 300)}.")
        return ended.output.decode("utf-8", "surrogateescape")

    def branch(self) -> str | None:
        """Give the name of the branch that is checked out, or None for none."""
        head = (self.ours / "HEAD").read_text(encoding="utf-8").strip()
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else None

    def unfinished(self) -> bool:
        """Say whether a merge, rebase or the like is under way."""
        return any((self.real / name).exists() for name in _UNFINISHED)


@asynccontextmanager
async def repository(root: Path) -> AsyncIterator[Repository]:
    """Open the repository whose top folder is `root`.

    Raises:
        ToolFailure: there is none, or its git folder is not one that is safe to use.
    """
    real = root / ".git"
    await anyio.to_thread.run_sync(_check, root, real)
    settings = await read_settings(root, real)
    ours = Path(tempfile.mkdtemp(prefix="a2ia-git-"))
    try:
        await anyio.to_thread.run_sync(_build, real, ours, settings.config)
        opened = Repository(root, real, ours, settings)
        await _check_index(opened)
        yield opened
    finally:
        shutil.rmtree(ours, ignore_errors=True)


def _check(root: Path, real: Path) -> None:
    if not os.path.lexists(real):
        above = next((folder for folder in root.parents if (folder / ".git").exists()), None)
        if above:
            raise ToolFailure(f"The workspace is inside the repository {above}, not its top folder: {_ELSEWHERE}.")
        raise ToolFailure("The workspace is not a git repository: make one with execute_command: git init")
    if real.is_symlink() or not real.is_dir():
        raise ToolFailure(f"The workspace's .git leads to another folder (worktree or submodule): {_ELSEWHERE}.")
    for path in _strange(real):
        raise ToolFailure(f"The git tools do not use this repository, because of {shown(path)}: {_ELSEWHERE}.")


def _strange(real: Path) -> Iterator[str]:
    """Give what could lead git out of the workspace or make it wait: links, pipes, borrowed objects."""
    for name in ("commondir", "objects/info/alternates", "objects/info/http-alternates"):
        if os.path.lexists(real / name):
            yield f".git/{name}"
    for name, right in [(name, stat.S_ISREG) for name in _FILES] + [(name, stat.S_ISDIR) for name in _FOLDERS]:
        if os.path.lexists(real / name) and not right((real / name).lstat().st_mode):
            yield f".git/{name}"
    below = [real / name for name in ("objects", "objects/info", "objects/pack", "info")]
    trees = itertools.chain(_tree(real / "refs"), _tree(real / "logs"), *map(_entries, below))
    for count, entry in enumerate(trees):
        if count > _MAX_SCANNED:
            yield "its size"
        if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
            yield os.path.relpath(entry.path, real.parent)


def _tree(folder: Path) -> "Iterator[os.DirEntry[str]]":
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            yield entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))


def _entries(folder: Path) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except FileNotFoundError:
        return


def _build(real: Path, ours: Path, config: str) -> None:
    head = _head(real)
    (ours / "HEAD").write_text(head, encoding="utf-8")
    (ours / "config").write_text(config, encoding="utf-8")
    (ours / "info").mkdir()
    for name in ("info/exclude", "info/attributes", "shallow"):
        source = real / name
        if source.is_file() and source.stat().st_size < 1_000_000:
            (ours / name).write_bytes(source.read_bytes())
    for name in ("objects", "refs", "logs", "packed-refs"):
        if name == "logs" or (real / name).exists():
            (ours / name).symlink_to(real / name)


def _head(real: Path) -> str:
    try:
        with (real / "HEAD").open(encoding="utf-8") as stream:
            head = stream.read(1_000)
    except (OSError, UnicodeDecodeError) as error:
        raise ToolFailure(f"The repository's HEAD can not be read: {_ELSEWHERE}.") from error
    known = _BRANCH.fullmatch(head) or re.fullmatch(r"[0-9a-f]{40,64}\s*", head)
    if not known or ".." in head:
        raise ToolFailure(f"The repository's HEAD is not one that the git tools understand: {_ELSEWHERE}.")
    return head


async def _check_index(opened: Repository) -> None:
    """Refuse an index whose paths leave the work tree: git itself would read what they name."""
    ended = await opened.run("ls-files", "-z")
    if ended.left_out:
        raise ToolFailure(f"The repository has too many files for the git tools: {_ELSEWHERE}.")
    for path in ended.output.split(b"\0"):
        if path.startswith(b"/") or b".." in path.split(b"/") or b".git" in path.lower().split(b"/"):
            raise ToolFailure(f"The repository's index names a path outside of the workspace: {_ELSEWHERE}.")
