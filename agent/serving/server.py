"""vLLM's process: started, watched until it serves, tried again with less where memory ran out, and ended."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.backends.base import Progress, Report
from agent.backends.embedded_lock import POLL_SECONDS, locked
from agent.backends.embedded_process import healthy, no_place
from agent.backends.embedded_record import Process
from agent.errors import ModelServerError, UsageError
from agent.serving.ladder import last_word, next_rung
from agent.serving.launch import Launch, Program
from agent.serving.process import Tail, born, end, spawn
from agent.serving.record import Place, Record, read, write
from agent.serving.watch import Failure, StartLog

SILENCE_SECONDS = 1800.0
"""How long a start may say nothing: compiling takes minutes, and a download of weights can be silent in a log."""

HEALTH_SECONDS = 5.0
"""How long `/health` may take right after the start."""


@dataclass(frozen=True, slots=True)
class Started:
    """A server that serves."""

    record: Record
    seconds: float
    cache_tokens: int
    """Tokens that its KV cache holds; 0 where it did not say."""


@dataclass(slots=True)
class Starter:
    """Starts vLLM at one port, with less and less memory where it has to."""

    program: Program
    report: Report
    weights: tuple[Path, int] | None = None
    """The folder that a download fills, and its size in bytes when it is complete."""
    fitting: str = ""
    """Models known to fit these cards, for the last sentence."""
    _tried: list[Launch] = field(default_factory=list)

    async def start(self, launch: Launch) -> Started:
        """Start `launch` and return the server once it serves.

        It outlives this process; a cancel ends it. Raises `UsageError` where the port is taken, `ModelServerError`
        where no start succeeds.
        """
        place = Place(launch.port)
        try:
            place.record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise no_place(error) from error
        async with locked(place.lock, lambda: self.report(Progress("Waiting for another start at this port"))):
            await _free_port(place)
            while True:
                failure, started = await self._try(place, launch)
                if started is not None:
                    return started
                self._tried.append(launch)
                rung = next_rung(launch, failure, self._tried)
                if rung is None:
                    raise self._error(place, launch, failure)
                self.report(Progress(rung.said))
                launch = rung.launch

    async def _try(self, place: Place, launch: Launch) -> tuple[Failure, Started | None]:
        begun = time.time()
        command = self.program.command(launch)
        child = spawn(command, place.log, self.program.bin)  # at once: a cancel must not come before the record
        process = Process(child.pid, born(child.pid))
        window = launch.max_model_len if isinstance(launch.max_model_len, int) else 0
        record = Record(
            *(child.pid, process.born, launch.port, launch.repo, launch.names, window, begun), command=tuple(command)
        )
        log, serves = StartLog(), False
        try:
            await asyncio.to_thread(write, record)
            serves = await self._serves(child, launch, log)
        finally:
            if not serves:
                await asyncio.shield(end(process))
                place.record.unlink(missing_ok=True)
        return log.failure(), Started(record, time.time() - begun, log.window_tokens) if serves else None

    async def _serves(self, child: subprocess.Popen[bytes], launch: Launch, log: StartLog) -> bool:
        """Follow the log until vLLM serves (True), or its process ends or falls silent (False)."""
        self.report(log.progress)
        tail, spoken = Tail(Place(launch.port).log), time.monotonic()
        while True:
            alive = child.poll() is None
            for line in tail.lines():
                spoken = time.monotonic()
                if log.feed(line):
                    self.report(log.progress)
            if log.ready and await healthy(f"http://{launch.host}:{launch.port}", HEALTH_SECONDS):
                return True
            if not alive or time.monotonic() - spoken > SILENCE_SECONDS:
                return False
            if log.may_download and self._report_download():
                spoken = time.monotonic()
            await asyncio.sleep(POLL_SECONDS)

    def _report_download(self) -> bool:
        """Report how much of the weights is here, while it grows; say whether it does."""
        if self.weights is None or not self.weights[1]:
            return False
        folder, total = self.weights
        blobs = folder / "blobs"
        have = _bytes(blobs.glob("*.incomplete")) if blobs.is_dir() else 0
        if have:
            done = _bytes(blobs.iterdir())
            self.report(Progress(f"Downloading to {folder}", min(done, total), total))
        return bool(have)

    def _error(self, place: Place, launch: Launch, failure: Failure) -> ModelServerError:
        said = failure.said or "it said nothing"
        more = f" after {len(self._tried)} tries" if len(self._tried) > 1 else ""
        message = f"vLLM did not start{more}: {' '.join(said.split())[:500].rstrip('.')}."
        if failure.kind == "other":
            return ModelServerError(message, f"{_hint(said)}Its log is {place.log}.")
        return ModelServerError(message, f"{last_word(launch, failure, self.fitting)} Its log is {place.log}.")


def _bytes(files: Iterable[Path]) -> int:
    """Return the bytes of files, of which the hub's client may rename one meanwhile."""
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


_HINTS = (
    (r"bfloat16 is (?:not|only) supported|Bfloat16 is only", "Add --dtype half. "),
    (r"GatedRepo|gated repo|401 Client|restricted", "Accept the model's terms on its page and set HF_TOKEN. "),
    (r"RepositoryNotFound|is not a valid model identifier|404 Client", "Check the model's name. "),
    (r"Failed to infer device type|No CUDA GPUs", "vLLM finds no GPU: a2ia-cli doctor tells more. "),
    (r"greater than the derived max_model_len", "Give a smaller --max-model-len, or leave it out. "),
    (r"LocalEntryNotFound|offline mode|ConnectError|Name or service", "Connect to the network, or name a folder. "),
    (r"ddress already in use", "Choose another --port. "),
)


def _hint(said: str) -> str:
    return next((hint for form, hint in _HINTS if re.search(form, said)), "")


async def _free_port(place: Place) -> None:
    """Raise `UsageError` if something listens at the port."""
    record = read(place)
    if record is not None and record.process.alive():
        raise UsageError(
            f"A2IA's vLLM already serves {record.names[0]} at port {place.port}.",
            f"Stop it with a2ia-cli vllm stop --port {place.port}, or choose another --port.",
        )
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(2):
            _, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.close()
        raise UsageError(f"Another program listens at port {place.port}.", "End it, or choose another with --port.")


async def stop(place: Place) -> bool:
    """End the server at a port, also one that is still starting; say whether there was one."""
    record = await asyncio.to_thread(read, place)
    if record is None or not record.process.alive():
        return False
    await end(record.process)
    if await asyncio.to_thread(read, place) == record:
        place.record.unlink(missing_ok=True)
    return True


def starting(place: Place) -> str:
    """Return how far a start at this port is, for people; nothing if none is under way."""
    record = read(place)
    if record is None or not record.process.alive():
        return ""
    log = StartLog()
    for line in Tail(place.log).lines():
        log.feed(line)
    return "" if log.ready else log.progress.text
