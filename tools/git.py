import re

from tools.commit import changes, commit
from tools.errors import ToolFailure
from tools.names import belongs_to_git
from tools.repository import Repository, repository
from tools.text import cut, encodable, shown
from tools.workspace import Workspace

_NAME = r"[A-Za-z0-9_](?:(?!\.\.)[A-Za-z0-9_./-]){0,199}(?:[~^][0-9]{0,4}){0,8}"
_REVISION = re.compile(rf"({_NAME})(?:(\.\.\.?)({_NAME}))?")
_MAX_COMMITS = 100
_DIFF = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
_WORDS = {
    "A": "new",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "modified",
    "U": "conflict",
    "?": "untracked",
}


class Git:
    """The tools that look at the workspace's repository and commit to it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def git_status(self) -> str:
        """Show the branch and which files changed.

        Raises:
            ToolFailure: the workspace is not a repository that is safe to use.
        """
        async with repository(self._workspace.root) as git:
            changed = await changes(git, "normal", [])
            branch = git.branch()
            where = f"On branch {branch}" if branch else "On no branch (detached HEAD)"
            if git.unfinished():
                where += ", with a merge or rebase under way"
        lines = [f"{_word(state)}: {shown(path, 255)}" for state, path in changed]
        return cut("\n".join([f"{where}.", *(lines or ["No changes."])]), "list a folder's files with list_directory")

    async def git_diff(self, path: str = ".", revision: str = "HEAD") -> str:
        """Show uncommitted changes, or those since a revision.

        `revision` is a commit or A..B.

        Raises:
            ToolFailure: there is no such revision, or the path is not inside the workspace.
        """
        limits, wanted = self._paths([path]), _parsed(revision)
        async with repository(self._workspace.root) as git:
            base = await _start(git, wanted) or await _empty_tree(git)
            text = await git.output(*_DIFF, base, "--", *limits)
        if not text:
            where = "" if path == "." else f" in {shown(path)}"
            return f"No changes{where} (untracked files are not compared; see git_status)."
        return cut(encodable(text), "give a path to see one file's changes")

    async def git_log(self, count: int = 10, path: str = ".", revision: str = "HEAD") -> str:
        """Show the last commits.

        Raises:
            ToolFailure: there is no such revision, or the path is not inside the workspace.
        """
        if not 1 <= count <= _MAX_COMMITS:
            raise ToolFailure(f"count is {count}, but must be from 1 to {_MAX_COMMITS}.")
        limits, wanted = self._paths([path]), _parsed(revision)
        async with repository(self._workspace.root) as git:
            start = await _start(git, wanted)
            if start is None:
                return "No commits yet."
            form = ("--no-color", "--no-mailmap", "--date=short", "--format=%h %ad %an: %s")
            text = await git.output("log", *form, f"--max-count={count}", start, "--", *limits)
        return cut(encodable(text).rstrip("\n"), "give a smaller count") or "No commits for this."

    async def git_commit(self, message: str, paths: list[str] | None = None) -> str:
        """Commit all changes, or only those of the given paths.

        New files are added; hooks do not run; nothing is signed.

        Raises:
            ToolFailure: there is nothing to commit, or what there is can not be committed safely.
        """
        limits = self._paths(paths or [])
        if paths is not None and not limits:
            raise ToolFailure("paths is empty: name at least one, or leave paths out to commit all changes.")
        async with repository(self._workspace.root) as git:
            return await commit(git, message, limits)

    def _paths(self, paths: list[str]) -> list[str]:
        """Give paths for git, which takes them as they are: never as an option, never as a pattern."""
        return ["/".join(self._names(path)) or "." for path in paths]

    def _names(self, path: str) -> tuple[str, ...]:
        names = self._workspace.names(path)
        if path.startswith(":"):
            raise ToolFailure(f"'{shown(path)}' is a pattern: give the plain path of one file or folder.")
        if any(belongs_to_git(name) for name in names + self._workspace.link_free(names, path)):
            raise ToolFailure(f"'{shown(path)}' belongs to git: give a path of your own files.")
        return self._workspace.link_free(names[:-1], path) + names[-1:]


def _word(state: str) -> str:
    conflict = "U" in state or state in ("AA", "DD")
    word = "conflict" if conflict else _WORDS.get(state.strip()[:1], "modified")
    return word if state == "??" or conflict or state[0] == " " else f"{word} (staged)"


def _parsed(revision: str) -> tuple[str, str, str]:
    """Give the names before and after the dots of `revision`, and the dots."""
    parts = _REVISION.fullmatch(revision)
    if parts is None:
        raise ToolFailure(f"'{shown(revision)}' is no revision: give a branch, a tag, a commit id or HEAD~1.")
    return parts[1], parts[2] or "", parts[3] or ""


async def _start(git: Repository, wanted: tuple[str, str, str]) -> str | None:
    """Give the commit that is wanted as a hexadecimal id, or two of them with dots between; None for no commits yet."""
    first, dots, second = wanted
    if dots:
        return f"{await _commit_id(git, first)}{dots}{await _commit_id(git, second)}"
    return await _head(git) if first == "HEAD" else await _commit_id(git, first)


async def _commit_id(git: Repository, name: str) -> str:
    ended = await git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    found = ended.output.decode("ascii", "replace").strip()
    if ended.code != 0 or not re.fullmatch(r"[0-9a-f]{40,64}", found):
        raise ToolFailure(f"There is no revision '{shown(name)}': see git_log for the commits there are.")
    return found


async def _head(git: Repository) -> str | None:
    ended = await git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return ended.output.decode("ascii").strip() if ended.code == 0 else None


async def _empty_tree(git: Repository) -> str:
    return (await git.output("hash-object", "-t", "tree", "--stdin", stdin=b"")).strip()
