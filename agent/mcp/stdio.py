"""A stdio MCP server as a child process that is always gone afterwards.

Why not the SDK's `stdio_client`: it concatenates what it reads, so a 100 MB line takes minutes; it prints a traceback
for every line that is not MCP; and a server that ignores SIGTERM takes it 4.5 of the 5 seconds that closing may take.
"""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

from agent.mcp.config import ServerSpec
from tools.text import whole_escapes

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
_MAX_LOG_BYTES = 1024 * 1024
_READ_BYTES = 256 * 1024
_EXIT_GRACE = 1.0
_KILL_GRACE = 1.0
_ID = re.compile(rb'"id"\s*:\s*(\d{1,15})\b')

Incoming = MemoryObjectSendStream[SessionMessage | Exception]
Outgoing = MemoryObjectReceiveStream[SessionMessage]
Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


class StdioTransport:
    """Runs one server; what it says on standard error, and what is not MCP, goes to `log`."""

    def __init__(self, spec: ServerSpec, log: Path, on_end: Callable[[], None]) -> None:
        self.returncode: int | None = None
        self.noise = ""
        """First line of standard output that was not MCP."""
        self.oversized = False
        """Whether the connection was broken off because of a message over `MAX_MESSAGE_BYTES`."""
        self._spec = spec
        self._log = log
        self._on_end = on_end

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Streams]:
        """Start the program and yield its message streams; OSError if it cannot be started."""
        with ExitStack() as stack:
            # Broken off in the middle, a start would leave a process that nobody knows.
            with anyio.CancelScope(shield=True):
                log = stack.enter_context(await asyncio.to_thread(_open_log, self._log))
                process = await self._spawn(log)
            stdin, stdout = _pipes(process)
            incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
            async with incoming, read_stream, write_stream, outgoing, anyio.create_task_group() as pipes:
                pipes.start_soon(self._read, process, stdout, incoming, log)
                pipes.start_soon(_write, stdin, outgoing)
                try:
                    yield read_stream, write_stream
                finally:
                    with anyio.CancelScope(shield=True):
                        read_stream.close()
                        await _stop(process, stdin)
                    self.returncode = process.returncode
                    pipes.cancel_scope.cancel()

    async def _spawn(self, log: BinaryIO) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self._spec.command,
            *self._spec.args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=get_default_environment() | dict(self._spec.env),
            cwd=self._spec.cwd,
            start_new_session=True,
            limit=_READ_BYTES,
        )

    async def _read(
        self, process: asyncio.subprocess.Process, stdout: asyncio.StreamReader, incoming: Incoming, log: BinaryIO
    ) -> None:
        parts: list[bytes] = []
        held = 0
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            while chunk := await stdout.read(_READ_BYTES):
                *ends, rest = chunk.split(b"\n")
                for end in ends:
                    parts.append(end)
                    message = self._parse(parts, log)
                    held = 0
                    if message is not None:
                        await incoming.send(message)
                parts.append(rest)
                held += len(rest)
                if held > MAX_MESSAGE_BYTES:
                    self.oversized = True
                    break
        with suppress(ProcessLookupError, asyncio.TimeoutError):
            # The exit code usually follows the end of the output at once; it makes the better error message.
            self.returncode = await asyncio.wait_for(process.wait(), 0.2)
        incoming.close()
        self._on_end()

    def _parse(self, parts: list[bytes], log: BinaryIO) -> SessionMessage | None:
        """Take one line out of `parts`; they are emptied first, since a line may be 100 MB."""
        line = b"".join(parts)
        parts.clear()
        if not line.strip():
            return None
        message: mcp_types.JSONRPCMessage | None = _read(line)
        if message is None:
            text = line[:300].decode(errors="replace").strip()
            self.noise = self.noise or text
            log.write(f"[a2ia] not MCP on standard output: {text}\n".encode())
            message = _unreadable(line)
        return SessionMessage(message) if message else None


def _read(line: bytes) -> mcp_types.JSONRPCMessage | None:
    """Read a line; where it can be read no other way, half characters and bytes that are not UTF-8 are U+FFFD."""
    adapter = mcp_types.jsonrpc_message_adapter
    with suppress(ValueError):
        return adapter.validate_json(line, by_name=False)
    with suppress(ValueError):
        return adapter.validate_json(whole_escapes(line.decode(errors="replace"), r"\ufffd"), by_name=False)
    return None


def _unreadable(line: bytes) -> mcp_types.JSONRPCError | None:
    """Return an error in place of a result that cannot be read, so that the request does not wait for ever."""
    if b'"result"' not in line:
        return None
    try:
        value = json.loads(line)
        number = value.get("id") if isinstance(value, dict) else None
    except ValueError:
        found = _ID.search(line)
        number = int(found[1]) if found else None
    if not isinstance(number, int):
        return None
    error = mcp_types.ErrorData(code=mcp_types.PARSE_ERROR, message="Its result cannot be read; its log shows it.")
    return mcp_types.JSONRPCError(jsonrpc="2.0", id=number, error=error)


def _pipes(process: asyncio.subprocess.Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without pipes")
    return process.stdin, process.stdout


async def _write(stdin: asyncio.StreamWriter, outgoing: Outgoing) -> None:
    with suppress(OSError):
        async for message in outgoing:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            stdin.write(text.encode() + b"\n")
            await stdin.drain()


async def _stop(process: asyncio.subprocess.Process, stdin: asyncio.StreamWriter) -> None:
    """Close its input, then SIGTERM, then SIGKILL to the whole group: two seconds and a bit at the worst."""
    try:
        stdin.close()
        if not await _within(_EXIT_GRACE, lambda: process.returncode is not None) or _group_alive(process.pid):
            _signal_group(process.pid, signal.SIGTERM)
            await _within(_KILL_GRACE, lambda: process.returncode is not None and not _group_alive(process.pid))
    finally:
        # Also on the way out of a task that was cancelled twice: nothing may outlive the session.
        _signal_group(process.pid, signal.SIGKILL)
    await _within(_KILL_GRACE, lambda: process.returncode is not None)
    # A descendant that left the group may hold the pipes open; without this the transport is never closed.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


async def _within(seconds: float, done: Callable[[], bool]) -> bool:
    """Poll, because `process.wait()` also waits for the pipes, which a descendant may hold."""
    with anyio.move_on_after(seconds):
        while not done():  # noqa: ASYNC110  a process group gives no event to wait for
            await anyio.sleep(0.01)
    return done()


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _group_alive(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _open_log(path: Path) -> BinaryIO:
    """Open for appending; a file that grew over the limit in earlier sessions starts anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _MAX_LOG_BYTES:
        path.unlink()
    return path.open("ab", buffering=0)
