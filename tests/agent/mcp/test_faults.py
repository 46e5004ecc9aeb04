"""Servers that fail: one sentence with the way out, no hang, no traceback, no process left behind."""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.mcp.config import ServerSpec
from tests.agent.mcp.support import alive, faulty, lives, session, until


async def failure(tmp_path: Path, spec: ServerSpec, start_timeout: float = 10.0) -> str:
    """Open one server that fails to start and return what the user is told, which is said exactly once."""
    async with session(tmp_path, spec, start_timeout=start_timeout) as open_session:
        assert await open_session.toolbox.tools() == []
        (status,) = open_session.toolbox.status()
        assert status.state == "failed"
        await until(lambda: open_session.warnings)
        assert open_session.warnings == [status.error]
    assert "\n" not in status.error
    assert "Traceback" not in status.error
    return status.error


async def test_a_server_that_exits_at_start_is_named_with_its_code_its_words_and_its_log(tmp_path: Path) -> None:
    said = await failure(tmp_path, faulty("dies", tmp_path))
    assert "MCP server 'faulty' stopped with exit code 1 before it was ready (error: no API key)." in said
    assert str(tmp_path / "logs" / "faulty.log") in said


async def test_a_server_that_hangs_at_start_is_given_up_after_its_time_and_killed(tmp_path: Path) -> None:
    said = await failure(tmp_path, faulty("hangs", tmp_path), start_timeout=0.5)
    assert "'faulty' was not ready after 0.5 s." in said
    assert "startTimeout" in said
    assert not alive(lives(tmp_path))


async def test_a_server_may_set_its_own_start_time(tmp_path: Path) -> None:
    said = await failure(tmp_path, faulty("hangs", tmp_path, start_timeout=0.4))
    assert "was not ready after 0.4 s" in said


async def test_a_server_that_prints_only_text_is_told_by_its_text(tmp_path: Path) -> None:
    said = await failure(tmp_path, faulty("noise", tmp_path), start_timeout=0.7)
    assert "it prints text that is not MCP: 'Welcome to my server!'" in said


async def test_text_between_the_messages_goes_to_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with session(tmp_path, faulty("garbage", tmp_path)) as open_session:
            assert (await open_session.call("echo", text="hi")).content == "echo hi"
    assert "not MCP on standard output: Listening on stdio" in (tmp_path / "logs" / "faulty.log").read_text()
    assert not [record for record in caplog.records if record.exc_info]


RESULT = '{"jsonrpc": "2.0", "id": ID, "result": {"content": [{"type": "text", "text": "TEXT"}]}}'


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"half \ud83d", "half \ufffd"),
        (r"\\ud83d \ud83d\ude00", "\\ud83d \U0001f600"),
        ("Straße", "Stra\ufffde"),
    ],
    ids=["half a character", "whole ones", "Latin-1"],
)
async def test_a_result_with_half_characters_or_other_bytes_is_read(tmp_path: Path, written: str, read: str) -> None:
    async with session(tmp_path, faulty("ok", tmp_path), call_timeout=10) as open_session:
        assert (await open_session.call("raw", text=RESULT.replace("TEXT", written))).content == read


@pytest.mark.parametrize(
    "written",
    ['"id": ID, "result": {"content": NaN oops}', '"result": [{"id": 7}], "id": ID'],
    ids=["no JSON", "a list"],
)
async def test_a_result_that_is_none_is_an_error_at_once(tmp_path: Path, written: str) -> None:
    async with session(tmp_path, faulty("ok", tmp_path), call_timeout=10) as open_session:
        message = await open_session.call("raw", text=f'{{"jsonrpc": "2.0", {written}}}')
    assert message.status == "error" and "cannot be read" in str(message.content)


async def test_half_a_character_in_an_argument_does_not_end_the_connection(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("ok", tmp_path)) as open_session:
        assert (await open_session.call("echo", text="half \ud83d")).content == "echo half ?"
        assert len(lives(tmp_path)) == 1


async def test_a_program_that_is_not_there_is_named_with_the_file_to_correct(tmp_path: Path) -> None:
    spec = ServerSpec("files", command="no-such-program", source=Path("/p/.mcp.json"))
    assert await failure(tmp_path, spec) == (
        "MCP server 'files' cannot be started: the program 'no-such-program' was not found. "
        "Install it, or correct its command in /p/.mcp.json."
    )


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    spec = ServerSpec("files", command=sys.executable, cwd=tmp_path / "gone")
    assert f"its folder {tmp_path / 'gone'} does not exist" in await failure(tmp_path, spec)


async def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch(mode=0o600)
    spec = ServerSpec("files", command=str(tmp_path / "notes.txt"))
    assert "cannot be run (Permission denied)" in await failure(tmp_path, spec)


async def test_one_bad_server_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    good, bad = faulty("ok", tmp_path, "good"), faulty("dies", tmp_path, "bad")
    async with session(tmp_path, bad, good) as open_session:
        assert (await open_session.call("echo", text="hi")).content == "echo hi"
        assert [status.state for status in open_session.toolbox.status()] == ["failed", "ready"]


