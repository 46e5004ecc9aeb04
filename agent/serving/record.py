"""What `vllm start` leaves on disk for `stop`, `status` and `logs`.

<state>/vllm/<machine>-<port>.json    where the server is and what it serves (mode 0600)
<state>/vllm/<machine>-<port>.lock    held by who starts or stops the server at this port
<state>/logs/vllm-<port>.log          vLLM's own words, since it was started
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.backends.embedded_record import Process, machine
from agent.places import state_dir
from agent.store import write_json


@dataclass(frozen=True, slots=True)
class Record:
    """One server that A2IA started."""

    pid: int
    born: float
    port: int
    model: str
    """What vLLM loaded."""
    names: tuple[str, ...]
    window: int
    """The window that was asked for, in tokens; 0 where it was left to vLLM."""
    started: float
    command: tuple[str, ...]

    @property
    def process(self) -> Process:
        """The server's process."""
        return Process(self.pid, self.born)


@dataclass(frozen=True, slots=True)
class Place:
    """The files that belong to the server at one port."""

    port: int

    @property
    def record(self) -> Path:
        """Where the record is."""
        return state_dir() / "vllm" / f"{machine()}-{self.port}.json"

    @property
    def lock(self) -> Path:
        """The lock that whoever starts or stops the server holds."""
        return self.record.with_suffix(".lock")

    @property
    def log(self) -> Path:
        """Where vLLM's words go."""
        return state_dir() / "logs" / f"vllm-{self.port}.log"


def read(place: Place) -> Record | None:
    """Return the record of the server at a port, or None if there is none or it is garbage."""
    try:
        raw: Any = json.loads(place.record.read_text("utf-8"))
        return Record(
            pid=int(raw["pid"]),
            born=float(raw["born"]),
            port=int(raw["port"]),
            model=str(raw["model"]),
            names=tuple(str(name) for name in raw["names"]),
            window=int(raw["window"]),
            started=float(raw["started"]),
            command=tuple(str(word) for word in raw["command"]),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def write(record: Record) -> None:
    """Put a record in its place in one step, readable by its owner only: the command may hold an API key."""
    write_json(Place(record.port).record, asdict(record))


def running() -> list[Record]:
    """Return the records of this user's servers that live now."""
    names = (path.stem.partition("-")[2] for path in sorted((state_dir() / "vllm").glob(f"{machine()}-*.json")))
    found = (read(Place(int(name))) for name in names if name.isdecimal())
    return [record for record in found if record and record.process.alive()]
