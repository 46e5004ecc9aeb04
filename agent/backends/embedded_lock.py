"""Locks between processes: held by an open file, so the system frees them when their holder dies."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

POLL_SECONDS = 0.1

_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
"""What a file system says that has no locks, as some network file systems have none."""

if sys.platform == "win32":
    import msvcrt

    def _claim(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _claim(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def try_lock(path: Path) -> int | None:
    """Take the lock at `path` if it is free and return its descriptor (`os.close` frees it), else None.

    The file itself is never removed: a lock on a removed file would exclude nobody.
    """
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _claim(descriptor)
    except OSError as error:
        if error.errno in _NO_LOCKS:  # better two that fetch the same than none that ever does
            return descriptor
        os.close(descriptor)
        return None
    return descriptor


@asynccontextmanager
async def locked(path: Path, on_wait: Callable[[], None] | None = None) -> AsyncIterator[None]:
    """Hold the lock at `path`; `on_wait` is called once if somebody else holds it now."""
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
    descriptor = try_lock(path)
    if descriptor is None and on_wait:
        on_wait()
    while descriptor is None:
        await asyncio.sleep(POLL_SECONDS)
        descriptor = try_lock(path)
    try:
        yield
    finally:
        os.close(descriptor)
