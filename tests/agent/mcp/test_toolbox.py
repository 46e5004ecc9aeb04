"""A session's servers: opened together, called from any task, closed together."""

import asyncio
from pathlib import Path

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

from agent.config import Settings
from agent.errors import UsageError
from agent.mcp.config import ServerSpec
from agent.mcp.servers import server_specs
from agent.mcp.toolbox import Toolbox
from tests.agent.mcp.support import alive, faulty, inside, lives, session, until
from tools.shell import MAX_TIMEOUT_S


def calculator() -> MCPServer:
    server = MCPServer("calculator")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    return server


async def test_a_tool_of_a_server_in_this_process_answers(tmp_path: Path) -> None:
    async with session(tmp_path, inside(calculator())) as open_session:
        message = await open_session.call("add", a=1, b=2)
    assert (message.content, message.status) == ("3", "success")
    assert message.artifact == {"truncated": False, "warning": None}


async def test_a_tool_of_a_program_answers(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("ok", tmp_path)) as open_session:
        message = await open_session.call("echo", text="hi")
    assert (message.content, message.status) == ("echo hi", "success")


async def test_every_page_of_the_tool_list_is_read(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("ok", tmp_path)) as open_session:
        names = [tool.name for tool in await open_session.toolbox.tools()]
    assert names == ["echo", "big", "wait", "die", "die_safely", "die_idempotently", "env", "raw", "buy"]


async def test_a_tool_is_described_to_a_model_with_its_own_schema(tmp_path: Path) -> None:
    async with session(tmp_path, inside(calculator())) as open_session:
        described = convert_to_openai_tool(await open_session.tool("add"))["function"]
    assert (described["name"], described["description"]) == ("add", "Add two numbers.")
    assert described["parameters"]["required"] == ["a", "b"]


async def test_start_waits_for_no_server(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("hangs", tmp_path), inside(calculator())) as open_session:
        assert [server.state for server in open_session.toolbox.status()] == ["starting", "starting"]


async def test_a_ready_server_tells_its_tool_count_and_start_time(tmp_path: Path) -> None:
    async with session(tmp_path, inside(calculator())) as open_session:
        await open_session.toolbox.tools()
        (status,) = open_session.toolbox.status()
    assert (status.name, status.state, status.error, status.tools) == ("inside", "ready", "", 1)
    assert status.seconds > 0
    assert open_session.toolbox.status()[0].state == "closed"


async def test_start_calls_and_stop_may_come_from_different_tasks(tmp_path: Path) -> None:
    toolbox = Toolbox([faulty("ok", tmp_path), inside(calculator())], log_dir=tmp_path)

    async def start() -> None:
        toolbox.start()

    async with asyncio.timeout(20):
        await asyncio.create_task(start())
        tools = {tool.name: tool for tool in await asyncio.create_task(toolbox.tools())}
        calls = [asyncio.create_task(tools["echo"].ainvoke({"text": str(number)})) for number in range(20)]
        assert await asyncio.gather(*calls) == [f"echo {number}" for number in range(20)]
        await asyncio.create_task(toolbox.stop())
    assert not alive(lives(tmp_path))


async def test_stop_may_be_called_twice_and_before_start(tmp_path: Path) -> None:
    toolbox = Toolbox([inside(calculator())], log_dir=tmp_path)
    async with asyncio.timeout(5):
        await toolbox.stop()
        toolbox.start()
        await toolbox.stop()
        await toolbox.stop()


async def test_the_program_gets_the_variables_of_its_entry_and_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A2IA_SECRET", "ours")
    async with session(tmp_path, faulty("ok", tmp_path, env={"TOKEN": "theirs"})) as open_session:
        assert (await open_session.call("env", text="TOKEN")).content == "theirs"
        assert (await open_session.call("env", text="A2IA_SECRET")).content == "unset"


async def test_two_servers_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Two MCP servers are named 'inside'"):
        Toolbox([inside(calculator()), inside(calculator())], log_dir=tmp_path)


async def test_a_cancelled_call_is_cancelled_on_the_server_and_leaves_it_usable(tmp_path: Path) -> None:
    async with session(tmp_path, faulty("ok", tmp_path)) as open_session:
        call = asyncio.create_task(open_session.call("wait"))
        await until((tmp_path / "waiting").exists)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until((tmp_path / "cancelled").exists)
        assert (await open_session.call("echo", text="still here")).content == "echo still here"
    assert len(lives(tmp_path)) == 1


async def test_a_cancelled_call_in_this_process_leaves_the_server_usable(tmp_path: Path) -> None:
    server, started, stopped = calculator(), asyncio.Event(), asyncio.Event()

    @server.tool()
    async def sleep() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    async with session(tmp_path, inside(server)) as open_session:
        call = asyncio.create_task(open_session.call("sleep"))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert stopped.is_set()
        assert (await open_session.call("add", a=1, b=1)).content == "2"


async def test_a_call_after_stop_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    async with session(tmp_path, inside(calculator())) as open_session:
        tool = await open_session.tool("add")
    message = await tool.ainvoke({"type": "tool_call", "id": "c1", "name": "add", "args": {"a": 1, "b": 1}})
    assert message.status == "error"
    assert "'inside' is closed" in message.content


def test_a_server_is_a_program_or_a_url_or_an_object_and_only_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exactly one"):
        ServerSpec("two", command="x", url="http://localhost")
    with pytest.raises(UsageError, match="exactly one"):
        ServerSpec("none")


def test_a_command_may_take_the_time_that_its_tool_allows(tmp_path: Path) -> None:
    *_, spec = server_specs(Settings(workspace=tmp_path), tmp_path, lambda text: None)
    assert spec.timeout is not None and spec.timeout > MAX_TIMEOUT_S
