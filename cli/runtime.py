"""Puts a run together from settings: backend, tools, graph, session."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver

from agent.backends.base import Backend, ModelProfile, Report
from agent.backends.select import open_backend
from agent.config import Settings, state_dir
from agent.errors import McpServerError
from agent.mcp.servers import check_workspace, server_specs
from agent.mcp.toolbox import Toolbox
from cli.streams import printable
from graphs.session import Approve, Session, Speaker
from graphs.wiring import wire

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Runtime:
    """A run that is ready: the session, and what it runs on."""

    session: Session
    backend: str
    profile: ModelProfile
    tools: list[BaseTool]


@asynccontextmanager
async def open_runtime(
    settings: Settings, report: Report, warn: Warn, *, approve: Approve | None = None, strict: bool = True
) -> AsyncIterator[Runtime]:
    """Open everything that a session needs, servers and model side by side; closed on leaving.

    With `strict` an MCP server that does not start is an error, else a warning.
    """
    _log_to_stderr(settings.debug)
    workspace = check_workspace(settings)
    backend = open_backend(settings, report)
    specs = server_specs(settings, workspace, warn)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(backend.aclose)
        starting = _Starting(warn)
        toolbox = Toolbox(specs, log_dir=state_dir() / "logs", on_warning=starting.warn if strict else warn)
        toolbox.start()
        stack.push_async_callback(toolbox.stop)
        profile = await _profile_beside(backend, toolbox, strict=strict)
        starting.over()
        tools = await toolbox.tools()
        session = new_session(settings, backend, profile, tools, approve)
        yield Runtime(session, backend.name, profile, tools)


class _Starting:
    """Holds warnings back until all servers are up: one that cannot start ends the run and is told as its error."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._held: list[str] | None = []

    def warn(self, text: str) -> None:
        if self._held is None:
            self._warn(text)
        else:
            self._held.append(text)

    def over(self) -> None:
        """Tell what was held back, and hold nothing from now on."""
        held, self._held = self._held or [], None
        for text in held:
            self._warn(text)


async def _profile_beside(backend: Backend, toolbox: Toolbox, *, strict: bool) -> ModelProfile:
    """Ask the backend for its profile while the MCP servers come up; the first that fails ends the wait for all."""
    profiling, opening = asyncio.create_task(backend.profile()), asyncio.create_task(_open_all(toolbox, strict=strict))
    try:
        profile, _ = await asyncio.gather(profiling, opening)
    finally:
        profiling.cancel()
        opening.cancel()
        await asyncio.wait({profiling, opening})
    return profile


async def _open_all(toolbox: Toolbox, *, strict: bool) -> None:
    await toolbox.tools()
    failed = [status for status in toolbox.status() if status.state == "failed"]
    if failed and strict:
        raise failed[0].cause or McpServerError(f"The MCP server {failed[0].name!r} did not start.")


def new_session(
    settings: Settings, backend: Backend, profile: ModelProfile, tools: list[BaseTool], approve: Approve | None
) -> Session:
    """Return a session of one thread, in memory, on `backend` and `tools`, wired as `settings` say."""
    wired = wire(settings, backend, profile, tools, checkpointer=InMemorySaver())
    speaker = Speaker(profile.model, backend.name, wired.protocol)
    return Session(wired.graph, speaker, tools, approve=approve, may_rerun=wired.may_rerun)


def _log_to_stderr(debug: bool) -> None:
    """With `debug` show what A2IA's own modules log, the exact messages sent to the model among it; else show nothing.

    A program that configures no logging has Python print warnings and tracebacks of every library.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    if not debug:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(name)s: %(message)s"))
    for name in ("agent", "graphs", "asyncio"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.DEBUG if name != "asyncio" else logging.WARNING)


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))
