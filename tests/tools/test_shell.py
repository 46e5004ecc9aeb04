import asyncio
import contextlib
import os
import time
from pathlib import Path

import psutil
import pytest
from mcp import Client

from tests.tools.support import tools_in
from tools.server import build_server


def _alive(folder: Path) -> list[psutil.Process]:
    """Give the processes that work in `folder`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


async def _all_gone(folder: Path) -> None:
    async with asyncio.timeout(5):
        while _alive(folder):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pwd; echo err >&2", "exit code 0\n{folder}\nerr"),
        ("exit 3", "exit code 3\n(no output)"),
        ("kill -9 $$", "killed by signal 9\n(no output)"),
        ("cat; read x || echo none", "exit code 0\nnone"),
        (r"printf '\033[31mred\033[0m\r\n\377\000'", "exit code 0\nred\n\ufffd"),
        ("--version", "exit code 127"),
        ("echo ${A2IA_API_KEY:-unset}", "exit code 0\nunset"),
    ],
)
async def test_exit_code_and_output(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, expected: str) -> None:
    monkeypatch.setenv("A2IA_API_KEY", "key")
    async with tools_in(folder) as (ok, _):
        assert (await ok("execute_command", command=command)).startswith(expected.format(folder=folder))


@pytest.mark.parametrize("command", ["job.py --fast", "./job.py --fast"])
async def test_a_file_that_can_not_be_run_by_its_name_says_how(folder: Path, command: str) -> None:
    (folder / "job.py").touch()
    async with tools_in(folder) as (ok, _):
        said = await ok("execute_command", command=command)
    assert said.endswith(f"[job.py is a file here: run it with python3 {command}]")


@pytest.mark.parametrize(
    ("command", "timeout"),
    [("", 5), ("  \n", 5), ("a\0b", 5), ("x" * 200_000, 5), ("ls", 0), ("ls", -1), ("ls", 601), ("ls", 10**12)],
)
async def test_commands_that_can_not_be_run_are_refused(folder: Path, command: str, timeout: int) -> None:
    async with tools_in(folder) as (_, refused):
        assert len(await refused("execute_command", command=command, timeout=timeout)) < 200


async def test_endless_output_is_bounded_and_shows_both_ends(folder: Path) -> None:
    async with tools_in(folder) as (ok, refused):
        text = await ok(
            "execute_command", command="echo first; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo last"
        )
        assert text.startswith("exit code 0\nfirst\n") and text.endswith("\nlast")
        assert "bytes left out" in text and len(text) < 6_100
        text = await refused("execute_command", command="yes", timeout=1)
        assert "ended after 1 second" in text and len(text) < 6_300


@pytest.mark.parametrize("command", ["sleep 60", "sleep 60 & sleep 60", "trap '' TERM; sleep 60; sleep 60"])
async def test_a_time_out_ends_the_whole_group(folder: Path, command: str) -> None:
    started = time.monotonic()
    async with tools_in(folder) as (_, refused):
        text = await refused("execute_command", command=f"echo begun; (setsid sleep 60 &); {command}", timeout=1)
    assert "begun" in text
    assert time.monotonic() - started < 6
    await _all_gone(folder)


async def test_what_stays_in_the_background_does_not_hold_up_the_result(folder: Path) -> None:
    started = time.monotonic()
    async with tools_in(folder) as (ok, _):
        text = await ok("execute_command", command="sleep 60 & echo done")
    assert text.startswith("exit code 0\ndone\n[background")
    assert time.monotonic() - started < 5
    await _all_gone(folder)


async def test_a_cancelled_call_ends_its_command_and_leaves_the_server_usable(folder: Path) -> None:
    async with Client(build_server(folder)) as client:
        call = asyncio.create_task(
            client.call_tool("execute_command", {"command": "touch begun; (sleep 60 &) ; sleep 60", "timeout": 50})
        )
        async with asyncio.timeout(10):
            while not (folder / "begun").exists():
                await asyncio.sleep(0.01)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            await _all_gone(folder)
            assert "begun" in str(await client.call_tool("list_directory", {}))


async def test_calls_run_side_by_side(folder: Path) -> None:
    os.mkfifo(folder / "meet")
    async with asyncio.timeout(20), Client(build_server(folder)) as client:
        commands = ["echo hello > meet", "cat meet"]
        results = await asyncio.gather(*(client.call_tool("execute_command", {"command": c}) for c in commands))
    assert "hello" in str(results[1])
