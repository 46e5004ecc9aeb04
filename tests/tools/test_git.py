import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.support import git, make_repository, tools_in

REVISIONS = [
    "",
    "-",
    "--",
    "--output=/tmp/x",
    "--output=x",
    "-O/etc/passwd",
    "-ox",
    "--ext-diff",
    "--textconv",
    "--no-index",
    "--exec=touch x",
    "--upload-pack=touch x",
    "--all",
    "--help",
    "-p",
    "HEAD --output=x",
    "HEAD\n--output=x",
    "HEAD\x00",
    "HEAD; touch x",
    "$(touch x)",
    "`touch x`",
    "@{-1}",
    "@{upstream}",
    "HEAD@{1}",
    "HEAD@{now}",
    "main@{u}",
    "HEAD^{/first}",
    ":/first",
    ":a.txt",
    "HEAD:a.txt",
    "HEAD:../../outside/secret.txt",
    "^HEAD",
    "HEAD^!",
    "HEAD^@",
    "a..b..c",
    "..",
    "HEAD..",
    "../outside",
    "/etc/passwd",
    "nothere",
    "refs/heads/../../config",
    "config",
    "HEAD~99999999999",
    "x" * 100_000,
    "ä",
    "*",
]
OPTIONS = [":(top)..", ":(glob)**", ":!a.txt", ":^a.txt", ":/", ":", "--output=x", "-O", "--", "-"]
PATTERNS = ["*.txt", "a.tx?", "[a]*", "@", "./-O"]


@pytest.mark.parametrize("tool", ["git_diff", "git_log"])
async def test_no_hostile_revision_gets_through(repo: Path, tool: str) -> None:
    before = sorted(repo.iterdir())
    async with tools_in(repo) as (_, refused):
        for revision in REVISIONS:
            assert len(await refused(tool, revision=revision)) < 400
    assert sorted(repo.iterdir()) == before


async def test_a_path_is_never_an_option_or_a_pattern(repo: Path) -> None:
    (repo / "a.txt").write_text("changed\n", encoding="utf-8")
    before = sorted(repo.iterdir())
    async with tools_in(repo) as (ok, refused):
        for path in OPTIONS:
            for tool in ("git_diff", "git_log"):
                await refused(tool, path=path)
            await refused("git_commit", message="m", paths=[path])
        for path in PATTERNS:
            assert (await ok("git_diff", path=path)).startswith("No changes in")
            assert await ok("git_log", path=path) == "No commits for this."
            await refused("git_commit", message="m", paths=[path])
    assert sorted(repo.iterdir()) == before


async def test_status_diff_log_and_commit_tell_one_story(repo: Path) -> None:
    async with tools_in(repo) as (ok, refused):
        assert await ok("git_status") == "On branch main.\nNo changes."
        assert "No changes" in await ok("git_diff")
        (repo / "a.txt").write_text("one\nTWO\n", encoding="utf-8")
        (repo / "neu ü.txt").write_text("new\n", encoding="utf-8")
        assert await ok("git_status") == "On branch main.\nmodified: a.txt\nuntracked: neu ü.txt"
        assert "-two\n+TWO" in await ok("git_diff", path="a.txt")
        assert "Committed 2 files to main" in await ok("git_commit", message="-second\n\n# not a comment")
        assert "nothing to commit" in await refused("git_commit", message="again")
        log = (await ok("git_log")).splitlines()
        assert [line.rpartition(": ")[2] for line in log] == ["-second", "first"]
        assert "+TWO" in await ok("git_diff", revision="HEAD~1..HEAD")
        assert await ok("git_log", count=1, revision="HEAD~1") == log[1]
        git(repo, "branch", "feature/x", "HEAD~1")
        assert "+TWO" in await ok("git_diff", revision="feature/x..main")
        assert await ok("git_diff", revision="feature/x...feature/x", path="a.txt") != ""
    assert git(repo, "log", "-1", "--format=%B").strip() == "-second\n\n# not a comment"
    assert git(repo, "status", "--porcelain") == ""
    assert "commit: -second" in git(repo, "reflog")
    git(repo, "fsck", "--strict")


