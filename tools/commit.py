import os
import shutil
import stat
from pathlib import Path

import anyio.to_thread

from tools.errors import ToolFailure
from tools.repository import Repository
from tools.text import shown, size_text

_MAX_MESSAGE = 10_000
_MAX_FILE = 50_000_000

Change = tuple[str, str]


async def changes(git: Repository, untracked: str, paths: list[str]) -> list[Change]:
    """Give git's two-letter state and the path of each file that differs from the last commit.

    `untracked` is git's word for how new files are shown: all, or normal for a new folder as one.
    """
    options = ("--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=all", f"--untracked-files={untracked}")
    output = await git.output("status", *options, "--", *paths)
    return [(item[:2], item[3:]) for item in output.split("\0") if item]


async def commit(git: Repository, message: str, paths: list[str]) -> str:
    """Commit what changed, or only what changed in `paths`, and give a sentence about it.

    Made of git's plumbing (no `git add`, no `git commit`), which looks into no submodule and starts no other program.

    Raises:
        ToolFailure: there is nothing to commit, or it can not be committed safely.
    """
    if not message.strip() or len(message) > _MAX_MESSAGE or "\0" in message:
        raise ToolFailure(f"message must be text of 1 to {_MAX_MESSAGE} characters: say what changed.")
    branch = git.branch()
    if branch is None:
        raise ToolFailure("No branch is checked out: make one with execute_command: git switch -c NAME")
    if git.unfinished():
        raise ToolFailure("A merge or rebase is under way: finish it with execute_command and git.")
    changed = await _committable(git, paths)
    parent = (await git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")).output.decode("ascii").strip()
    tree = await _tree(git, changed, parent, partial=bool(paths))
    options = ("-p", parent) if parent else ()
    (git.real / "logs").mkdir(exist_ok=True)
    made = await git.output("commit-tree", tree, *options, "-F", "-", stdin=f"{message.strip()}\n".encode())
    made = made.strip()
    subject = message.strip().splitlines()[0]
    await _stage(git, changed)  # first: an index that is locked must not be left behind the commit
    await git.output("update-ref", "-m", f"commit: {subject}", "HEAD", made, parent or "0" * len(made))
    count = len({path for _, path in changed})
    files = f"{count} {'file' if count == 1 else 'files'}"
    return f"Committed {files} to {shown(branch)} as {made[:7]}: {shown(subject)}"


async def _committable(git: Repository, paths: list[str]) -> list[Change]:
    """Give the changes; nested repositories (their path ends in /) are left out."""
    found = [change for change in await changes(git, "all", paths) if not change[1].endswith("/")]
    if not found:
        where = f" in {', '.join(shown(path) for path in paths[:3])}" if paths else ""
        raise ToolFailure(f"There is nothing to commit{where}: see git_status.")
    for state, path in found:
        if "U" in state or state in ("AA", "DD"):
            raise ToolFailure(f"'{shown(path)}' has a conflict: resolve it with execute_command and git first.")
        size = _size(git.root / path)
        if size > _MAX_FILE:
            raise ToolFailure(f"'{shown(path)}' is {size_text(size)}: name it in .gitignore, or give other paths.")
    await _refuse_filtered(git, [path for _, path in found])
    return found


def _size(file: Path) -> int:
    try:
        status = os.lstat(file)
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


async def _refuse_filtered(git: Repository, paths: list[str]) -> None:
    """Refuse files that a filter program (such as Git LFS) has to convert: it would be missing from the commit."""
    if not git.settings.filters:
        return
    fields = (await git.output("check-attr", "-z", "--stdin", "filter", stdin=_lines(paths))).split("\0")
    for path, value in zip(fields[::3], fields[2::3], strict=False):
        if value in git.settings.filters:
            raise ToolFailure(
                f"'{shown(path)}' goes through the git filter '{shown(value)}', a program that the git tools do not "
                "run: give other paths, or use execute_command."
            )


async def _tree(git: Repository, changed: list[Change], parent: str, *, partial: bool) -> str:
    """Write the tree to commit: the index with the changes staged, or the last commit with only those.

    The index itself stays as it is until there is a commit.
    """
    index = git.ours / "index"
    if (git.real / "index").exists() and not partial:
        # With its time: files that are as old as the index are compared with what it has.
        await anyio.to_thread.run_sync(shutil.copy2, git.real / "index", index)
    else:
        await git.output("read-tree", *([parent] if parent else ["--empty"]), index=index)
    await _stage(git, changed, index)
    tree = (await git.output("write-tree", index=index)).strip()
    before = await git.run("rev-parse", "--verify", "--quiet", "HEAD^{tree}")
    if tree == before.output.decode("ascii").strip():
        raise ToolFailure("There is nothing to commit: the files are as in the last commit.")
    return tree


async def _stage(git: Repository, changed: list[Change], index: Path | None = None) -> None:
    """Put files into an index as they are; one that the user took out of it, and that is ignored now, stays out."""
    new = {path for state, path in changed if state == "??"}
    out = {path for state, path in changed if state == "D " and path not in new}
    put = [path for _, path in changed if path not in out]
    for paths, options in ((put, ("--add", "--remove", "--replace")), (sorted(out), ("--force-remove",))):
        if paths:
            await git.output("update-index", *options, "-z", "--stdin", stdin=_lines(paths), index=index)


def _lines(paths: list[str]) -> bytes:
    return "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
