"""Why a server is not there, as one sentence with the way out; never a traceback."""

from pathlib import Path

import httpx2
from mcp import MCPError
from mcp_types import CONNECTION_CLOSED

from agent.errors import McpServerError
from agent.mcp.config import ServerSpec
from agent.mcp.http import HttpTransport
from agent.mcp.stdio import MAX_MESSAGE_BYTES, StdioTransport

Transport = StdioTransport | HttpTransport | None


def leaf(error: BaseException) -> BaseException:
    """Return the first exception inside nested groups that says more than that the connection closed."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    found = [leaf(inner) for inner in error.exceptions]
    return next((inner for inner in found if not _is_closed(inner)), found[0])


def explain(error: Exception, spec: ServerSpec, log: Path, transport: Transport) -> McpServerError:
    """Turn whatever opening or holding a client threw into one sentence and what to do."""
    cause = leaf(error)
    if isinstance(transport, StdioTransport):
        return _of_program(cause, spec, log, transport)
    if isinstance(transport, HttpTransport):
        return _of_url(cause, spec, transport)
    return McpServerError(f"MCP server {spec.name!r} broke off: {_text(cause)}.")


def silent(spec: ServerSpec, log: Path, transport: Transport, seconds: float) -> McpServerError:
    """Say that a server was not ready in time."""
    longer = f'or give it longer with "startTimeout"{_where(spec)}'
    message = f"MCP server {spec.name!r} was not ready after {seconds:g} s"
    if not isinstance(transport, StdioTransport):
        return McpServerError(f"{message}.", f"See whether {spec.url or 'it'} answers, {longer}.")
    if transport.noise:
        message += f"; it prints text that is not MCP: {transport.noise[:100]!r}"
    return McpServerError(f"{message}.", f"Read its log {log}, {longer}.")


def _of_url(cause: BaseException, spec: ServerSpec, http: HttpTransport) -> McpServerError:
    who = f"MCP server {spec.name!r}"
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return McpServerError(f"{who} cannot be reached at {spec.url}.", f"Start it, or correct its url{_where(spec)}.")
    if http.refusal in {401, 403}:
        return McpServerError(
            f"{who} at {spec.url} wants other credentials (HTTP {http.refusal}).", f"Correct its headers{_where(spec)}."
        )
    if http.refusal:
        return McpServerError(
            f"{who} at {spec.url} refused the request (HTTP {http.refusal}).", f"Correct its url{_where(spec)}."
        )
    return McpServerError(f"{who} at {spec.url} broke off: {_text(cause)}.", f"Check its url{_where(spec)}.")


def _of_program(cause: BaseException, spec: ServerSpec, log: Path, stdio: StdioTransport) -> McpServerError:
    if isinstance(cause, OSError) and Path(str(cause.filename)) in (log, *log.parents):
        return McpServerError(f"The log {log} of MCP server {spec.name!r} cannot be written: {cause.strerror}.")
    if isinstance(cause, OSError) and not isinstance(cause, ConnectionError):
        return _not_started(cause, spec)
    if stdio.oversized:
        size = MAX_MESSAGE_BYTES // 2**20
        message = f"MCP server {spec.name!r} was stopped: it sent one message of more than {size} MB."
        return McpServerError(message, "Ask it for less.")
    if not _is_closed(cause):
        return McpServerError(f"MCP server {spec.name!r} refused to start: {_text(cause)}.", f"Read its log {log}.")
    code = "" if stdio.returncode is None else f" with exit code {stdio.returncode}"
    last = _last_line(log) or stdio.noise
    said = f" ({last[:200]})" if last else ""
    return McpServerError(
        f"MCP server {spec.name!r} stopped{code} before it was ready{said}.",
        f"Read its log {log}, and run {spec.command!r} by hand.",
    )


def _not_started(cause: OSError, spec: ServerSpec) -> McpServerError:
    if spec.cwd is not None and not spec.cwd.is_dir():
        return McpServerError(
            f"MCP server {spec.name!r} cannot be started: its folder {spec.cwd} does not exist.",
            f"Correct its cwd{_where(spec)}.",
        )
    why = "was not found" if isinstance(cause, FileNotFoundError) else f"cannot be run ({cause.strerror or cause})"
    return McpServerError(
        f"MCP server {spec.name!r} cannot be started: the program {spec.command!r} {why}.",
        f"Install it, or correct its command{_where(spec)}.",
    )


def _is_closed(error: BaseException) -> bool:
    return isinstance(error, MCPError) and error.code == CONNECTION_CLOSED


def _where(spec: ServerSpec) -> str:
    return f" in {spec.source}" if spec.source else ""


def _text(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


def _last_line(log: Path) -> str:
    """Return the last line of what the server said on standard error."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip() and not line.startswith("[a2ia]")), "")