async def test_commit_of_paths_leaves_other_changes_as_they_were(repo: Path) -> None:
    for name in ("b.txt", "c.txt", "d.txt"):
        (repo / name).write_text(name, encoding="utf-8")
    git(repo, "add", "c.txt")
    (repo / "a.txt").unlink()
    async with tools_in(repo) as (ok, _):
        await ok("git_commit", message="some", paths=["a.txt", "b.txt"])
    assert git(repo, "show", "--name-status", "--format=", "HEAD") == "D\ta.txt\nA\tb.txt\n"
    assert git(repo, "status", "--porcelain") == "A  c.txt\n?? d.txt\n"


async def test_a_file_that_was_taken_out_of_git_and_is_ignored_stays_out(repo: Path) -> None:
    (repo / "secret.env").write_text("key", encoding="utf-8")
    git(repo, "add", "secret.env")
    git(repo, "commit", "-qm", "oops")
    git(repo, "rm", "-q", "--cached", "secret.env")
    (repo / ".gitignore").write_text("secret.env\n", encoding="utf-8")
    async with tools_in(repo) as (ok, _):
        assert "Committed 2 files" in await ok("git_commit", message="Stop tracking it")
    assert git(repo, "ls-tree", "--name-only", "HEAD") == ".gitignore\na.txt\n"
    assert git(repo, "status", "--porcelain") == "" and (repo / "secret.env").exists()


@pytest.mark.parametrize("where", [{}, {"paths": ["a.txt"]}], ids=["all", "paths"])
async def test_an_index_that_is_locked_is_refused_before_anything_is_committed(
    repo: Path, where: dict[str, list[str]]
) -> None:
    (repo / "a.txt").write_text("changed\n", encoding="utf-8")
    (repo / ".git/index.lock").touch()
    async with tools_in(repo) as (_, refused):
        assert "index.lock" in await refused("git_commit", message="none", **where)
    (repo / ".git/index.lock").unlink()
    assert git(repo, "log", "--format=%s") == "first\n"
    assert git(repo, "status", "--porcelain") == " M a.txt\n"


async def test_what_is_staged_stays_where_nothing_is_committed(repo: Path) -> None:
    git(repo, "rm", "-q", "--cached", "a.txt")
    async with tools_in(repo) as (_, refused):
        assert "nothing to commit" in await refused("git_commit", message="none")
    assert git(repo, "status", "--porcelain") == "D  a.txt\n?? a.txt\n"


async def test_first_commit_of_a_new_repository(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "run.sh").chmod(0o755)
    (folder / "ignored.log").write_text("x", encoding="utf-8")
    (folder / ".git/info/exclude").write_text("*.log\n", encoding="utf-8")
    async with tools_in(folder) as (ok, _):
        assert await ok("git_log") == "No commits yet."
        assert "to trunk" in await ok("git_commit", message="start")
    assert git(folder, "ls-files", "--stage").startswith("100755 ")
    assert "ignored.log" not in git(folder, "ls-files")


async def test_author_comes_from_the_repository_or_is_neutral(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(repo.parent))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    async with tools_in(repo) as (ok, _):
        (repo / "b").write_text("1", encoding="utf-8")
        await ok("git_commit", message="neutral")
        git(repo, "config", "user.name", "Ann")
        (repo / "b").write_text("2", encoding="utf-8")
        await ok("git_commit", message="named")
    assert git(repo, "log", "-2", "--format=%an") == "Ann\nA2IA\n"


async def test_inherited_git_variables_change_nothing(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = repo.parent / "outside"
    make_repository(other)
    marker = other / "ran"
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git/index"),
        "GIT_EXTERNAL_DIFF": f"touch {marker}",
        "GIT_PAGER": f"touch {marker}",
        "GIT_EDITOR": f"touch {marker}",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": f"touch {marker}",
        "GIT_EXEC_PATH": str(other),
        "GIT_TRACE": str(marker),
        "GIT_TRACE2": str(marker),
    }.items():
        monkeypatch.setenv(name, value)
    (repo / "a.txt").write_text("changed\n", encoding="utf-8")
    async with tools_in(repo) as (ok, _):
        assert "modified: a.txt" in await ok("git_status")
        assert "+changed" in await ok("git_diff")
        await ok("git_commit", message="m")
    assert not marker.exists()


