"""What sessions and embedded servers leave on disk for one another: a record for each server, a lease for each session.

    <state>/embedded/<id>.json          the record: where the server is and its key (mode 0600)
    <state>/embedded/<id>.lock          held by who starts, replaces or ends the server
    <state>/embedded/<id>.leases/*.json one file for each session that uses the server
    <state>/logs/embedded-<id>.log      the server's own words, since it was started

The server's process imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from agent.store import write_json

CLOCK_SLACK = 2.0
"""Seconds by which two readings of one process's birth may differ: it is computed from the system clock."""


def machine() -> str:
    """Return a word for this machine, or this container: others may share its state folder, and its process numbers."""
    try:
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        processes = ""
    return hashlib.sha256(f"{socket.gethostname()} {processes}".encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    born: float

    @classmethod
    def current(cls) -> Process:
        """Return the process that asks."""
        return cls(os.getpid(), psutil.Process().create_time())

    def handle(self) -> psutil.Process | None:
        """Return the living process, or None if it is gone, is a zombie, or the number now belongs to another."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.born) < CLOCK_SLACK and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return found if same else None

    def alive(self) -> bool:
        """Say whether the process still runs."""
        return self.handle() is not None


@dataclass(frozen=True, slots=True)
class Record:
    """One server, as written by itself: first without `url`, and again once it answers."""

    pid: int
    born: float
    model: str
    window: int
    started: float
    url: str = ""
    key: str = ""

    @property
    def process(self) -> Process:
        """The server's process."""
        return Process(self.pid, self.born)


@dataclass(frozen=True, slots=True)
class Lease:
    """One session's use of a server; `ended` is a Unix time, None while the session is open."""

    pid: int
    born: float
    keep_alive: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The files that belong to one server id."""

    record: Path
    log: Path

    @property
    def lock(self) -> Path:
        """The lock that whoever starts, replaces or ends the server holds."""
        return self.record.with_suffix(".lock")

    @property
    def leases(self) -> Path:
        """The folder of the sessions' leases."""
        return self.record.with_suffix(".leases")


_UNREADABLE = (OSError, ValueError, TypeError, KeyError, OverflowError)


def read_record(path: Path) -> Record | None:
    """Return the record at `path`, or None if there is none or it is garbage."""
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
        return Record(
            int(raw["pid"]),
            float(raw["born"]),
            str(raw["model"]),
            int(raw["window"]),
            float(raw["started"]),
            str(raw["url"]),
            str(raw["key"]),
        )
    except _UNREADABLE:
        return None


def read_lease(path: Path) -> Lease | None:
    """Return the lease at `path`, or None if there is none or it is garbage."""
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
        ended = None if raw["ended"] is None else float(raw["ended"])
        return Lease(int(raw["pid"]), float(raw["born"]), float(raw["keep_alive"]), ended)
    except _UNREADABLE:
        return None


def write(path: Path, value: Record | Lease) -> None:
    """Put `value` at `path` in one step, readable by its owner only."""
    write_json(path, asdict(value))


class Tenancy:
    """Whether a server is still wanted: while a session is open, and for the keep-alive after the last one.

    The session that ended last decides how long, as with Ollama: after `--keep-alive 0` the memory is free at once,
    whatever earlier sessions had asked for. A session that was killed counts as ended when that is noticed.
    """

    def __init__(self, folder: Path, keep_alive: float, now: float) -> None:
        self._folder = folder
        self._last_end = now
        self._deadline = now + keep_alive

    def wanted(self, now: float) -> bool:
        """Read the leases, forget those that ended, and say whether the server has to stay. `now` is a Unix time."""
        open_sessions = 0
        for path in self._folder.glob("*.json"):
            lease = read_lease(path)
            if lease and lease.ended is None and Process(lease.pid, lease.born).alive():
                open_sessions += 1
                continue
            if lease:
                self._note_end(min(lease.ended or now, now), lease.keep_alive)
            path.unlink(missing_ok=True)
        return open_sessions > 0 or now < self._deadline

    def _note_end(self, end: float, keep_alive: float) -> None:
        if end >= self._last_end:
            self._last_end, self._deadline = end, end + keep_alive


class OpenLease:
    """This session's lease on a server: taken with `renew`, given back with `end`."""

    def __init__(self, folder: Path, keep_alive: float) -> None:
        me = Process.current()
        self._path = folder / f"{me.pid}-{uuid.uuid4().hex[:8]}.json"
        self._lease = Lease(me.pid, me.born, keep_alive)

    def renew(self) -> None:
        """Put the open lease where the server looks for it."""
        write(self._path, self._lease)

    def end(self) -> None:
        """Tell the server that this session is over; it counts its keep-alive from now."""
        if self._path.exists():
            write(self._path, replace(self._lease, ended=time.time()))
