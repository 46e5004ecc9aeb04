"""Runs `a2ia-cli` the way a user does, in an isolated home, on the scripted backend."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.agent.mcp.support import FAULTY
from tests.cli.scripted import SCRIPT

ROOT = Path(__file__).parents[2]
LIMIT = 20.0
"""Seconds that anything may take before the test fails."""

RESULT = {
    "type": str,
    "thread_id": str,
    "answer": str,
    "stop_reason": str,
    "error": dict | None,
    "steps": list,
    "pending": list,
    "usage": dict,
    "model": str,
    "backend": str,
    "protocol": str,
}
STEP = {
    "id": str,
    "tool": str,
    "server": str,
    "args": dict,
    "status": str,
    "result": str,
    "truncated": bool,
    "ms": int | float,
}
PENDING = {"id": str, "tool": str, "server": str, "args": dict}
ERROR = {"type": str, "message": str, "hint": str}
USAGE = {
    "model_calls": int,
    "prompt_tokens": int | None,
    "cached_tokens": int | None,
    "completion_tokens": int | None,
}
REASONS = {"answered", "step_limit", "denied", "format_errors", "overflow", "interrupted", "error"}


def _has_exactly(data: Mapping[str, Any], shape: Mapping[str, Any]) -> None:
    assert set(data) == set(shape)
    for key, kind in shape.items():
        assert isinstance(data[key], kind), (key, data[key])


def check_contract(result: Mapping[str, Any]) -> None:
    """Hold `result` against the form that the README tells."""
    _has_exactly(result, RESULT)
    assert result["type"] == "result"
    assert result["stop_reason"] in REASONS
    assert result["protocol"] in {"native", "react"}
    _has_exactly(result["usage"], USAGE)
    for call in result["pending"]:
        _has_exactly(call, PENDING)
    for step in result["steps"]:
        _has_exactly(step, STEP)
        assert step["status"] in {"ok", "error", "denied", "interrupted"}
        assert len(step["result"]) <= 4000
    if result["error"] is not None:
        _has_exactly(result["error"], ERROR)
        assert result["error"]["message"].strip()
        assert "\n" not in result["error"]["message"]


@dataclass(frozen=True)
class Done:
    """A finished run."""

    code: int
    out: str
    err: str

    def result(self) -> dict[str, Any]:
        """Return the one JSON object that standard output is, held against the contract."""
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        check_contract(found)
        assert "Traceback" not in self.err
        assert "never retrieved" not in self.err
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return the objects of a stream; the last is the result, held against the contract."""
        found: list[dict[str, Any]] = [json.loads(line) for line in self.out.splitlines()]
        check_contract(found[-1])
        assert [event for event in found if event["type"] == "result"] == found[-1:]
        return found


class Place:
    """A home, a workspace and a script; `run` and `start` are real processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._started: list[subprocess.Popen[str]] = []
        self.workspace = root / "workspace"
        self.config = root / "home" / "config" / "a2ia"
        self.packages = root / "packages"
        for folder in (self.workspace, self.config, root / "home" / "state", root / "home" / "cache"):
            folder.mkdir(parents=True)
        package = self.packages / "a2ia_scripted-1.0.dist-info"
        package.mkdir(parents=True)
        package.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: a2ia-scripted\nVersion: 1.0\n")
        package.joinpath("entry_points.txt").write_text("[a2ia.backends]\nscripted = tests.cli.scripted:create\n")
        self.env = {
            "HOME": str(root / "home"),
            "XDG_CONFIG_HOME": str(root / "home" / "config"),
            "XDG_STATE_HOME": str(root / "home" / "state"),
            "XDG_CACHE_HOME": str(root / "home" / "cache"),
            "A2IA_BACKEND": "scripted",
            SCRIPT: str(root / "script.json"),
        }
        self.say({"answer": "Hello."})

    def say(self, *replies: dict[str, Any], **more: Any) -> None:
        """Set what the model replies, and what else the backend is."""
        self.root.joinpath("script.json").write_text(json.dumps({"replies": replies, **more}))

    def faulty(self, mode: str, **more: Any) -> Path:
        """Write an MCP configuration with the server `faulty` in this mode, and return its path."""
        entry = {"command": sys.executable, "args": [str(FAULTY), mode, str(self.root)], **more}
        path = self.root / "servers.json"
        path.write_text(json.dumps({"mcpServers": {"faulty": entry}}))
        return path

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a process: nothing of the tests' own but the path."""
        inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{self.packages}{os.pathsep}{ROOT}"}
        return {**inherited, **self.env, "TERM": "xterm", **more}

    def start(self, *args: str, stdin: int | IO[Any] = subprocess.DEVNULL, **more: Any) -> subprocess.Popen[str]:
        """Start `a2ia-cli` with its output in pipes."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *args],
            stdin=stdin,
            cwd=self.workspace,
            env=self.environment(),
            encoding="utf-8",
            errors="surrogateescape",
            **streams,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test left behind."""
        for process in self._started:
            process.kill()
            process.communicate()

    def run(self, *args: str, text: str | None = None, stdin: int | IO[Any] = subprocess.DEVNULL, **more: Any) -> Done:
        """Run `a2ia-cli` to its end; `text` is piped to its standard input."""
        return finish(self.start(*args, stdin=stdin if text is None else subprocess.PIPE, **more), text)

    def debug_run(self, *args: str, **more: Any) -> Done:
        """Run with --debug, which shows what the model was sent."""
        return self.run("--debug", *args, **more)


def finish(process: subprocess.Popen[str], text: str | None = None) -> Done:
    """Wait for the process, and end it if it takes too long."""
    with process:
        try:
            out, err = process.communicate(text, timeout=LIMIT)
        finally:
            process.kill()
    return Done(process.returncode, out or "", err or "")


def line_with(stream: IO[str] | None, text: str, seconds: float = LIMIT) -> str:
    """Read lines until one has `text`."""
    assert stream is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = stream.readline()
        if text in line:
            return line
        assert line, f"the stream ended before {text!r}"
    raise TimeoutError(text)
