import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.tools.support import make_repository, tools_in
from tools.errors import ToolFailure
from tools.workspace import Workspace

PATHS = [
    "..",
    "../",
    "../outside/secret.txt",
    "./../outside/secret.txt",
    "src/../../outside/secret.txt",
    "src/../a.txt",
    "/etc/passwd",
    "//etc/passwd",
    "/",
    "{outside}/secret.txt",
    "{work}/../outside/secret.txt",
    "{work}evil/secret.txt",
    "/proc/self/environ",
    "/proc/self/cwd/../outside/secret.txt",
    "/dev/stdin",
    "/dev/zero",
    "~",
    "~/secret.txt",
    "~root/secret.txt",
    "$HOME/secret.txt",
    "${HOME}/secret.txt",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "http://localhost/x",
    "C:\\secret.txt",
    "C:/secret.txt",
    "c:secret.txt",
    "..\\outside\\secret.txt",
    "src\\..\\..\\outside",
    "\\\\server\\share",
    "%2e%2e/outside/secret.txt",
    "..%2foutside%2fsecret.txt",
    "%252e%252e%252foutside",
    "%2fetc%2fpasswd",
    "%c0%ae%c0%ae/x",
    "....//....//etc/passwd",
    "..;/x",
    "-rf",
    "--output=x",
    "a%00b",
    "\uff0e\uff0e/outside/secret.txt",
    "\u2025/outside/secret.txt",
    "..\uff0foutside",
    "a\x00b",
    "secret.txt\x00.py",
    "a\nb",
    "a\rb",
    "a\x1b[31mb",
    "a\x7fb",
    "a\u202etxt.exe",
    "a\u2066b",
    "a\u2028b",
    "a\ud800b",
    "",
    " ",
    "\t",
    "x" * 256,
    "x" * 5_000,
    "d/" * 3_000 + "x",
    "ü" * 200,
    "link_file",
    "link_folder",
    "link_folder/secret.txt",
    "link_dangling",
    "link_up/outside/secret.txt",
    "link_absolute/passwd",
    "link_relay/secret.txt",
    "loop",
    "loop/x",
    ".git",
    ".git/",
    ".git/config",
    ".git/hooks/pre-commit",
    ".GIT/config",
    ".Git/hooks/x",
    "src/.git/config",
    ".g\u200cit/config",
    "\uff0egit/config",
    ".git./config",
    ".git /config",
    "git~1/config",
    ".git::$INDEX_ALLOCATION/config",
    "link_git/config",
    "./.git/../.git/config",
    "fifo",
    "fifo/x",
    "socket",
    "a.txt/x",
]
TOOLS: dict[str, dict[str, object]] = {
    "list_directory": {},
    "read_file": {},
    "write_file": {"content": "pwned"},
    "edit_file": {"old": "TOP-SECRET", "new": "pwned"},
    "search_text": {"text": "TOP-SECRET"},
    "git_diff": {},
    "git_log": {},
    "git_commit": {"message": "m"},
}
FINE_FOR_GIT = {"fifo", "fifo/x", "socket", "a.txt/x"}


@pytest.fixture
def hostile(folder: Path) -> Iterator[Path]:
    make_repository(folder)
    (folder / "src").mkdir()
    outside = folder.parent / "outside"
    links: dict[str, Path | str] = {
        "link_file": outside / "secret.txt",
        "link_folder": outside,
        "link_dangling": outside / "new.txt",
        "link_up": "..",
        "link_absolute": "/etc",
        "link_relay": "link_folder",
        "link_git": ".git",
        "loop": "loop",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "fifo")
    with _socket(folder):
        yield folder


@contextmanager
def _socket(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(folder)
        try:
            server.bind("socket")
        finally:
            os.chdir(before)
        yield


def _outside(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (folder.parent / "outside").iterdir()}


@pytest.mark.parametrize("tool", TOOLS)
async def test_no_hostile_path_gets_through(hostile: Path, tool: str) -> None:
    before, config = sorted(hostile.iterdir()), (hostile / ".git/config").read_bytes()
    async with tools_in(hostile) as (ok, refused):
        for text in PATHS:
            path = text.format(outside=hostile.parent / "outside", work=hostile) if "{" in text[:1] else text
            where: dict[str, object] = {"paths": [path]} if tool == "git_commit" else {"path": path}
            call = ok if tool in ("git_diff", "git_log") and path in FINE_FOR_GIT else refused
            answer = await call(tool, **TOOLS[tool], **where)
            assert "TOP-SECRET" not in answer.replace("'TOP-SECRET'", "") and "root:" not in answer
            assert 10 < len(answer) < 600
            assert answer.replace("\n", "").isprintable()
    assert _outside(hostile) == {"secret.txt": "TOP-SECRET\n"}
    assert sorted(hostile.iterdir()) == before
    assert (hostile / ".git/config").read_bytes() == config


async def test_links_that_stay_inside_work(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real/a.txt").write_text("inside\n", encoding="utf-8")
    (folder / "relative").symlink_to("real/../real")
    (folder / "absolute").symlink_to(folder / "real")
    async with tools_in(folder) as (ok, _):
        assert await ok("read_file", path="relative/a.txt") == "inside\n"
        assert await ok("read_file", path="absolute/a.txt") == "inside\n"
        assert await ok("read_file", path=f"{folder}/real/a.txt") == "inside\n"
        await ok("write_file", path="absolute/b.txt", content="b")
        assert "real/a.txt" in await ok("search_text", text="inside", path="relative")
    assert (folder / "real/b.txt").read_text(encoding="utf-8") == "b"


async def test_writing_to_a_hard_link_leaves_the_file_outside_alone(folder: Path) -> None:
    (folder / "hard").hardlink_to(folder.parent / "outside/secret.txt")
    async with tools_in(folder) as (ok, _):
        await ok("write_file", path="hard", content="mine")
    assert _outside(folder) == {"secret.txt": "TOP-SECRET\n"}


async def test_a_bare_repository_under_another_name_is_not_written(folder: Path) -> None:
    make_repository(folder)
    (folder / ".git").rename(folder / "bare")
    async with tools_in(folder) as (_, refused):
        assert "git" in await refused("write_file", path="bare/hooks/post-commit", content="x")
        assert "git" in await refused("edit_file", path="bare/config", old="[core]", new="[x]")


def test_a_folder_swapped_for_a_link_while_in_use_never_leads_outside(folder: Path) -> None:
    outside, inside = folder.parent / "outside", folder / "swap"
    (folder / "kept").mkdir()
    (folder / "kept/secret.txt").write_text("harmless\n", encoding="utf-8")
    workspace, stop = Workspace(folder), threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for target in (outside, folder / "kept"):
                with suppress(OSError):
                    inside.unlink(missing_ok=True)
                    inside.symlink_to(target)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set[bytes]()
    try:
        for _ in range(2_000):
            with suppress(ToolFailure), workspace.reading("swap/secret.txt") as stream:
                seen.add(stream.read())
    finally:
        stop.set()
        thread.join(10)
    assert seen <= {b"harmless\n"}