def _link_out(git_folder: Path, outside: Path, name: str) -> None:
    place = git_folder / name
    place.rename(outside / "moved")
    place.symlink_to(outside / "moved")


def _git_file(git_folder: Path, outside: Path) -> None:
    git_folder.rename(outside / "git")
    git_folder.write_text(f"gitdir: {outside}/git\n", encoding="utf-8")


def _fifo(git_folder: Path, name: str) -> None:
    (git_folder / name).unlink()
    os.mkfifo(git_folder / name)


LEADING_OUT: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda folder, out: _link_out(folder, out, "."),
    "file": _git_file,
    "objects": lambda folder, out: _link_out(folder, out, "objects"),
    "refs": lambda folder, out: _link_out(folder, out, "refs"),
    "branch": lambda folder, out: _link_out(folder, out, "refs/heads/main"),
    "logs": lambda folder, out: _link_out(folder, out, "logs/HEAD"),
    "index": lambda folder, out: _link_out(folder, out, "index"),
    "config": lambda folder, out: _fifo(folder, "config"),
    "fifo for HEAD": lambda folder, out: _fifo(folder, "HEAD"),
    "alternates": lambda folder, out: (folder / "objects/info/alternates").write_text(f"{out}\n", encoding="utf-8"),
    "commondir": lambda folder, out: (folder / "commondir").write_text(f"{out}\n", encoding="utf-8"),
    "HEAD": lambda folder, out: (folder / "HEAD").write_text("ref: refs/heads/../../../x\n", encoding="utf-8"),
    "odd HEAD": lambda folder, out: (folder / "HEAD").write_text("ref: ../outside\n", encoding="utf-8"),
}


@pytest.mark.parametrize("way", LEADING_OUT)
async def test_a_git_folder_that_leads_outside_is_refused(repo: Path, way: str) -> None:
    outside, folder = repo.parent / "outside", repo / ".git"
    LEADING_OUT[way](folder, outside)
    before = {path: path.stat().st_mtime_ns for path in outside.rglob("*") if stat.S_ISREG(path.lstat().st_mode)}
    (repo / "b.txt").write_text("b", encoding="utf-8")
    async with tools_in(repo) as (_, refused):
        for tool in ("git_status", "git_diff", "git_log"):
            assert "execute_command" in await refused(tool)
        assert "execute_command" in await refused("git_commit", message="m")
    assert {path: path.stat().st_mtime_ns for path in before} == before


async def test_an_index_that_names_files_outside_is_refused(repo: Path) -> None:
    git(
        repo, "update-index", "--add", "--cacheinfo", f"100644,{git(repo, 'rev-parse', 'HEAD:a.txt').strip()},zz/secret"
    )
    index = repo / ".git/index"
    data = index.read_bytes().replace(b"zz/secret", b"../secret")[:-20]
    index.write_bytes(data + hashlib.sha1(data).digest())
    async with tools_in(repo) as (_, refused):
        assert "outside" in await refused("git_diff")


async def test_no_repository_and_a_folder_inside_one_are_said_in_words(repo: Path) -> None:
    (repo / "sub").mkdir()
    async with tools_in(repo / "sub") as (_, refused):
        assert "top folder" in await refused("git_status")
    async with tools_in(repo.parent) as (_, refused):
        assert "not a git repository" in await refused("git_log")


async def test_commits_that_would_lose_something_are_refused(repo: Path) -> None:
    (repo / "b.txt").write_text("b", encoding="utf-8")
    async with tools_in(repo) as (_, refused):
        (repo / ".git/MERGE_HEAD").write_text("x", encoding="utf-8")
        assert "merge" in await refused("git_commit", message="m")
        (repo / ".git/MERGE_HEAD").unlink()
        git(repo, "checkout", "-q", "--detach")
        assert "branch" in await refused("git_commit", message="m")
        git(repo, "checkout", "-q", "main")
        with (repo / "big").open("wb") as stream:
            stream.truncate(3_000_000_000)
        assert "3.0 GB" in await refused("git_commit", message="m")
