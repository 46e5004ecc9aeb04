"""The embedded server as a session sees it: found again, started, healed, let go, and listed or stopped for the CLI.

Calls that change files run in a thread: the LangGraph server raises on them in its event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass

from agent.backends.base import Progress, Report
from agent.backends.embedded_lock import POLL_SECONDS, locked
from agent.backends.embedded_process import ServerOptions, end, healthy, no_place, spawn, start_error
from agent.backends.embedded_record import OpenLease, Place, Process, Record, machine, read_record
from agent.config import state_dir

START_SECONDS = 180.0
"""Longest wait for a model to load; the default one needs 3 to 5 s, a slow disk some ten times that."""

HEALTH_SECONDS = 5.0
"""Longest wait for `/health`, which llama.cpp answers from threads of its own even while it computes."""

FRESH_SECONDS = 2.0
"""A server that answered this recently is not asked again."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the key that it asks for."""

    url: str
    key: str


class EmbeddedServer:
    """One session's hold on the server for `options`, which outlives `close` by `keep_alive` seconds.

    Sessions with the same model file, window and threads share one server. Raises `OSError` if the file is gone.
    """

    def __init__(self, options: ServerOptions, keep_alive: float, report: Report) -> None:
        self._options = options
        self._keep_alive = keep_alive
        self._report = report
        self.id = _server_id(options)
        """What two sessions must agree on to share a server, in one word."""
        self.started = False
        """Whether this session started the server that it uses."""
        self._place = _place(self.id)
        self._lease = OpenLease(self._place.leases, keep_alive)
        self._mutex = asyncio.Lock()
        self._record: Record | None = None
        self._seen = 0.0

    async def ensure(self) -> Address:
        """Return the address of a server that answers: the known one, one found on disk, or a new one.

        Raises `ModelServerError` if no server can be brought up.
        """
        async with self._mutex:
            record = self._record
            if record is None or not await self._answers(record):
                try:
                    record = self._record = await self._find_or_start(suspect=record)
                except OSError as error:
                    raise no_place(error) from error
            return Address(record.url, record.key)

    def doubt(self) -> None:
        """Have the next `ensure` look whether the server is alive, however recently it answered."""
        self._seen = 0.0

    async def alive(self) -> bool:
        """Say whether the server answers, without starting one."""
        record = self._record or read_record(self._place.record)
        return record is not None and await self._answers(record)

    def close(self) -> None:
        """End this session's use of the server, which lives on for the keep-alive."""
        self._record = None
        self._lease.end()

    async def stop(self) -> None:
        """End the server now, whoever uses it."""
        self._record = None
        await _stop(self._place)

    async def _find_or_start(self, suspect: Record | None) -> Record:
        self._seen = 0.0
        waiting = Progress(f"Waiting for another session that starts {self._options.alias}")
        async with locked(self._place.lock, lambda: self._report(waiting)):
            await asyncio.to_thread(self._lease.renew)
            found = read_record(self._place.record)
            if found and not found.url:  # its starter was killed while it loaded
                found = await self._loaded(found.process, found.started) or found
            if found and found != suspect and await self._answers(found):
                return found
            if found:
                await end(found.process)
            await asyncio.to_thread(self._place.record.unlink, missing_ok=True)
            return await self._start()

    async def _start(self) -> Record:
        self._report(Progress(f"Starting {self._options.alias}"))
        since = time.time()
        process = await asyncio.to_thread(spawn, self._options, self._place, self._keep_alive)
        record = await self._loaded(process, since)
        if record is None:
            await end(process)
            await asyncio.to_thread(self._place.record.unlink, missing_ok=True)
            raise start_error(self._options, self._place, time.time() - since)
        self._seen = time.monotonic()
        self.started = True
        return record

    async def _loaded(self, process: Process, since: float) -> Record | None:
        """Wait until a server that starts has written its address; None if its process ended or took too long."""
        while time.time() - since < START_SECONDS:
            record = read_record(self._place.record)
            if record and record.url:
                return record
            if not process.alive():
                return None
            await asyncio.sleep(POLL_SECONDS)
        return None

    async def _answers(self, record: Record) -> bool:
        if time.monotonic() - self._seen < FRESH_SECONDS:
            return True
        if not (record.url and record.process.alive() and await healthy(record.url, HEALTH_SECONDS)):
            return False
        self._seen = time.monotonic()
        return True


def _server_id(options: ServerOptions) -> str:
    """Name a server by what two sessions must agree on to share it; a replaced model file is another server."""
    path = options.model.resolve()
    file = path.stat()
    parts = (str(path), file.st_size, file.st_mtime_ns, options.window, options.threads)
    return f"{machine()}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _place(server_id: str) -> Place:
    return Place(state_dir() / "embedded" / f"{server_id}.json", state_dir() / "logs" / f"embedded-{server_id}.log")


async def _stop(place: Place) -> bool:
    async with locked(place.lock):
        record = read_record(place.record)
        alive = record is not None and record.process.alive()
        if record:
            await end(record.process)
        place.record.unlink(missing_ok=True)
        return alive


def running() -> list[Record]:
    """Return the records of this user's embedded servers that live now."""
    found = (read_record(path) for path in sorted((state_dir() / "embedded").glob(f"{machine()}-*.json")))
    return [record for record in found if record and record.process.alive()]


async def stop_all() -> int:
    """End every embedded server of this user, whoever uses it, and return how many there were."""
    return sum(
        [await _stop(_place(path.stem)) for path in sorted((state_dir() / "embedded").glob(f"{machine()}-*.json"))]
    )
