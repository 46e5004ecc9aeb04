"""Runs the real `langgraph dev` on the prompted backend, in an isolated home."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.agent.mcp.support import FAULTY

ROOT = Path(__file__).parents[2]
LIMIT = 90.0
"""Seconds that a start or a stop may take before the test fails; a busy machine needs many times the usual four."""


class DevServer:
    """One server process; `workspace` is where its tools work, `notes` where its MCP server `faulty` writes."""

    def __init__(self, root: Path, **environment: str) -> None:
        self.workspace, self.notes = root / "workspace", root / "notes"
        package = root / "packages" / "a2ia_prompted-1.0.dist-info"
        for folder in (self.workspace, self.notes, package):
            folder.mkdir(parents=True, exist_ok=True)
        package.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: a2ia-prompted\nVersion: 1.0\n")
        package.joinpath("entry_points.txt").write_text("[a2ia.backends]\nprompted = tests.graphs.prompted:create\n")
        servers = root / "servers.json"
        faulty = {"command": sys.executable, "args": [str(FAULTY), "ok", str(self.notes)]}
        servers.write_text(json.dumps({"mcpServers": {"faulty": faulty}}))
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{package.parent}{os.pathsep}{ROOT}",
            "HOME": str(root / "home"),
            "A2IA_BACKEND": "prompted",
            "A2IA_MCP_CONFIG": json.dumps([str(servers)]),
            "A2IA_ALLOW": '["faulty:*"]',
            "LANGGRAPH_CLI_NO_ANALYTICS": "1",
            "LANGGRAPH_NO_VERSION_CHECK": "true",
            **environment,
        }
        self.port = _free_port()
        self.log = ""
        self._up = threading.Event()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "langgraph_cli", "dev", "--config", str(ROOT / "langgraph.json")]
        command += ["--no-browser", "--no-reload", "--n-jobs-per-worker", "20", "--server-log-level", "info"]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            cwd=self.workspace,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._up.wait(LIMIT):
            self.__exit__(None, None, None)
            raise TimeoutError(self.log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(LIMIT)
        finally:
            self._process.kill()
            self._reader.join(LIMIT)
            assert self._process.stdout is not None
            self._process.stdout.close()

    def client(self) -> LangGraphClient:
        """Return an SDK client."""
        return get_client(url=self.url, api_key=None)

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.port}"

    def _read(self) -> None:
        """Read the log to its end, so that the server never waits for a reader."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log += line
            if "Uvicorn running on" in line:
                self._up.set()
        self._up.set()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
