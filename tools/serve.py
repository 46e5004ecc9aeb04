import atexit
import json
import logging
import os
import re
import signal
import socket
import sys
from typing import BinaryIO, cast

import anyio
import mcp_types
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

from tools.errors import ToolFailure
from tools.process import end_all
from tools.text import whole_escapes

_HOST = "127.0.0.1"
_ID = re.compile(r'"id"\s*:\s*(\d{1,15}|"[^"\\]{1,100}")')


def serve_stdio(server: MCPServer) -> None:
    """Serve one client over standard input and output until it closes them."""
    _prepare()
    anyio.run(_serve_lines, server)


def serve_http(server: MCPServer, port: int) -> None:
    """Serve clients over HTTP on this machine only (port 0: a free one) until interrupted; the URL goes to stderr.

    Raises:
        ToolFailure: the port is taken.
    """
    _prepare()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
        listener.listen()
    except OSError as error:
        raise ToolFailure(f"Port {port} can not be used ({error.strerror}): give another with --port.") from error
    app = server.streamable_http_app(host=_HOST)
    sys.stderr.write(f"Serving MCP at http://{_HOST}:{listener.getsockname()[1]}/mcp (end with Ctrl-C)\n")
    sys.stderr.flush()
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listener])


class _Messages:
    """Lines from a client. The SDK drops a line that it can not parse, and its sender would wait for ever."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readline(self) -> str:
        return readable(self._stream.readline().decode("utf-8", "replace"))


def readable(line: str) -> str:
    """Give a line that can be parsed, in place of one that can not, so that the request in it gets an answer.

    Half characters become zero characters, which every tool refuses; else only the request's id is kept.
    """
    if _parses(line):
        return line
    whole = whole_escapes(line, r"\u0000")
    if _parses(whole):
        return whole
    found = _ID.search(line)
    if found is None:
        return line
    return json.dumps({"jsonrpc": "2.0", "id": json.loads(found[1]), "method": "unreadable"}) + "\n"


def _parses(line: str) -> bool:
    try:
        mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return not line.strip()
    return True


async def _serve_lines(server: MCPServer) -> None:
    messages = cast("anyio.AsyncFile[str]", anyio.AsyncFile(_Messages(sys.stdin.buffer)))  # type: ignore[arg-type]
    async with stdio_server(stdin=messages) as (reading, writing):
        lowlevel = server._lowlevel_server
        await lowlevel.run(reading, writing, lowlevel.create_initialization_options())


def _prepare() -> None:
    """Log warnings to stderr, and let no command outlive this process."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    atexit.register(end_all)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)


def _end(number: int, _frame: object) -> None:
    end_all()
    os._exit(128 + number)
