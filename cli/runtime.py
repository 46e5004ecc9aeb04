"""Puts a run together from settings: backend, tools, graph, session."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver

from agent.backends.base import Backend, ModelProfile, Report
from agent.backends.select import open_backend, split_name
from agent.config import Settings, state_dir
from agent.errors import McpServerError
from agent.mcp.servers import check_workspace, server_specs
from agent.mcp.toolbox import Toolbox
from graphs.session import Approve, Session, Speaker
from graphs.wiring import prepare, wire
from tools.overview import overview

Warn = Callable[[str], None]


@dataclass(slots=True)
class Runtime:
    """A run that is ready: the session, and what it runs on."""

    settings: Settings
    profile: ModelProfile
    tools: list[BaseTool]
    approve: Approve | None
    held: list[Backend]
    """The one backend in use; whoever opened it lets go of what stands here at the end."""
    session: Session = field(init=False)
    _saver: InMemorySaver = field(default_factory=InMemorySaver)

    def __post_init__(self) -> None:
        self.clear()

    @property
    def backend(self) -> str:
        """The name of the backend in use."""
        return self.held[0].name

    def clear(self) -> None:
        """Begin a new thread."""
        self.session = self._session(None)

    def _session(self, thread: str | None) -> Session:
        backend, profile = self.held[0], self.profile
        return new_session(
            self.settings, backend, profile, self.tools, self.approve, saver=self._saver, thread_id=thread
        )

    async def change_model(self, name: str, report: Report) -> None:
        """Go on with another model on the same thread: `MODEL` of this backend, or `BACKEND:MODEL`.

        If that raises, nothing has changed.
        """
        chosen, model = split_name(name)
        settings = self.settings.model_copy(update={"model": model, "backend": chosen or self.backend})
        backend = await asyncio.to_thread(open_backend, settings, report)  # it may import modules
        try:
            profile = await backend.profile()
            await prepare(backend, profile, self.tools)
        except BaseException:
            await backend.aclose()
            raise
        before, self.held[0] = self.held[0], backend
        self.settings, self.profile = settings, profile
        self.session = self._session(self.session.thread_id)
        await before.aclose()


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    report: Report,
    warn: Warn,
    *,
    approve: Approve | None = None,
    strict: bool = True,
    watch: Callable[[Toolbox], None] = lambda toolbox: None,
) -> AsyncIterator[Runtime]:
    """Open everything that a session needs, servers and model side by side; closed on leaving.

    With `strict` an MCP server that does not start is an error, else a warning. `watch` gets the toolbox while its
    servers start.
    """
    workspace = check_workspace(settings)
    backend = open_backend(settings, report)
    specs = server_specs(settings, workspace, warn)
    held = [backend]

    async def let_go() -> None:
        await held[0].aclose()

    async with AsyncExitStack() as stack:
        stack.push_async_callback(let_go)
        starting = _Starting(warn)
        toolbox = Toolbox(specs, log_dir=state_dir() / "logs", on_warning=starting.warn if strict else warn)
        toolbox.start()
        watch(toolbox)
        stack.push_async_callback(toolbox.stop)
        profile = await _profile_beside(backend, toolbox, strict=strict)
        starting.over()
        tools = await toolbox.tools()
        await prepare(backend, profile, tools)
        yield Runtime(settings, profile, tools, approve, held)


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
    settings: Settings,
    backend: Backend,
    profile: ModelProfile,
    tools: list[BaseTool],
    approve: Approve | None,
    *,
    saver: InMemorySaver | None = None,
    thread_id: str | None = None,
) -> Session:
    """Return a session of one thread, in memory, on `backend` and `tools`, wired as `settings` say."""
    opening = partial(overview, settings.workspace.expanduser()) if settings.builtin_tools else None
    wired = wire(settings, backend, profile, tools, opening=opening, checkpointer=saver or InMemorySaver())
    speaker = Speaker(profile.model, backend.name, wired.protocol)
    return Session(wired.graph, speaker, tools, approve=approve, may_rerun=wired.may_rerun, thread_id=thread_id)
