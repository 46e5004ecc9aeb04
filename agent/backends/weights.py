"""The embedded model's weights: found in the cache, or fetched from the hub or its mirror, resumed and checked."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import shutil
import time
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.backends.base import Progress, Report
from agent.backends.embedded_lock import locked
from agent.backends.weights_model import KNOWN, LocalFile, ModelFile, SourceError
from agent.errors import WeightsUnavailable

if TYPE_CHECKING:
    import httpx

    from agent.backends.weights_source import Source

REPORT_SECONDS = 0.1
"""Least time between two reports of progress."""

ATTEMPTS = 3
"""How often in a row a source may break off without having delivered anything, once it had begun to deliver."""

CHECK_BYTES = 1 << 22
"""Bytes that are read at a time for the sum: some 10 ms each, so that Ctrl-C is not kept waiting."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One known model as `models list` shows it; sizes in bytes, `have` of them here."""

    name: str
    path: Path
    size: int
    have: int
    complete: bool


def list_models() -> list[ModelRow]:
    """Return the known models and how much of each is in the cache."""
    return [ModelRow(m.name, m.path(), m.size, m.have(), m.complete()) for m in KNOWN.values()]


async def fetch(model: ModelFile | LocalFile, report: Report) -> Path:
    """Return the path of `model`'s weights, fetching them if they are not here yet.

    What an interrupted fetch left behind is gone on with. Raises `WeightsUnavailable`.
    """
    if isinstance(model, LocalFile):
        return model.file
    if model.complete():
        return model.path()
    try:
        waiting = Progress(f"Waiting for another session that fetches {model.name}")
        async with locked(model.path().with_suffix(".lock"), lambda: report(waiting)):
            if not model.complete():
                await _fetch(model, report)
    except OSError as error:
        raise _disk_error(model, error) from error
    return model.path()


async def _fetch(model: ModelFile, report: Report) -> None:
    part = model.part_path()
    if _size(part) > model.size:
        await asyncio.to_thread(part.unlink)
    free, need = shutil.disk_usage(part.parent).free, model.size - _size(part)
    if free < need:
        raise WeightsUnavailable(
            f"{part.parent} has {free / 1e6:.0f} MB free, but {model.name} needs another {need / 1e6:.0f} MB.",
            "Free some space, or point XDG_CACHE_HOME at a larger disk.",
        )
    if need:
        await _fetch_from_any(model, report)
    if await _sum(part, Meter(report, f"Checking {model.name}", model.size)) != model.sha256:
        await asyncio.to_thread(part.unlink)
        raise WeightsUnavailable(
            f"The weights of {model.name} arrived damaged (their SHA-256 is not the pinned one) and were deleted.",
            "Run the same command again; if it happens twice, the source is not to be trusted: " + _by_hand(model),
        )
    await asyncio.to_thread(part.replace, model.path())


async def _fetch_from_any(model: ModelFile, report: Report) -> None:
    """Bring the part file to its full size from the first source that can. Raises `WeightsUnavailable`."""
    from agent.backends import weights_source

    reasons: list[str] = []
    async with weights_source.client() as http:
        for source in weights_source.sources(model):
            meter = Meter(report, f"Fetching {model.name} from {source.host}", model.size)
            try:
                await _fetch_from(source, http, model, meter)
                return
            except SourceError as error:
                reasons.append(f"{source.host}: {error}")
    raise WeightsUnavailable(
        f"The weights of {model.name} are not here and could not be fetched ({'; '.join(reasons) or 'offline'}).",
        "Connect to the network and run the same command again, or " + _by_hand(model),
    )


async def _fetch_from(source: Source, http: httpx.AsyncClient, model: ModelFile, meter: Meter) -> None:
    """Append from one source, again and again as long as it delivers. Raises `SourceError` where it does not."""
    begun, failures = False, 0
    while True:
        before = _size(model.part_path())
        try:
            await _append(source, http, model, meter)
            return
        except SourceError:
            delivered = _size(model.part_path()) > before
            begun, failures = begun or delivered, 0 if delivered else failures + 1
            if not begun or failures == ATTEMPTS:
                raise


async def _append(source: Source, http: httpx.AsyncClient, model: ModelFile, meter: Meter) -> None:
    with model.part_path().open("ab") as file:
        try:
            async with aclosing(source.chunks(http, file.tell())) as chunks:
                async for chunk in chunks:
                    file.write(chunk)
                    meter.at(file.tell())
                    if file.tell() > model.size:
                        raise SourceError("it sends more than the file has", good=0)
        except SourceError as error:
            file.flush()
            if error.good is not None:
                file.truncate(min(error.good, file.tell()))
            raise
        if file.tell() < model.size:
            raise SourceError("it broke off early")


class Meter:
    """Reports bytes done of `total`, at most about ten times a second, and the last of them always."""

    def __init__(self, report: Report, text: str, total: int) -> None:
        self._report, self._text, self._total = report, text, total
        self._next = 0.0

    def at(self, done: int) -> None:
        """Report that `done` bytes are here, unless the last report is too recent and more are to come."""
        now = time.monotonic()
        if now >= self._next or done == self._total:
            self._next = now + REPORT_SECONDS
            self._report(Progress(self._text, done, self._total))


async def _sum(path: Path, meter: Meter) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHECK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            meter.at(done)
            await asyncio.sleep(0)
    return digest.hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _by_hand(model: ModelFile) -> str:
    source = f"https://huggingface.co/{model.repo}"
    return f"put {model.file} from {source} at {model.path()}, or name any GGUF file with --model PATH."


def _disk_error(model: ModelFile, error: OSError) -> WeightsUnavailable:
    folder = model.path().parent
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return WeightsUnavailable(
            f"The disk of {folder} is full with {model.have() / 1e6:.0f} of {model.size / 1e6:.0f} MB of {model.name}.",
            "Free some space and run the same command again: it goes on where it stopped.",
        )
    return WeightsUnavailable(
        f"The weights of {model.name} cannot be kept in {folder}: {error.strerror or error}.",
        "Make that folder writable, or point XDG_CACHE_HOME at another.",
    )
