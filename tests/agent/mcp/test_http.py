"""Servers by URL."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer

from agent.mcp.config import ServerSpec
from tests.agent.mcp.support import session, until

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@asynccontextmanager
async def served(app: App, port: int = 0) -> AsyncIterator[int]:
    """Serve an application on loopback and yield its port."""
    listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await until(lambda: server.started or serving.done())
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listener.close()


def greeter(wants: str = "") -> App:
    """An MCP server that greets, and refuses requests without the token that it wants."""
    server = MCPServer("greeter")

    @server.tool()
    async def greet(name: str) -> str:
        return f"Hello {name}"

    @server.tool()
    async def large() -> str:
        return "x" * 3_000_000

    inner = server.streamable_http_app()

    async def app(scope: Message, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and wants and headers.get(b"authorization") != wants.encode():
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await inner(scope, receive, send)

    return app


async def test_a_server_by_url_gets_the_headers_and_answers(tmp_path: Path) -> None:
    async with served(greeter("Bearer x")) as port:
        spec = ServerSpec("web", url=f"http://127.0.0.1:{port}/mcp", headers={"Authorization": "Bearer x"})
        async with session(tmp_path, spec) as open_session:
            assert (await open_session.call("greet", name="Ada")).content == "Hello Ada"


async def test_a_large_result_over_http_is_cut_and_not_refused(tmp_path: Path) -> None:
    async with (
        served(greeter()) as port,
        session(tmp_path, ServerSpec("web", url=f"http://127.0.0.1:{port}/mcp")) as open_session,
    ):
        message = await open_session.call("large")
    assert (message.status, message.artifact["truncated"]) == ("success", True)


@pytest.mark.parametrize(
    ("path", "said"),
    [("/mcp", "wants other credentials (HTTP 401). Correct its headers."), ("/no", "HTTP 401")],
)
async def test_a_server_that_refuses_is_told_with_the_status(tmp_path: Path, path: str, said: str) -> None:
    async with (
        served(greeter("Bearer x")) as port,
        session(tmp_path, ServerSpec("web", url=f"http://127.0.0.1:{port}{path}")) as open_session,
    ):
        assert await open_session.toolbox.tools() == []
        (status,) = open_session.toolbox.status()
    assert said in status.error


async def test_a_wrong_path_is_told_with_the_status(tmp_path: Path) -> None:
    async with (
        served(greeter()) as port,
        session(tmp_path, ServerSpec("web", url=f"http://127.0.0.1:{port}/no")) as open_session,
    ):
        await open_session.toolbox.tools()
        (status,) = open_session.toolbox.status()
    assert f"'web' at http://127.0.0.1:{port}/no refused the request (HTTP 404)" in status.error


async def test_a_url_where_nothing_listens_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with session(tmp_path, ServerSpec("web", url=f"http://127.0.0.1:{port}/mcp")) as open_session:
        assert await open_session.toolbox.tools() == []
        (status,) = open_session.toolbox.status()
    assert status.error.startswith(f"MCP server 'web' cannot be reached at http://127.0.0.1:{port}/mcp.")


async def test_a_server_that_came_back_is_found_again(tmp_path: Path) -> None:
    async with served(greeter()) as port:
        open_app = session(tmp_path, ServerSpec("web", url=f"http://127.0.0.1:{port}/mcp"))
        open_session = await open_app.__aenter__()
        assert (await open_session.call("greet", name="Ada")).content == "Hello Ada"
    message = await open_session.call("greet", name="Bob")
    assert message.status == "error"
    assert "'web' cannot be reached" in message.text
    async with served(greeter(), port):
        assert (await open_session.call("greet", name="Eve")).content == "Hello Eve"
        await open_app.__aexit__(None, None, None)
