"""Which projects' `.mcp.json` may start programs: a yes is remembered per folder, for exactly this content."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

from agent.config import state_dir


def is_trusted(path: Path) -> bool:
    """Tell whether a person said yes to this file, with the content that it has now."""
    return path.is_file() and _load().get(str(path.resolve())) == _digest(path)


def remember(path: Path) -> None:
    """Remember a yes to this file as it is now; any change to it needs a new one."""
    _save({**_load(), str(path.resolve()): _digest(path)})


def _store() -> Path:
    return state_dir() / "trusted.json"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _load() -> dict[str, str]:
    try:
        found = json.loads(_store().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _save(trusted: dict[str, str]) -> None:
    store = _store()
    store.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file readable by its owner only, and the rename is atomic.
    handle, temporary = tempfile.mkstemp(dir=store.parent, prefix="trusted-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(trusted, file, indent=1, sort_keys=True)
        Path(temporary).replace(store)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
