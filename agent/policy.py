"""Which tool calls need a person's yes, and which may be run a second time or need not be."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

_READING = re.compile(
    r"(?:^|_)(?:check|count|describe|display|fetch|find|get|has|is|list|look|poll|query|read|search|show|status|view|wait)"
    r"(?:_|$)"
)
"""Parts of names by which a tool only reads, whatever it says of itself."""


def needs_approval(tool_metadata: Mapping[str, Any], tool_name: str, allow: Sequence[str], yes: bool) -> bool:
    """Tell whether a call needs a yes: all do but our own read-only tools, unless `yes` or a glob in `allow` matches.

    A glob is matched, case-sensitively, against the tool's name and against `server:tool` (`git_*`, `server:*`).
    That another server calls its tool read-only is a hint from a stranger and counts for nothing here.
    """
    if yes or (tool_metadata.get("builtin") is True and tool_metadata.get("read_only") is True):
        return False
    return not any(fnmatchcase(name, pattern) for name in _names(tool_metadata, tool_name) for pattern in allow)


def may_rerun(tool_metadata: Mapping[str, Any]) -> bool:
    """Tell whether a call whose outcome is unknown may be sent again: the tool is read-only or idempotent.

    Strangers' hints do count here: a person has allowed this very call, and a lie costs at most its repetition.
    """
    return tool_metadata.get("read_only") is True or tool_metadata.get("idempotent") is True


def is_steady(tool_metadata: Mapping[str, Any]) -> bool:
    """Tell whether a tool gives the same result until another call changes something.

    It is read-only and does not say that it looks at an open world (MCP's `openWorldHint`), which changes by itself.
    """
    return tool_metadata.get("read_only") is True and tool_metadata.get("open_world") is not True


def changes(name: str, tool_metadata: Mapping[str, Any]) -> bool:
    """Say whether a tool may change something: it does not say that it only reads, and its name is none of reading.

    Many servers annotate nothing.
    """
    in_snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return tool_metadata.get("read_only") is not True and not _READING.search(in_snake)


def is_done_once(name: str, tool_metadata: Mapping[str, Any]) -> bool:
    """Say whether a call of a tool is seldom meant to be made twice: it is another server's, and changes something."""
    is_own = bool(tool_metadata.get("builtin"))
    return changes(name, tool_metadata) and not is_own and tool_metadata.get("idempotent") is not True


def _names(tool_metadata: Mapping[str, Any], tool_name: str) -> list[str]:
    server = tool_metadata.get("server")
    if not server:
        return [tool_name]
    return [tool_name, f"{server}:{tool_name}", f"{server}:{tool_metadata.get('mcp_name', tool_name)}"]
