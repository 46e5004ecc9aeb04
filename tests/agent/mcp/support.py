"""What the tests of the MCP client side share: a toolbox that is closed again, and calls as the graph makes them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from mcp.server.mcpserver import MCPServer

from agent.mcp.config import ServerSpec
from agent.mcp.toolbox import Toolbox

FAULTY = Path(__file__).parent / "servers" / "faulty.py"


def faulty(mode: str, folder: Path, name: str = "faulty", **more: Any) -> ServerSpec:
    return ServerSpec(name, command=sys.executable, args=(str(FAULTY), mode, str(folder)), **more)


def inside(server: MCPServer[Any], name: str = "inside", *, builtin: bool = False) -> ServerSpec:
    return ServerSpec(name, server=server, builtin=builtin)


class Session:
    """An open toolbox, its warnings, and its tools by name."""

    def __init__(self, toolbox: Toolbox, warnings: list[str]) -> None:
        self.toolbox = toolbox
        self.warnings = warnings

    async def tool(self, name: str) -> BaseTool:
        return {tool.name: tool for tool in await self.toolbox.tools()}[name]

    async def call(self, name: str, /, **arguments: Any) -> ToolMessage:
        tool = await self.tool(name)
        message = await tool.ainvoke({"type": "tool_call", "id": "c1", "name": name, "args": arguments})
        assert isinstance(message, ToolMessage)
        return message


Open = Callable[..., AbstractAsyncContextManager[Session]]


@asynccontextmanager
async def session(tmp_path: Path, *specs: ServerSpec, **options: Any) -> AsyncIterator[Session]:
    warnings: list[str] = []
    async with asyncio.timeout(20):
        toolbox = Toolbox(specs, log_dir=tmp_path / "logs", on_warning=warnings.append, **options)
        async with toolbox:
            yield Session(toolbox, warnings)


def lives(folder: Path) -> list[int]:
    """The process ids that the faulty server has had."""
    path = folder / "lives"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


async def until(condition: Callable[[], object]) -> None:
    """Give another process time to leave its trace; bounded by the session's time-out."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
