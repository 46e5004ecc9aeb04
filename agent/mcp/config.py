"""MCP servers to connect: the ecosystem's `mcpServers` JSON, and server objects in this process."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.config import config_dir
from agent.errors import UsageError
from agent.mcp.jsonfile import JsonFile, nearest

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

_HTTP_TYPES = {"http", "streamable-http", "streamableHttp", "streamable_http"}


@dataclass(frozen=True)
class ServerSpec:
    """One MCP server: exactly one of a program (`command`), a `url`, or a server object in this process."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sse: bool = False
    """Whether `url` speaks the older HTTP+SSE transport."""
    server: "MCPServer[Any] | None" = None
    timeout: float | None = None
    """Seconds that a call may take; the toolbox's own limit where None."""
    start_timeout: float | None = None
    """Seconds until the server must be ready; the toolbox's own limit where None."""
    builtin: bool = False
    """Whether A2IA ships this server, so that its annotations are trusted."""
    source: Path | None = None
    """The file that named this server."""

    def __post_init__(self) -> None:
        if bool(self.command) + bool(self.url) + (self.server is not None) != 1:
            raise UsageError(f"MCP server {self.name!r} needs exactly one of a command, a url or a server object.")


class Discovered(NamedTuple):
    """The configuration files that were found; None where there is none."""

    project: Path | None
    user: Path | None


def discover(workspace: Path) -> Discovered:
    """Find the project's `.mcp.json` (which needs a yes, see `agent.mcp.trust`) and the user's `mcp.json`."""
    project, user = workspace / ".mcp.json", config_dir() / "mcp.json"
    return Discovered(project if project.is_file() else None, user if user.is_file() else None)


def merge_specs(*groups: Iterable[ServerSpec]) -> list[ServerSpec]:
    """Join lists of servers; where two share a name, the one that comes first is kept."""
    merged: dict[str, ServerSpec] = {}
    for group in groups:
        for spec in group:
            merged.setdefault(spec.name, spec)
    return list(merged.values())


def load_mcp_config(path: Path) -> list[ServerSpec]:
    """Read the servers that an `mcpServers` file names, without the disabled ones; raises `ConfigError`.

    Keys of other clients that A2IA does not know are ignored. A relative `cwd` counts from the file's folder.
    """
    file = JsonFile(path)
    if "mcpServers" not in file.top:
        other = next((f'; rename "{key}" to "mcpServers"' for key in ("servers", "mcp") if key in file.top), "")
        raise file.error(f'the file has no "mcpServers" object{other}', "mcpServers")
    return [spec for name in file.mapping("mcpServers") if (spec := _server(file, name)) is not None]


def _server(file: JsonFile, name: str) -> ServerSpec | None:
    where = ("mcpServers", name)
    entry = file.mapping(*where)
    if file.flag(*where, "disabled"):
        return None
    command, url = file.text(*where, "command"), file.text(*where, "url")
    kind = file.text(*where, "type") or ("http" if url and not command else "stdio")
    _check(file, where, entry, kind, command, url)
    cwd, limit = file.text(*where, "cwd"), file.seconds(*where, "timeout")
    return ServerSpec(
        name=name,
        command=command,
        args=file.texts(*where, "args"),
        env=file.text_map(*where, "env"),
        cwd=(file.path.resolve().parent / Path(cwd).expanduser()) if cwd else None,
        url=url,
        headers=file.text_map(*where, "headers"),
        sse=kind == "sse",
        timeout=limit,
        start_timeout=file.seconds(*where, "startTimeout") or limit,
        source=file.path,
    )


def _check(file: JsonFile, where: tuple[str, str], entry: Mapping[str, Any], kind: str, command: str, url: str) -> None:
    if not where[1].strip():
        raise file.error("a server needs a name", *where)
    if command and url:
        raise file.error("has both a command and a url; a server is one or the other", *where)
    if kind not in {"stdio", "sse", *_HTTP_TYPES}:
        raise file.error(f"is {kind!r}; known are 'stdio', 'http' and 'sse'", *where, "type")
    if kind == "stdio" and not command:
        other = ' (or "url", for a server over HTTP)' if "type" not in entry else ""
        raise file.error(f"is missing{other}{nearest(entry, 'command', 'url')}", *where, "command")
    if kind != "stdio" and not url:
        raise file.error(f"is missing; a server of type {kind!r} needs it{nearest(entry, 'url')}", *where, "url")
    if url and not url.startswith(("http://", "https://")):
        raise file.error(f"is {url!r}; it must begin with http:// or https://", *where, "url")
