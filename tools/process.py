import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import psutil

_CHUNK = 1 << 16
_GRACE_S = 0.5
_MARK = "A2IA_CALL"
_running: dict[int, str] = {}


@dataclass(frozen=True)
class Finished:
    """How a program ended, and the part of its output that was kept."""

    code: int
    output: bytes
    errors: bytes
    left_out: int
    timed_out: bool
    orphans: bool


class _Kept:
    """Reads one pipe while the program runs; keeps the first and the last bytes, and counts what lies between."""

    def __init__(self, head: int, tail: int) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        os.set_blocking(self._reader, False)
        self._sizes = (head, tail)
        self._head, self._tail, self._total = bytearray(), bytearray(), 0
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    def close(self) -> None:
        """Take what is still in the pipe (bounded: a stranger may hold the other end) and close it."""
        self.let_go()
        for _ in range(64):
            if not self._read():
                break
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)

    def let_go(self) -> None:
        """Close our copy of the program's end."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def result(self) -> tuple[bytes, int]:
        """Give what was kept, a line between the parts that says what was left out, and the count of those bytes."""
        left_out = self._total - len(self._head) - len(self._tail)
        gap = f"\n[... {left_out} bytes left out ...]\n".encode() if left_out else b""
        return bytes(self._head) + gap + bytes(self._tail), left_out

    def _read(self) -> bool:
        try:
            data = os.read(self._reader, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._reader)
            return False
        self._total += len(data)
        room = self._sizes[0] - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        del self._tail[: max(len(self._tail) - self._sizes[1], 0)]
        return True


async def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout: float,
    keep: tuple[int, int],
    stdin: bytes | None = None,
    merge: bool = False,
) -> Finished:
    """Run a program as a process group of its own and end the whole group when it ends, times out or is cancelled.

    `timeout` is in seconds; `keep` is how many bytes of the output are kept at its start and at its end;
    `merge` sends the errors into the output.
    """
    mark = os.urandom(8).hex()
    with ExitStack() as stack:
        output = _Kept(*keep)
        stack.callback(output.close)
        errors = output if merge else _Kept(4_000, 0)
        if not merge:
            stack.callback(errors.close)
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env={**environment, _MARK: mark},
            stdin=stack.enter_context(_input(stdin)),
            stdout=output.writer,
            stderr=errors.writer,
            start_new_session=True,
        )
        output.let_go()
        errors.let_go()
        timed_out, orphans = await _wait(process, mark, timeout)
    kept, left_out = output.result()
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Finished(code, kept, errors.result()[0], left_out, timed_out, orphans)


def end_all() -> None:
    """Kill every program that still runs; for a server that is about to end."""
    for group, mark in list(_running.items()):
        _signal(group, signal.SIGKILL)
        _kill_marked(mark)


async def _wait(process: asyncio.subprocess.Process, mark: str, timeout: float) -> tuple[bool, bool]:
    _running[process.pid] = mark
    finished, orphans = False, False
    try:
        with anyio.move_on_after(timeout):
            await process.wait()
            finished = True
    finally:
        with anyio.CancelScope(shield=True):
            if not finished:
                await _end(process, mark)
        orphans = _signal(process.pid, signal.SIGKILL)
        del _running[process.pid]
    return not finished, orphans


async def _end(process: asyncio.subprocess.Process, mark: str) -> None:
    _signal(process.pid, signal.SIGTERM)
    with anyio.move_on_after(_GRACE_S):
        await process.wait()
    _signal(process.pid, signal.SIGKILL)
    _kill_marked(mark)
    with anyio.move_on_after(2):
        await process.wait()


def _signal(group: int, number: signal.Signals) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _kill_marked(mark: str) -> None:
    """Kill what the program started and took out of its process group; they have its mark in their environment."""
    for _ in range(3):
        marked = [process for process in psutil.process_iter() if _has_mark(process, mark)]
        for process in marked:
            with suppress(psutil.Error):
                process.kill()
        if not marked:
            break


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARK) == mark
    except (psutil.Error, OSError):
        return False


@contextmanager
def _input(data: bytes | None) -> Iterator[int]:
    if data is None:
        yield asyncio.subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.seek(0)
        yield stream.fileno()
