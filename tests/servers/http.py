"""The HTTP that the tests' model servers share: chunked answers that can break off, and a record of every request."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """An answer: its lines go out one by one; then it ends, `cut` closes the connection, or `silent` leaves it open.

    Status 0 hangs up before the headers; `bytes` is how much of the lines goes out at all.
    """

    status: int = 200
    kind: str = "application/json"
    lines: list[str] = field(default_factory=list)
    cut: bool = False
    silent: bool = False
    bytes: int | None = None
    to: str = ""
    """Where a redirection leads."""


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    kept: bool
    """Whether its connection had carried another request before."""


def reply_json(value: object, status: int = 200) -> Reply:
    """Return `value` as the whole of an answer."""
    return Reply(status, lines=[json.dumps(value)])


class LoopbackServer:
    """A server on loopback that answers with what `answer` says; `asked` are the requests in order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

        self._leaving = threading.Event()

        class Handler(_Handler):
            server_answer = staticmethod(self._answer)
            leaving = self._leaving

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, asked: Asked) -> Reply:
        """Return the answer to one request; called by one thread at a time."""
        raise NotImplementedError

    def _answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            return self.answer(asked)

    def posted(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that were posted to `path`."""
        return [asked.body for asked in self.asked if asked.method == "POST" and asked.path == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has heard enough and hangs up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    """Without it the end of an answer waits 40 ms for the client to acknowledge what came before."""
    server_answer: Callable[[Asked], Reply]
    leaving: threading.Event
    kept = False

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
        pass

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def _handle(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        asked = Asked(method, self.path, json.loads(body or b"{}"), headers, self.kept)
        self.kept = True
        reply = self.server_answer(asked)
        if reply.status == 0:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        if reply.to:
            self.send_header("Location", reply.to)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        lines = [f"{line}\n".encode() for line in reply.lines]
        if reply.bytes is not None:
            lines = [b"".join(lines)[: reply.bytes]] if reply.bytes else []
        for data in lines:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        if reply.silent:
            self.leaving.wait(30)
        if reply.cut or reply.silent:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")
