"""What was seen of a model, kept until its server, its weights or its template change: asking again takes seconds."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent import places
from agent.store import write_json


def recall(model: str, state: str) -> dict[str, Any]:
    """Return what was kept for `model` (with its server's address) in this `state`; empty if it was another."""
    try:
        kept = json.loads(_file(model).read_text(encoding="utf-8"))
        return dict(kept["seen"]) if kept["state"] == state else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def keep(model: str, state: str, seen: dict[str, Any]) -> None:
    """Keep what was seen of `model`, in place of what was; a cache that cannot be written is done without."""
    with suppress(OSError):
        write_json(_file(model), {"model": model, "state": state, "seen": seen})


def _file(model: str) -> Path:
    return places.cache_dir() / "evidence" / f"{hashlib.sha256(model.encode()).hexdigest()[:16]}.json"
