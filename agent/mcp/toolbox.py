"""Every MCP server of a session, held open for as long as the session lives, and their tools for LangChain."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from langchain_core.tools import BaseTool
from mcp_types import CallToolResult, Tool

from agent.errors import McpServerError, UsageError
from agent.mcp.arguments import ArgumentCheck
from agent.mcp.config import ServerSpec
from agent.mcp.convert import Outcome, to_langchain, unique_names
from agent.mcp.link import CallRefused, Link, TransportLost
from agent.mcp.results import render
from agent.policy import may_rerun

_STOP_SECONDS = 5.0
State = Literal["starting", "ready", "failed", "closed"]


@dataclass(frozen=True)
class ServerStatus:
    """How one server is doing, for the user."""

    name: str
    state: State
    error: str = ""
    tools: int = 0
    seconds: float = 0.0
    cause: McpServerError | None = None


class Toolbox:
    """Opens all servers at `start` without waiting for any; `tools` waits, `stop` leaves no process behind."""

    def __init__(
        self,
        specs: Sequence[ServerSpec],
        *,
        log_dir: Path,
        on_warning: Callable[[str], None] = lambda _: None,
        start_timeout: float = 30.0,
        call_timeout: float = 120.0,
        max_result_chars: int = 20_000,
    ) -> None:
        names = [spec.name for spec in specs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"Two MCP servers are named {twice!r}.", "Rename one of them.")
        self._servers = [_Server(spec, log_dir, on_warning, start_timeout, call_timeout) for spec in specs]
        self._on_warning = on_warning
        self._max_chars = max_result_chars
        self._tools: list[BaseTool] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin to open every server and return at once; needs a running event loop."""
        for server in self._servers:
            server.open()

    async def tools(self) -> list[BaseTool]:
        """Wait until each server is ready or has failed, and return the tools of those that are ready."""
        for server in self._servers:
            await server.settled()
            server.announce()
        if self._tools is None:
            self._tools = self._build()
        return self._tools

    def status(self) -> list[ServerStatus]:
        """Tell how each server is doing now."""
        return [server.status() for server in self._servers]

    async def stop(self) -> None:
        """Close all servers at the same time, within five seconds; their processes are gone afterwards."""
        owners = [task for server in self._servers for task in server.close()]
        if not owners:
            return
        _, late = await asyncio.wait(owners, timeout=_STOP_SECONDS - 0.5)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=0.5)

    def _build(self) -> list[BaseTool]:
        offers = [(server, tool) for server in self._servers for tool in server.offer()]
        names = unique_names([(server.spec, tool) for server, tool in offers])
        return [self._convert(server, tool, name) for (server, tool), name in zip(offers, names, strict=True)]

    def _convert(self, server: "_Server", tool: Tool, name: str) -> BaseTool:
        check = ArgumentCheck(name, tool.input_schema)
        if not check.valid:
            self._on_warning(
                f"Tool {tool.name!r} of MCP server {server.spec.name!r} has an invalid schema; "
                "its arguments are not checked before a call."
            )

        async def call(arguments: dict[str, Any]) -> Outcome:
            if problem := check.problem(arguments):
                return Outcome(problem, error=True, refused=True)
            return await self._run(server, tool, check, may_rerun(made.metadata or {}), arguments)

        made = to_langchain(server.spec, tool, name, check, call)
        return made

    async def _run(
        self, server: "_Server", tool: Tool, check: ArgumentCheck, again: bool, arguments: dict[str, Any]
    ) -> Outcome:
        try:
            result = await server.call(tool.name, arguments, again)
        except CallRefused as refusal:
            return Outcome(str(refusal), error=True)
        except TimeoutError:
            return Outcome(
                f"{tool.name} did not finish within {server.call_timeout:g} s; whether it took effect is unknown.", True
            )
        except McpServerError as error:
            self._on_warning(f"{error.message} {error.hint}".strip())
            return Outcome(error.message, error=True, warning=error.message)
        text, truncated = render(result, self._max_chars, check.parameters)
        if result.is_error:
            said = text.removeprefix(f"Error executing tool {tool.name}: ")  # the Python SDK puts it before every error
            return Outcome(said or f"{tool.name} failed and did not say why.", True, truncated)
        return Outcome(text, truncated=truncated)


