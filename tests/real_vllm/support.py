"""What the tests on the real vLLM share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from agent.backends.base import Backend, ModelProfile
from agent.backends.select import open_backend
from agent.config import Settings
from graphs.events import Result
from graphs.session import Session, Speaker
from graphs.wiring import wire
from tests.real_vllm.server import RealVLLM

ROOT = Path(__file__).parents[2]
LIMIT = 600.0
"""Seconds that a turn may take on two cores that others use too."""


@tool
def look_up(key: str) -> str:
    """Look up the text of a key."""
    return f"The text of {key}."


@tool
def count_words(text: str, least: int = 1) -> int:
    """Count the words of a text."""
    return max(least, len(text.split()))


TOOLS = [look_up, count_words]


@asynccontextmanager
async def opened(server: RealVLLM, **flags: Any) -> AsyncIterator[tuple[Backend, ModelProfile]]:
    """The backend on the server, or the one that `flags` name, with its profile."""
    given: dict[str, Any] = {"backend": "vllm", "vllm_url": server.url, **flags}
    backend = open_backend(Settings(**given), lambda step: None)
    try:
        yield backend, await backend.profile()
    finally:
        await backend.aclose()


def session_on(backend: Backend, profile: ModelProfile, saver: InMemorySaver, thread: str) -> Session:
    """Return a session of the thread on this backend."""
    wired = wire(Settings(), backend, profile, [], checkpointer=saver)
    return Session(wired.graph, Speaker(profile.model, backend.name, wired.protocol), [], thread_id=thread)


async def turn(session: Session, prompt: str) -> Result:
    """Run a turn and return how it ended."""
    events = [event async for event in session.run(prompt)]
    result = events[-1]
    assert isinstance(result, Result)
    return result


def thread_of(steps: int) -> list[list[Any]]:
    """Return a thread as it grows: the request, then a call and its result at each step."""
    messages: list[Any] = [HumanMessage("Look up the keys one by one, then sum up.")]
    grown = [list(messages)]
    for step in range(1, steps):
        call = {"id": f"c{step}", "name": "look_up", "args": {"key": f"key {step}"}}
        messages += [
            AIMessage("", tool_calls=[call]),
            ToolMessage(f"Row {step}: " + "a b c " * 20, tool_call_id=f"c{step}"),
        ]
        grown.append(list(messages))
    return grown


def command(server: RealVLLM, workspace: Path, prompt: str, *more: str, output: str = "json") -> subprocess.Popen[str]:
    """Start `a2ia-cli -p` on the server."""
    flags = [
        "-p",
        prompt,
        "--output",
        output,
        "--backend",
        "vllm",
        "--vllm-url",
        server.url,
        "--workspace",
        str(workspace),
    ]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cli.main", *flags, *more],
        cwd=workspace,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """Wait for the command; return its exit code and its result object."""
    with process:
        try:
            out, _ = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    return process.returncode, json.loads(out.splitlines()[-1])


def connections(server: RealVLLM) -> int:
    """Return how many connections to the server its clients hold open."""
    port = f":{httpx.URL(server.url).port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[2].endswith(port) and row[3] == "01" for row in rows)  # 01: ESTABLISHED


def queued(process: subprocess.Popen[str]) -> float:
    """Return how many seconds the main thread of `process` has waited for a core that others used."""
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9


def wait_until(true: Callable[[], bool], seconds: float) -> float:
    """Wait until something is true; return how long it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, f"not within {seconds:.0f} s"
        time.sleep(0.02)
    return time.monotonic() - begun
