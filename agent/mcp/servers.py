"""Which MCP servers a run uses, as the settings say."""

from collections.abc import Callable
from pathlib import Path

from agent.config import Settings, config_dir
from agent.errors import UsageError
from agent.mcp.config import ServerSpec, load_mcp_config
from agent.mcp.trust import is_trusted
from tools.server import build_server
from tools.shell import MAX_TIMEOUT_S

_GRACE_S = 30
"""Seconds for what a command leaves behind: its own limit is the tool's, which tells what it said until then."""


def check_workspace(settings: Settings) -> Path:
    """Return the workspace's absolute path. Raises `UsageError` if it is no folder."""
    folder = settings.workspace.expanduser()
    if not folder.is_dir():
        raise UsageError(f"The workspace {folder} is not a folder.", "Give an existing folder with --workspace DIR.")
    return folder.resolve()


def server_specs(settings: Settings, workspace: Path, warn: Callable[[str], None]) -> list[ServerSpec]:
    """Return the MCP servers of a run: the user's, the project's if trusted, `--mcp-config`, and last the built-in one.

    Tools come in this order in the prompt. Behind the built-in ones a small model overlooks the others: 21 of 35 first
    calls (`benchmarks/tasks_mcp.py` and `wide`) were of the right server, with the built-in ones last 33.
    """
    own = [_built_in(workspace)] if settings.builtin_tools else []
    user, project = config_dir() / "mcp.json", workspace / ".mcp.json"
    files = [user] if user.exists() else []
    asked = [path.expanduser().resolve() for path in settings.mcp_config]
    if project.exists() and project.resolve() not in asked:
        if settings.yes or is_trusted(project):
            files.append(project)
        else:
            warn(f"{project} starts programs and was not used; allow it with --mcp-config {project} or --yes.")
    named: dict[str, ServerSpec] = {}
    for path in [*files, *settings.mcp_config]:
        named |= {spec.name: spec for spec in load_mcp_config(path.expanduser())}
    return [*named.values(), *own]


def _built_in(workspace: Path) -> ServerSpec:
    limit = MAX_TIMEOUT_S + _GRACE_S
    return ServerSpec("a2ia", server=build_server(workspace), timeout=limit, start_timeout=30, builtin=True)
