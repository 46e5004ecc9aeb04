"""vLLM's process from outside: spawned in a session of its own, followed by its log, ended with all that it started."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from agent.backends.embedded_lock import POLL_SECONDS
from agent.backends.embedded_process import Detached
from agent.backends.embedded_record import Process
from agent.errors import UsageError

STOP_SECONDS = 10.0
"""How long vLLM may take to end when asked politely; some five seconds on a CPU; it has nothing to lose."""

KILL_SECONDS = 2.0
"""How long it may take to go once it was killed."""

ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""Set for vLLM unless the user has set them: its log comes at once, and it reports to nobody."""


def spawn(command: list[str], log: Path, programs: Path | None) -> subprocess.Popen[bytes]:
    """Start vLLM in a session of its own, its words going to `log`, and return at once."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {**ENVIRONMENT, **os.environ}
    if programs is not None:  # it compiles kernels with programs of its own environment (ninja)
        environment["PATH"] = f"{programs}{os.pathsep}{environment.get('PATH', '')}"
    with log.open("wb") as file:
        try:
            return Detached(
                command,
                cwd=log.parent,  # a folder `agent/` or `tools/` where the user works would shadow its imports
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(
                f"{command[0]} cannot be started: {error.strerror}.", "Run ./vllm_setup.sh again."
            ) from error


def born(pid: int) -> float:
    """Return when a process began, in Unix time; 0 if it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


async def end(process: Process) -> None:
    """End vLLM and whatever it started: it leads a session of its own, so its group is all of it."""
    if process.alive():
        _signal(process.pid, signal.SIGTERM)
        await _gone(process, STOP_SECONDS)
    if process.born:
        _signal(process.pid, signal.SIGKILL)
    await _gone(process, KILL_SECONDS)


async def _gone(process: Process, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.alive():
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(POLL_SECONDS)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


class Tail:
    """Reads what is added to a file; a carriage return ends a line too, as progress bars use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = ""

    def lines(self) -> Iterator[str]:
        """Yield the lines that were completed since the last call; a file that was replaced is begun anew."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    self._offset, self._rest = 0, ""
                file.seek(self._offset)
                new = file.read()
        except OSError:
            return
        self._offset += len(new)
        *complete, self._rest = re.split(r"[\r\n]", self._rest + new.decode("utf-8", errors="replace"))
        yield from (line for line in complete if line.strip())


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a log; none if it is not there."""
    return list(deque(Tail(path).lines(), maxlen=count))
