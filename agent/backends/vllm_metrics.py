"""What vLLM counts of itself: `/metrics`, in the text form of Prometheus."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping

import httpx

from agent.backends.wire import HEALTH_SECONDS

_QUERIES, _HITS = "vllm:prefix_cache_queries", "vllm:prefix_cache_hits"
_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{.*\})? (\S+)[ \t]*$", re.M)


def samples(text: str) -> dict[str, list[float]]:
    """Return the values of every name, one for each set of labels; names without `_total`, values that are numbers.

    vLLM's documents name counters without the `_total` that its Prometheus client adds.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for name, said in _SAMPLE.findall(text):
        try:
            value = float(said)
        except ValueError:
            continue
        if not math.isnan(value):
            found[name.removesuffix("_total")].append(value)
    return found


async def read(http: httpx.AsyncClient) -> Mapping[str, float] | None:
    """Return the server's numbers by name, summed over labels; empty if it tells none, None if it did not answer."""
    try:
        response = await http.get("/metrics", timeout=HEALTH_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    if not response.is_success:
        return {}
    return {name: sum(values) for name, values in samples(response.text).items()}


def started(numbers: Mapping[str, float]) -> str | None:
    """Return what tells one start of the server from another; None where it does not say.

    A server with several API processes has no `process_start_time_seconds`, but each counter says when it was made.
    """
    found = numbers.get("process_start_time_seconds") or numbers.get("vllm:prefix_cache_queries_created")
    return str(found) if found else None


class CacheMeter:
    """Tells how many tokens of a prompt came from the prefix cache, where the reply's own usage does not say.

    vLLM fills `prompt_tokens_details` only if it was started with `--enable-prompt-tokens-details`. Else its counters
    tell it, if between two readings they grew by this prompt alone.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._before: Mapping[str, float] | None = None
        self._needed = True
        self._has_counters = True

    async def begin(self) -> None:
        """Read the counters before a request; a server that was seen to have none is not asked again."""
        if self._needed and self._has_counters:
            self._before = await read(self._http)
            self._has_counters = self._before is None or _QUERIES in self._before

    async def cached(self, prompt_tokens: int, told: int | None) -> int | None:
        """Return the cached tokens of the prompt just answered; `told` is what its usage says."""
        if told is not None:
            self._needed = False
            return told
        if not self._needed:
            return 0  # older versions leave the count out where it is 0
        if not self._has_counters:
            return None
        before, after = self._before, await read(self._http)
        if not before or not after or after.get(_QUERIES, 0) - before[_QUERIES] != prompt_tokens:
            return None
        return int(after.get(_HITS, 0) - before.get(_HITS, 0))
