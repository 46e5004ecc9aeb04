"""An embedded server that another session seems to have started: found by its record, its door played on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from agent.backends.embedded_process import ServerOptions
from agent.backends.embedded_record import Record, write
from agent.backends.embedded_server import _place, _server_id
from tests.servers.http import Asked, LoopbackServer, Reply, reply_json
from tests.servers.vllm import VLLM


class LlamaCpp(VLLM):
    """llama.cpp's server, whose OpenAI door streams as vLLM's does."""

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/props":
            return reply_json({"default_generation_settings": {"n_ctx": 8192}})
        if asked.path == "/apply-template":
            return reply_json({"prompt": "\n".join(message["content"] for message in asked.body["messages"])})
        return reply_json({"status": "ok"}) if asked.path == "/health" else super().answer(asked)


@contextmanager
def running(server: LoopbackServer, model: Path) -> Iterator[None]:
    """Leave the record of `server` where sessions on the file `model` look; a process stands for its life."""
    model.write_bytes(b"GGUF")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        born = psutil.Process(process.pid).create_time()
        record = _place(_server_id(ServerOptions(model, model.stem))).record
        write(record, Record(process.pid, born, model.stem, 8192, time.time(), server.url, "key"))
        try:
            yield
        finally:
            process.kill()
