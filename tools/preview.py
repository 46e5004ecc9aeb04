"""What a change of a file would do, without doing it."""

import difflib
from collections.abc import Mapping
from typing import Any

from tools.encoding import decoded
from tools.errors import ToolFailure
from tools.replace import replace_once
from tools.text import shown
from tools.workspace import Workspace

_MAX_SIZE = 5_000_000


def diff_of(workspace: Workspace, tool: str, args: Mapping[str, Any]) -> list[str] | None:
    """Return the unified diff of an `edit_file` or `write_file` call; None for any other tool.

    Raises:
        ToolFailure: the call would be refused.
    """
    if tool not in ("edit_file", "write_file"):
        return None
    path = str(args.get("path", ""))
    before = _text(workspace, path, missing_ok=tool == "write_file")
    if tool == "write_file":
        after = str(args.get("content", ""))
    else:
        after, _ = replace_once(before or "", str(args.get("old", "")), str(args.get("new", "")), shown(path))
    old, new = (before or "").splitlines(), after.splitlines()
    name = shown(path)
    lines = list(difflib.unified_diff(old, new, name if before is not None else "/dev/null", name, lineterm=""))
    return lines or [f"{name}: only line ends change" if before != after else f"{name} stays as it is"]


def _text(workspace: Workspace, path: str, *, missing_ok: bool) -> str | None:
    try:
        with workspace.reading(path) as stream:
            return decoded(stream.read(_MAX_SIZE), shown(path))[0]
    except ToolFailure as failure:
        if missing_ok and isinstance(failure.__cause__, FileNotFoundError):
            return None
        raise
