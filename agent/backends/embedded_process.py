"""The embedded server's process from outside: spawned, watched at its birth, ended, and explained when it fails."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from agent.backends.embedded_lock import POLL_SECONDS
from agent.backends.embedded_record import Place, Process
from agent.errors import ModelServerError
from agent.places import state_dir

WINDOW = 8192
"""Tokens. Twice what the shipped tools, a file and a few steps need, for 235 MB of the default model's cache;
llama.cpp caps it at the model's own window."""

STOP_SECONDS = 3.0
"""How long a server may take to end when asked politely."""


def _quota() -> int:
    """Return the container's CPU quota in whole cores (cgroup v2), or a number that limits nothing."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return sys.maxsize


def thread_count() -> int:
    """Return how many threads to compute with: `A2IA_EMBEDDED_THREADS`, else the physical cores that we may use."""
    given = os.environ.get("A2IA_EMBEDDED_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else cores
    return max(1, min(cores, allowed, _quota()))


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a server is started with; `alias` is the model's short name, `window` is in tokens."""

    model: Path
    alias: str
    window: int = WINDOW
    threads: int = field(default_factory=thread_count)


class Detached(subprocess.Popen[bytes]):
    """A child that may outlive us, so one that still runs when its object goes is no reason for a ResourceWarning."""

    def __del__(self) -> None:
        pass


_children: list[Detached] = []
"""Servers that this process started, kept to reap those that ended."""


def spawn(options: ServerOptions, place: Place, keep_alive: float) -> Process:
    """Start a server in a session of its own, its words going to `place.log`, and return its process at once."""
    place.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-P", "-m", "agent.backends.embedded_child"]
    command += ["--record", str(place.record), "--model", str(options.model.resolve()), "--alias", options.alias]
    command += ["--ctx", str(options.window), "--threads", str(options.threads), "--keep-alive", str(keep_alive)]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    with place.log.open("wb") as log:
        child = Detached(
            command,
            cwd=place.log.parent,  # it must not hold on to the folder that the user works in
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=flags,
        )
    _children[:] = [*(other for other in _children if other.poll() is None), child]
    try:
        return Process(child.pid, psutil.Process(child.pid).create_time())
    except psutil.Error:
        return Process(child.pid, 0.0)


async def end(process: Process) -> None:
    """End a server's process; one that does not follow, for instance because it is stopped, is killed."""
    handle = process.handle()
    if handle is None:
        return
    for signal in (handle.terminate, handle.kill):
        try:
            signal()
        except psutil.Error:
            return
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not process.alive():
                return
            await asyncio.sleep(POLL_SECONDS)


async def healthy(url: str, seconds: float) -> bool:
    """Say whether the server at `url` answers `/health` with 200 within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            try:
                writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, ValueError):
        return False


def start_error(options: ServerOptions, place: Place, waited: float) -> ModelServerError:
    """Explain from its log why a server did not come up; `waited` is in seconds."""
    reason = _last_words(place.log)
    if "error loading model" in reason:
        hint = f"The file may be incomplete or of an unknown kind: replace {options.model} or name another --model."
    else:
        need = options.model.stat().st_size / 1e9 + 1
        hint = f"It needs about {need:.1f} GB of free memory. Its full log is {place.log}."
    return ModelServerError(
        f"The embedded server for {options.alias} did not start ({waited:.0f} s): {reason or 'it said nothing'}.", hint
    )


def no_place(error: OSError) -> ModelServerError:
    """Explain that the files of a server cannot be kept."""
    return ModelServerError(
        f"The server's files cannot be kept in {state_dir()}: {error.strerror or error}.",
        "Free some space, or set XDG_STATE_HOME to a folder that can be written to.",
    )


def _last_words(log: Path) -> str:
    """Return the line of a log that tells most: llama.cpp's reason, else its last error, else the last line."""
    try:
        lines = log.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    reasons = [line for line in lines if "error loading model" in line]
    errors = [line for line in lines if " E " in line and "exiting due to" not in line]
    chosen = (reasons or errors[-1:] or [line for line in lines if line.strip()][-1:] or [""])[0]
    return chosen.partition(" E ")[2].strip() or chosen.strip()
