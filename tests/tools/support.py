import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from mcp import Client
from mcp_types import TextContent

from tools.server import build_server

Call = Callable[..., Awaitable[str]]

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(folder: Path, *arguments: str) -> str:
    """Run git as the user of a test would, apart from the settings of whoever runs the tests."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=GIT_ENVIRONMENT, capture_output=True, check=True, timeout=20
    )
    return done.stdout.decode()


def make_repository(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\ntwo\n", encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")


@asynccontextmanager
async def tools_in(folder: Path) -> AsyncIterator[tuple[Call, Call]]:
    """Give two ways to call a tool: one for calls that must succeed, one for calls that must be refused."""
    async with Client(build_server(folder), read_timeout_seconds=30) as client:

        async def answer(expected: bool, tool: str, arguments: dict[str, object]) -> str:
            result = await client.call_tool(tool, arguments)
            [content] = result.content
            assert isinstance(content, TextContent)
            assert result.is_error is expected, (tool, arguments, content.text)
            assert "Traceback" not in content.text
            return content.text

        async def ok(tool: str, **arguments: object) -> str:
            return await answer(False, tool, arguments)

        async def refused(tool: str, **arguments: object) -> str:
            return await answer(True, tool, arguments)

        yield ok, refused