async def test_a_server_that_ignores_everything_is_gone_in_time_with_its_children(tmp_path: Path) -> None:
    specs = [faulty("stubborn", tmp_path, f"s{number}") for number in range(3)]
    async with session(tmp_path, *specs) as open_session:
        await open_session.toolbox.tools()
        await until(lambda: len(lives(tmp_path)) == 6)
        assert len(alive(lives(tmp_path))) == 6
        loop = asyncio.get_running_loop()
        began = loop.time()
        await open_session.toolbox.stop()
        assert loop.time() - began < 5
    assert not alive(lives(tmp_path))


async def test_stop_breaks_off_a_start_that_hangs(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("hangs", tmp_path)) as open_session:
        waiting = asyncio.create_task(open_session.toolbox.tools())
        await until(lambda: lives(tmp_path))
        await open_session.toolbox.stop()
        assert await waiting == []
    assert open_session.warnings == []
    assert not alive(lives(tmp_path))


async def test_a_server_that_dies_in_a_call_that_may_have_worked_is_not_asked_again(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("once", tmp_path)) as open_session:
        message = await open_session.call("die")
        assert message.status == "error"
        assert "went away during die; whether it took effect is unknown" in message.content
        assert message.artifact["warning"] == message.content
        assert len(open_session.warnings) == 1
        assert (tmp_path / "calls").read_text() == "die\n"
        assert (await open_session.call("echo", text="again")).content == "echo again"
    assert len(lives(tmp_path)) == 2


@pytest.mark.parametrize("tool", ["die_safely", "die_idempotently"])
async def test_a_call_that_may_be_repeated_is_repeated_on_a_new_client(tmp_path: Path, tool: str) -> None:
    async with session(tmp_path, faulty("once", tmp_path)) as open_session:
        message = await open_session.call(tool, text="x")
        assert (message.content, message.status) == (f"{tool} x", "success")
        assert open_session.warnings == []
    assert len(lives(tmp_path)) == 2


async def test_a_server_that_dies_again_is_an_error_to_the_model_and_a_warning_to_the_user(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("ok", tmp_path)) as open_session:
        message = await open_session.call("die_safely")
        assert (message.content, message.status) == ("MCP server 'faulty' went away.", "error")
        assert message.artifact == {"truncated": False, "warning": "MCP server 'faulty' went away."}
        assert open_session.warnings == [f"MCP server 'faulty' went away. Read its log {tmp_path / 'logs/faulty.log'}."]
    assert len(lives(tmp_path)) == 2


async def test_a_server_found_dead_before_a_call_is_restarted_and_asked_whatever_the_tool(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("once", tmp_path)) as open_session:
        await open_session.call("die")
        await until(lambda: open_session.toolbox.status()[0].state == "failed")
        assert (await open_session.call("die", text="now")).content == "die now"


async def test_calls_in_flight_when_a_server_dies_share_one_new_client(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("once", tmp_path)) as open_session:
        calls = [asyncio.create_task(open_session.call("die_safely", text=str(number))) for number in range(5)]
        messages = await asyncio.gather(*calls)
    assert [message.content for message in messages] == [f"die_safely {number}" for number in range(5)]
    assert len(lives(tmp_path)) == 2


async def test_a_call_that_never_answers_ends_after_the_servers_time(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("ok", tmp_path, timeout=0.5, start_timeout=10.0)) as open_session:
        message = await open_session.call("wait")
        assert message.status == "error"
        assert "wait did not finish within 0.5 s" in message.content
        assert (await open_session.call("echo", text="hi")).content == "echo hi"
    assert len(lives(tmp_path)) == 1


async def test_a_result_of_100_mb_is_cut_to_the_given_size(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("ok", tmp_path), max_result_chars=1000) as open_session:
        message = await open_session.call("big", text="100000000")
    assert message.artifact == {"truncated": True, "warning": None}
    assert "[... 99999000 of 100000000 characters left out here;" in message.content
    assert len(message.content) < 1200


@pytest.mark.parametrize(
    "broken",
    [
        {"name": "bad"},
        {"name": "bad", "inputSchema": None},
        {"name": "bad", "inputSchema": {}},
        {"name": "bad", "inputSchema": {"type": "object", "properties": 7}},
        {"name": "bad", "inputSchema": {"type": "object"}, "outputSchema": 1, "description": 2},
    ],
)
async def test_a_malformed_tool_does_not_take_the_others_of_its_server_with_it(
    tmp_path: Path, broken: dict[str, Any]
) -> None:
    (tmp_path / "extra.json").write_text(json.dumps([broken, {"title": "no name"}, 5]))
    async with session(tmp_path, faulty("ok", tmp_path)) as open_session:
        assert (await open_session.call("echo", text="hi")).content == "echo hi"
        assert (await open_session.call("bad", a=1)).content == "bad "
        assert open_session.warnings == [
            "Tool 'bad' of MCP server 'faulty' has an invalid schema; its arguments are not checked before a call."
        ]


@pytest.mark.parametrize("rounds", range(5))
async def test_stop_right_after_start_leaves_no_process(tmp_path: Path, rounds: int) -> None:
    async with session(tmp_path, faulty("hangs", tmp_path)):
        for _ in range(rounds):
            await asyncio.sleep(0)
    children = [c for c in psutil.Process().children(recursive=True) if c.status() != psutil.STATUS_ZOMBIE]
    assert [child for child in children if "faulty.py" in " ".join(child.cmdline())] == []
