"""What vLLM's log says while it starts: how far it is, and why it failed. Wording of vLLM 0.6 to 0.32."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agent.backends.base import Progress

Kind = Literal["cache", "no_cache", "taken", "loading", "running", "other"]
"""Why a start failed: the window's cache is too small; there is none at all; other programs hold the memory; the
weights did not fit; a later step did not; or something that has nothing to do with memory."""

_SHARDS = re.compile(r"checkpoint shards:\s+(\d+)% Completed \| (\d+)/(\d+)")
_GRAPHS = re.compile(r"Capturing (?:CUDA|cuda)\s?graph[^:]*:\s+\d+%\|[^|]*\|\s*(\d+)/(\d+)")
_VERSION = re.compile(r"version (\d+\.\d+\S*)")
_STAGES = (
    (re.compile(r"Starting to load model"), "loading"),
    (re.compile(r"Model loading took|Loading model weights took"), "loaded"),
    (re.compile(r"torch\.compile|Dynamo bytecode|Compiling a graph|[Ww]arming up"), "compiling"),
    (re.compile(r"Graph capturing finished|init engine .* took"), "warm"),
    (re.compile(r"Application startup complete"), "ready"),
)
_TEXTS = {
    "starting": "Starting vLLM",
    "loading": "Loading the weights",
    "loaded": "Measuring what memory is left",
    "compiling": "Compiling",
    "warm": "Opening the server",
    "ready": "Ready",
}

_ESTIMATE = re.compile(r"estimated maximum model length is (\d+)")
_CACHE = re.compile(
    r"max seq len \((\d+)\)"
    r"(?:, \(?([\d.]+) GiB KV cache is needed.*?available KV cache memory \(([\d.-]+) GiB\)"
    r"| is larger than the maximum number of tokens that can be stored in KV cache \((\d+)\))"
)
_NO_CACHE = re.compile(r"No available memory for the cache blocks")
_TAKEN = re.compile(
    r"Free memory on device \S* ?\(([\d.]+)/([\d.]+) GiB\) on startup is less than desired GPU memory utilization "
    r"\(([\d.]+), ([\d.]+) GiB\)"
)
_OUT = re.compile(r"CUDA out of memory|HIP out of memory|OutOfMemoryError|can't allocate memory")
_ERROR = re.compile(r"^(?:.*?\s)?((?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|NotFound): .+)$")
_PREFIX = re.compile(r"^(?:\(\w+[^)]*pid=\d+\)\s*)?(?:(?:ERROR|INFO|WARNING) \S+ \S+ (?:\[[^\]]*\] )?)?")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a start failed, with what the log tells of it; sizes in GiB, lengths in tokens."""

    kind: Kind
    said: str
    """The line of the log that tells most."""
    longest: int = 0
    """The longest window that vLLM says would fit; 0 where it does not say."""
    free: float = 0.0
    total: float = 0.0


class StartLog:
    """Reads the log of a start line by line; `progress` is how far it is."""

    def __init__(self) -> None:
        self.stage = "starting"
        self.version = ""
        self.window_tokens = 0
        """Tokens that the KV cache holds, once vLLM has said so."""
        self._errors: list[str] = []
        self._memory: list[str] = []
        self._detail = ""

    @property
    def ready(self) -> bool:
        """Whether vLLM has said that it serves."""
        return self.stage == "ready"

    def feed(self, line: str) -> bool:
        """Read a line; say whether the progress has changed."""
        before = self.progress
        if not self.version and (found := _VERSION.search(line)):
            self.version = found[1]
        if found := re.search(r"KV cache size: ([\d,]+) tokens", line):
            self.window_tokens = int(found[1].replace(",", ""))
        self._advance(line)
        said = _PREFIX.sub("", line.strip())
        if any(form.search(said) for form in (_CACHE, _NO_CACHE, _TAKEN, _OUT)):
            self._memory.append(said)
        elif _ERROR.match(said):
            self._errors.append(said)
        return self.progress != before

    def _advance(self, line: str) -> None:
        for form, stage in _STAGES:
            if form.search(line) and _order(stage) > _order(self.stage):
                self.stage, self._detail = stage, ""
        if (found := _SHARDS.search(line)) and _order(self.stage) <= _order("loading"):
            self.stage, self._detail = "loading", f": {found[2]} of {found[3]} files"
        elif found := _GRAPHS.search(line):
            self.stage, self._detail = "compiling", f": CUDA graph {found[1]} of {found[2]}"

    @property
    def progress(self) -> Progress:
        """How far the start is."""
        name = f" {self.version}" if self.stage == "starting" and self.version else ""
        return Progress(_TEXTS[self.stage] + name + self._detail)

    @property
    def may_download(self) -> bool:
        """Whether vLLM may be fetching the weights now: it says nothing of it before it reads the first file."""
        return _order(self.stage) <= _order("loading") and not self._detail

    def failure(self) -> Failure:
        """Return why the start failed: memory before all else, since what follows is its echo."""
        for said in self._memory:
            if found := _TAKEN.search(said):
                return Failure("taken", said, free=float(found[1]), total=float(found[2]))
            if found := _CACHE.search(said):
                estimate = _ESTIMATE.search(said)
                return Failure("cache", said, longest=int(estimate[1] if estimate else found[4] or 0))
            if _NO_CACHE.search(said):
                return Failure("no_cache", said)
        if self._memory:
            return Failure("loading" if _order(self.stage) <= _order("loading") else "running", self._memory[0])
        return Failure("other", _first_cause(self._errors))


def _order(stage: str) -> int:
    return list(_TEXTS).index(stage)


def _first_cause(errors: list[str]) -> str:
    """Return the error that the others follow from: vLLM's last one only says that the engine did not start."""
    own = [error for error in errors if "Engine core initialization failed" not in error]
    return (own or errors or [""])[-1]
