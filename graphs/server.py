"""The targets of `langgraph.json`: three graphs, and the app whose lifespan opens what they share.

The server asks a factory for its graph at every run and at every read, so all is wired once, when the process starts.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware

from agent.backends.base import Backend, Progress
from agent.backends.select import open_backend
from agent.config import Settings, load_settings, state_dir
from agent.errors import A2IAError
from agent.mcp.servers import check_workspace, server_specs
from agent.mcp.toolbox import Toolbox
from graphs.builder import Graph
from graphs.origins import KnownOrigins
from graphs.wiring import prepare, wire

_log = logging.getLogger(__name__)
_graphs: dict[str, Graph] = {}
_ready = asyncio.Event()


async def agent() -> Graph:
    """Return the graph that speaks the protocol which the model was seen to master."""
    return await _graph("agent")


async def native() -> Graph:
    """Return the graph that has the model call tools itself."""
    return await _graph("native")


async def react() -> Graph:
    """Return the graph that speaks ReAct with the model."""
    return await _graph("react")


async def _graph(name: str) -> Graph:
    await _ready.wait()  # a run kept from the last process may begin before this one is open
    return _graphs[name]


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Hold the model's server and one toolbox open for as long as the process serves."""
    async with AsyncExitStack() as stack:
        try:
            await _open(stack)
        except A2IAError as error:
            _log.error("%s %s", error.message, error.hint)
            raise
        _ready.set()
        yield


async def _open(stack: AsyncExitStack) -> None:
    settings, backend, toolbox = await asyncio.to_thread(_prepare)  # it reads files, which the server's loop refuses
    stack.push_async_callback(backend.aclose)
    toolbox.start()
    stack.push_async_callback(toolbox.stop)
    profile = await backend.profile()
    tools = await toolbox.tools()
    await prepare(backend, profile, tools)
    chosen = await asyncio.to_thread(wire, settings, backend, profile, tools)  # it reads files
    native = await asyncio.to_thread(wire, settings, backend, profile, tools, protocol="native")
    react = await asyncio.to_thread(wire, settings, backend, profile, tools, protocol="react")
    _graphs.update(agent=chosen.graph, native=native.graph, react=react.graph)
    _log.info("%s on %s speaks %s. %s", profile.model, backend.name, chosen.protocol, profile.evidence)


def _prepare() -> tuple[Settings, Backend, Toolbox]:
    settings = load_settings({})
    specs = server_specs(settings, check_workspace(settings), _log.warning)
    toolbox = Toolbox(specs, log_dir=state_dir() / "logs", on_warning=_log.warning)
    return settings, open_backend(settings, _report), toolbox


def _report(progress: Progress) -> None:
    if progress.done is None:
        _log.info(progress.text)


app = Starlette(lifespan=lifespan, middleware=[Middleware(KnownOrigins)])
