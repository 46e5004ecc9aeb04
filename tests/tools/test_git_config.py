import shutil
from pathlib import Path

import pytest

from tests.tools.support import git, make_repository, tools_in

ATTACKS = {
    "fsmonitor": "[core]\nfsmonitor = {run}",
    "hooks": "[core]\nhooksPath = {hooks}",
    "external diff": "[diff]\nexternal = {run}",
    "diff driver": '[diff "evil"]\ncommand = {run}\ntextconv = {run}\n',
    "clean": '[filter "evil"]\nclean = {run}\nsmudge = {run}\nrequired = true',
    "process": '[filter "evil"]\nprocess = {run}\nrequired = true',
    "filter with dots": '[filter "a.b"]\nclean = {run}',
    "pager": "[core]\npager = {run}\n[pager]\nlog = {run}\ndiff = {run}\nstatus = {run}",
    "editor": "[core]\neditor = {run}\n[sequence]\neditor = {run}",
    "signing": "[commit]\ngpgSign = true\n[gpg]\nprogram = {run}\n[log]\nshowSignature = true",
    "ssh signing": '[commit]\ngpgSign = true\n[gpg]\nformat = ssh\n[gpg "ssh"]\nprogram = {run}\n'
    "defaultKeyCommand = {run}",
    "aliases": '[alias]\nstatus = "!{run}"\nlog = "!{run}"\ndiff = "!{run}"\nupdate-index = "!{run}"',
    "include": "[include]\npath = {include}",
    "include if": '[includeIf "gitdir:**"]\npath = {include}',
    "work tree": "[core]\nworktree = {outside}",
    "bare": "[core]\nbare = true",
    "attributes file": '[core]\nattributesFile = {attributes}\n[filter "evil"]\nclean = {run}',
    "ssh": "[core]\nsshCommand = {run}\ngitProxy = {run}\naskPass = {run}",
    "credentials": "[credential]\nhelper = !{run}",
    "merge driver": '[merge "evil"]\ndriver = {run}',
    "promisor": '[extensions]\npartialClone = o\n[remote "o"]\nurl = ext::{run}\npromisor = true\n'
    "[protocol]\nallow = always",
    "trailers": '[trailer "x"]\ncommand = {run}\ncmd = {run}',
    "trace": "[trace2]\neventTarget = {marker}\nnormalTarget = {marker}",
    "template": "[init]\ntemplateDir = {hooks}\n[commit]\ntemplate = /etc/passwd",
    "maintenance": "[gc]\nauto = 1\n[maintenance]\nauto = true\n[core]\nalternateRefsCommand = {run}",
    "submodules": "[status]\nsubmoduleSummary = true\n[diff]\nsubmodule = log\nignoreSubmodules = none",
    "worktree config": "[extensions]\nworktreeConfig = true",
}
ATTRIBUTES = "*.txt filter=evil diff=evil merge=evil\n*.md filter=a.b diff=evil\n"
HOOKS = ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "reference-transaction", "post-index-change")


def _script(path: Path, marker: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho $0 >> {marker}\ncat\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def arsenal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository whose hooks, attributes and submodule run a program where git is careless."""
    base = tmp_path_factory.mktemp("arsenal")
    repo = base / "work"
    repo.mkdir()
    make_repository(repo)
    marker = base / "ran"
    for hook in HOOKS:
        _script(repo / ".git/hooks" / hook, marker)
    (repo / ".gitattributes").write_text(ATTRIBUTES, encoding="utf-8")
    (repo / ".git/info/attributes").write_text(ATTRIBUTES, encoding="utf-8")
    sub = repo / "sub"
    sub.mkdir()
    git(sub, "init", "-q", "-b", "main")
    (sub / "s.txt").write_text("s", encoding="utf-8")
    git(sub, "add", "-A")
    git(sub, "commit", "-q", "-m", "s")
    commit = git(sub, "rev-parse", "HEAD").strip()
    git(repo, "-c", "core.hooksPath=/dev/null", "update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    modules = '[submodule "sub"]\npath = sub\nurl = ./sub\nignore = none\nupdate = !touch x\n'
    (repo / ".gitmodules").write_text(modules, encoding="utf-8")
    run = _script(repo.parent / "evil.sh", marker)
    (sub / ".git/config").write_text(f"[core]\nfsmonitor = {run}\n", encoding="utf-8")
    (sub / "s.txt").write_text("changed", encoding="utf-8")
    (repo / ".git/config.worktree").write_text(f"[core]\nfsmonitor = {run}\n", encoding="utf-8")
    return base


@pytest.mark.parametrize("attack", ATTACKS)
async def test_nothing_that_the_repository_names_is_run(folder: Path, arsenal: Path, attack: str) -> None:
    shutil.copytree(arsenal / "work", folder, symlinks=True, dirs_exist_ok=True)
    marker, run = arsenal / "ran", arsenal / "evil.sh"
    include = folder / "included"
    include.write_text(f'[core]\nfsmonitor = {run}\n[filter "evil"]\nclean = {run}\n', encoding="utf-8")
    attributes = folder / "more-attributes"
    attributes.write_text(ATTRIBUTES, encoding="utf-8")
    text = ATTACKS[attack].format(
        run=run,
        hooks=folder / ".git/hooks",
        include=include,
        attributes=attributes,
        outside=folder.parent / "outside",
        marker=marker,
    )
    with (folder / ".git/config").open("a", encoding="utf-8") as stream:
        stream.write(f"\n{text}\n")
    (folder / "a.txt").write_text("changed\n", encoding="utf-8")
    (folder / "b.md").write_text("new\n", encoding="utf-8")
    marker.unlink(missing_ok=True)
    async with tools_in(folder) as (ok, refused):
        assert "modified: a.txt" in await ok("git_status")
        assert "+changed" in await ok("git_diff")
        assert "first" in await ok("git_log")
        if "filter" in attack or attack in ("clean", "process", "attributes file"):
            assert "filter" in await refused("git_commit", message="m", paths=["a.txt", "b.md"])
        else:
            assert "Committed 2 files" in await ok("git_commit", message="m", paths=["a.txt", "b.md"])
            assert "Committed" in await ok("git_commit", message="rest")
    assert not marker.exists(), marker.read_text(encoding="utf-8")


async def test_a_program_called_git_in_the_workspace_is_not_run(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = repo.parent / "ran"
    _script(repo / "bin/git", marker)
    monkeypatch.setenv("PATH", f"{repo}/bin:bin:.:{Path('/usr/local/bin')}:/usr/bin:/bin")
    async with tools_in(repo) as (ok, _):
        await ok("git_status")
    assert not marker.exists()


async def test_settings_that_change_how_files_are_stored_are_kept(repo: Path) -> None:
    git(repo, "config", "core.autocrlf", "true")
    git(repo, "config", "core.fileMode", "false")
    (repo / "a.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    (repo / "a.txt").chmod(0o755)
    async with tools_in(repo) as (ok, _):
        diff = await ok("git_diff")
        assert "+three" in diff and "-one" not in diff and "old mode" not in diff
        await ok("git_commit", message="m")
    assert git(repo, "show", "HEAD:a.txt") == "one\ntwo\nthree\n"