class _Server:
    """One server over its lives: a link that died is replaced by the next call that needs it."""

    def __init__(
        self,
        spec: ServerSpec,
        log_dir: Path,
        on_warning: Callable[[str], None],
        start_timeout: float,
        call_timeout: float,
    ) -> None:
        self.spec = spec
        self.call_timeout = spec.timeout or call_timeout
        self._start_timeout = spec.start_timeout or spec.timeout or start_timeout
        self._log = log_dir / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', spec.name)}.log"
        self._on_warning = on_warning
        self._link: Link | None = None
        self._owners: list[asyncio.Task[None]] = []
        self._renewal = asyncio.Lock()
        self._closed = False
        self._announced = False

    def open(self) -> None:
        """Start the first life."""
        self._link = self._new_link()
        self._owners.append(asyncio.create_task(self._announce_later(self._link)))

    async def settled(self) -> None:
        """Wait until the current life is ready or has failed."""
        if self._link is not None:
            await self._link.settled.wait()

    def announce(self) -> None:
        """Tell the user, once, that the server could not be started."""
        if not self._announced and self._link is not None and self._link.error is not None:
            self._announced = True
            self._on_warning(f"{self._link.error.message} {self._link.error.hint}".strip())

    def offer(self) -> list[Tool]:
        """Return the server's tools, none if it is not ready."""
        return self._link.tools if self._link is not None else []

    def status(self) -> ServerStatus:
        """Tell how the server is doing."""
        link = self._link
        if self._closed:
            return ServerStatus(self.spec.name, "closed")
        if link is None or not link.settled.is_set():
            return ServerStatus(self.spec.name, "starting")
        if link.dead:
            error = link.error or self._gone()
            said = f"{error.message} {error.hint}".strip()
            return ServerStatus(self.spec.name, "failed", said, 0, link.seconds, error)
        return ServerStatus(self.spec.name, "ready", "", len(link.tools), link.seconds)

    async def call(self, tool: str, arguments: dict[str, Any], again: bool) -> CallToolResult:
        """Call a tool, with a new client at most once; raises `McpServerError` where that does not help."""
        link, renewed = await self._usable()
        try:
            return await link.call(tool, arguments, self.call_timeout)
        except TransportLost as lost:
            if lost.sent and not again:
                raise McpServerError(
                    f"MCP server {self.spec.name!r} went away during {tool}; whether it took effect is unknown.",
                    f"Read its log {self._log}.",
                ) from lost
            if renewed:
                raise self._gone() from lost
        try:
            return await (await self._renew(link)).call(tool, arguments, self.call_timeout)
        except TransportLost as lost:
            raise self._gone() from lost

    def close(self) -> list[asyncio.Task[None]]:
        """Ask every life to end and return the tasks to wait for."""
        self._closed = True
        if self._link is not None:
            self._link.close()
        return [task for task in self._owners if not task.done()]

    async def _usable(self) -> tuple[Link, bool]:
        await self.settled()
        if self._link is not None and not self._link.dead:
            return self._link, False
        return await self._renew(self._link), True

    async def _renew(self, dead: Link | None) -> Link:
        """Replace a link, once however many calls noticed that it died."""
        async with self._renewal:
            if self._closed:
                raise McpServerError(f"MCP server {self.spec.name!r} is closed.")
            if self._link is dead or self._link is None:
                if dead is not None:
                    dead.close()
                self._link = self._new_link()
            await self._link.settled.wait()
            if self._link.error is not None:
                raise self._link.error
            return self._link

    def _new_link(self) -> Link:
        link = Link(self.spec, self._log, self._start_timeout)
        self._owners = [task for task in self._owners if not task.done()] + [link.open()]
        return link

    async def _announce_later(self, link: Link) -> None:
        await link.settled.wait()
        if not self._closed:
            self.announce()

    def _gone(self) -> McpServerError:
        return McpServerError(f"MCP server {self.spec.name!r} went away.", f"Read its log {self._log}.")
