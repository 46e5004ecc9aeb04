import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from agent.react.examples import BUILT_IN
from tests.tools.support import tools_in
from tools.errors import ToolFailure
from tools.server import build_server, main

PROGRAM = [sys.executable, "-m", "tools.server"]
ROOT = Path(__file__).resolve().parents[2]
READ_ONLY = {"list_directory", "read_file", "search_text", "git_status", "git_diff", "git_log"}
VALUES: list[object] = [None, True, False, -1, 0, 2**70, 1.5, float("inf"), "x", "", [], ["a"], [1], {}, {"a": 1}, [[]]]


async def test_the_tools_are_few_small_and_honestly_marked(folder: Path) -> None:
    async with Client(build_server(folder)) as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools if tool.annotations and tool.annotations.read_only_hint] == sorted(
        READ_ONLY, key=[tool.name for tool in tools].index
    )
    [shell] = [tool for tool in tools if tool.name == "execute_command"]
    assert shell.annotations and shell.annotations.destructive_hint and shell.annotations.open_world_hint
    text = json.dumps([[tool.name, tool.description, tool.input_schema] for tool in tools])
    assert len(tools) == 10 and len(text) < 2_700
    assert {tool.name for tool in tools} == BUILT_IN, "the examples in prompts go by these names"
    for tool in tools:
        assert tool.output_schema is None and tool.description and "\n" not in tool.description


@pytest.mark.parametrize("tool", sorted(READ_ONLY | {"write_file", "edit_file", "git_commit", "execute_command"}))
async def test_arguments_of_any_kind_give_a_sentence(folder: Path, tool: str) -> None:
    async with Client(build_server(folder)) as client:
        schema = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}[tool]
        good: dict[str, object] = dict.fromkeys(schema.get("required", []), "true")
        for name in schema["properties"]:
            for value in VALUES:
                result = await client.call_tool(tool, {**good, name: value})
                text = str(result.content)
                assert "Traceback" not in text and "Error executing" not in text and "pydantic" not in text
        for arguments in ({**good, "extra": 1}, {**good, "": 1}, {**good, "x" * 10_000: 1}):
            result = await client.call_tool(tool, arguments)
            assert result.is_error and f"{tool} has no argument" in str(result.content)


async def test_what_small_models_write_is_understood(folder: Path) -> None:
    (folder / "f").write_text("a\nb\n", encoding="utf-8")
    async with tools_in(folder) as (ok, refused):
        assert await ok("read_file", path="f", start_line="2", end_line=None) == "[lines 2-2 of 2]\nb\n"
        assert await ok("search_text", text="a", regex="false") == "f:1: a"
        assert "start_line must be a whole number" in await refused("read_file", path="f", start_line="two")
        assert await refused("read_file") == "read_file needs the argument path: it takes path, start_line, end_line."
        assert "use list_directory, read_file" in await refused("open_file", path="f")


async def test_building_a_server_leaves_logging_alone(folder: Path) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    build_server(folder)
    assert (root.handlers[:], root.level) == before


def test_a_workspace_that_is_no_folder_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ToolFailure, match="not a folder"):
        build_server(folder / "nothere")
    assert main(["--workspace", str(folder / "nothere")]) == 2
    assert "--workspace" in capsys.readouterr().err


def test_help_is_fast_because_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, tools.server\ntry: tools.server.main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'mcp', 'pydantic', 'anyio', 'asyncio'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "example:" in done.stdout


async def test_the_program_serves_over_stdio(folder: Path) -> None:
    parameters = StdioServerParameters(
        command=PROGRAM[0], args=[*PROGRAM[1:], "--workspace", str(folder)], cwd=ROOT, env={"PATH": os.environ["PATH"]}
    )
    async with asyncio.timeout(40), Client(parameters) as client:
        await client.call_tool("write_file", {"path": "a.txt", "content": "hello"})
        result = await client.call_tool("execute_command", {"command": "cat a.txt; echo stray >/dev/stderr"})
        assert "exit code 0\\nhellostray" in str(result.content)
        result = await client.call_tool("read_file", {"path": "../x"})
        assert result.is_error and "'..'" in str(result.content)


async def test_lines_that_are_no_requests_are_answered_and_do_not_end_the_program(folder: Path) -> None:
    start = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    call = '{"jsonrpc": "2.0", "id": %d, "method": "tools/call", "params": '
    call += '{"name": "read_file", "arguments": {"path": %s}}}'
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": start}),
        '{"jsonrpc": "2.0", "method": "notifications/initialized"}',
        "nonsense",
        call % (2, '"a\\ud800b"'),
        call % (3, "[" * 5_000 + "]" * 5_000),
        call % (4, r'"\\ud800 \ud83d\ude00"'),
        call % (5, '"none.txt"'),
    ]
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "--workspace", str(folder), cwd=ROOT, stdin=-1, stdout=-1, stderr=-1
    )
    assert process.stdin and process.stdout
    answers = dict[int, str]()
    async with asyncio.timeout(40):
        process.stdin.write("\n".join([*lines, ""]).encode())
        while len(answers) < 5:
            line = (await process.stdout.readline()).decode()
            answers[json.loads(line).get("id")] = line
        process.stdin.close()
        await process.communicate()
    assert process.returncode == 0
    assert "half a character" in answers[2] and "error" in answers[3] and "backslash" in answers[4]
    assert "does not exist" in answers[5]


async def test_the_program_serves_over_http_and_ends_its_commands_with_itself(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "--workspace", str(folder), "--transport", "http", "--port", "0", cwd=ROOT, stderr=-1
    )
    assert process.stderr
    async with asyncio.timeout(40):
        line = (await process.stderr.readline()).decode()
        assert line.startswith("Serving MCP at http://127.0.0.1:")
        async with Client(line.split()[3]) as client:
            (folder / "a.txt").write_text("hello", encoding="utf-8")
            assert "hello" in str((await client.call_tool("read_file", {"path": "a.txt"})).content)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
