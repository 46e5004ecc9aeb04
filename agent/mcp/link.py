"""One live client of one MCP server, entered, held and left by one owner task."""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2
from mcp import Client, MCPError
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, CallToolResult, Tool
from pydantic import ValidationError

from agent.errors import McpServerError
from agent.mcp.config import ServerSpec
from agent.mcp.failures import explain, leaf, silent
from agent.mcp.http import HttpTransport
from agent.mcp.stdio import StdioTransport
from agent.mcp.tolerant import Tolerant
from tools.text import encodable

_MAX_PAGES = 100
_BACKSTOP = 10.0
_FATE_SECONDS = 1.0


class TransportLost(Exception):
    """The connection is gone; `sent` tells whether the server may have seen the request."""

    def __init__(self, sent: bool) -> None:
        super().__init__(sent)
        self.sent = sent


class CallRefused(Exception):
    """The server answered the call with an error, or with something that is not a result."""


class Link:
    """Opens the client at `open`; `settled` is set when it is ready or has failed, `dead` when it is of no more use."""

    def __init__(self, spec: ServerSpec, log: Path, start_timeout: float) -> None:
        self.settled = asyncio.Event()
        self.error: McpServerError | None = None
        self.tools: list[Tool] = []
        self.dead = False
        self.seconds = 0.0
        """How long the start took."""
        self._spec = spec
        self._log = log
        self._start_timeout = start_timeout
        self._client: Client | None = None
        self._transport = self._new_transport()
        self._over = asyncio.Event()
        self._left = asyncio.Event()
        self._scope = anyio.CancelScope()
        self._never_sent = False

    def open(self) -> "asyncio.Task[None]":
        """Start the owner task and return it."""
        return asyncio.create_task(self._own(), name=f"mcp-{self._spec.name}")

    def close(self) -> None:
        """Ask the owner to leave; a start under way is broken off."""
        self._over.set()
        if not self.settled.is_set():
            self._scope.cancel()

    async def call(self, tool: str, arguments: dict[str, Any], timeout: float) -> CallToolResult:
        """Call a tool; raises `TransportLost`, `CallRefused`, or TimeoutError."""
        if self.dead or self._client is None:
            raise TransportLost(sent=False)
        try:
            # The SDK's own limit starts after the write, which a server that reads nothing can block for ever.
            with anyio.fail_after(timeout + _BACKSTOP):
                return await self._client.call_tool(tool, _sendable(arguments), read_timeout_seconds=timeout)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED and isinstance(self._transport, HttpTransport):
                # Why it closed is known once the owner has left; a lost response stream alone does not end it.
                with anyio.move_on_after(_FATE_SECONDS):
                    await self._left.wait()
            raise self._translate(error) from error
        except (RuntimeError, ValidationError) as error:
            # The SDK's complaint about a result that does not fit the tool's own output schema, or the protocol.
            raise CallRefused(f"The reply is not a valid result: {' '.join(str(error).split())[:300]}") from error

    def _translate(self, error: MCPError) -> Exception:
        if error.code == REQUEST_TIMEOUT:
            return TimeoutError()
        if error.code == CONNECTION_CLOSED:
            return TransportLost(sent=not self._never_sent)
        if error.message == "Session terminated":
            # HTTP 404: the server forgot the session (a restart), so it did not run the call.
            self._end()
            return TransportLost(sent=False)
        return CallRefused(error.message or f"error {error.code}")

    async def _own(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        target: Any = Tolerant(self._transport.connect()) if self._transport else self._spec.server
        timer = loop.call_later(self._start_timeout, self._give_up)
        try:
            with self._scope:
                async with Client(target, cache=None) as client:
                    self.tools = await _list_tools(client)
                    self._client = client
                    timer.cancel()
                    self.seconds = loop.time() - began
                    self.settled.set()
                    await self._over.wait()
        except Exception as error:  # whatever a transport throws must not reach another task
            self._never_sent = isinstance(leaf(error), httpx2.ConnectError | httpx2.ConnectTimeout)
            self.error = self.error or explain(error, self._spec, self._log, self._transport)
        finally:
            timer.cancel()
            self.dead = True
            self.seconds = self.seconds or loop.time() - began
            self.settled.set()
            self._left.set()

    def _give_up(self) -> None:
        self.error = silent(self._spec, self._log, self._transport, self._start_timeout)
        self.seconds = self._start_timeout
        self.dead = True
        self.settled.set()
        self._scope.cancel()

    def _end(self) -> None:
        self.dead = self.settled.is_set()
        self._over.set()

    def _new_transport(self) -> StdioTransport | HttpTransport | None:
        if self._spec.server is not None:
            return None
        return StdioTransport(self._spec, self._log, self._end) if self._spec.command else HttpTransport(self._spec)


def _sendable(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments without half characters, which models write at times, and which end a connection."""
    text = json.dumps(arguments, ensure_ascii=False)
    whole = encodable(text)
    return arguments if whole == text else cast("dict[str, Any]", json.loads(whole))


async def _list_tools(client: Client) -> list[Tool]:
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools
