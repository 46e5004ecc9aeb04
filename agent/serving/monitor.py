"""How a vLLM server is doing: its health, its models, and its `/metrics`, as they are and as they change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from agent.backends import wire
from agent.backends.address import server_url
from agent.backends.vllm_metrics import samples
from agent.errors import A2IAError
from agent.serving.launch import PORT

if TYPE_CHECKING:
    import httpx

ASK_SECONDS = 5.0
"""How long one answer may take: a server that computes still answers these in milliseconds."""

_PREFIX = "vllm:"
_LATEST = ("kv_cache_usage_perc", "gpu_cache_usage_perc")
"""Of these the highest counts, of all others the sum over the engines; the second is what 0.7 calls the first."""


@dataclass(frozen=True, slots=True)
class Served:
    """One entry of `/v1/models`; `window` in tokens, None for an adapter."""

    name: str
    window: int | None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """The server's counters at one moment, without the prefix `vllm:` and the ending `_total`."""

    at: float
    values: Mapping[str, float] = field(default_factory=dict)

    def get(self, *names: str) -> float | None:
        """Return the value of the first of these names that the server has."""
        return next((self.values[name] for name in names if name in self.values), None)


@dataclass(frozen=True, slots=True)
class Status:
    """What `vllm status` shows; None where the server does not say it."""

    url: str
    healthy: bool
    version: str | None
    models: tuple[Served, ...]
    running: int | None
    waiting: int | None
    kv_usage: float | None
    """Share of the KV cache in use, 0 to 1."""
    hit_rate: float | None
    """Share of prompt tokens that the prefix cache had, since the server's start."""
    prompt_rate: float | None
    """Prompt tokens a second, cached ones included, over the time between two samples."""
    generation_rate: float | None
    """Tokens written a second over the same time."""

    def as_json(self) -> dict[str, Any]:
        """Return this as plain data."""
        return asdict(self)


def parse_metrics(text: str) -> dict[str, float]:
    """Return vLLM's own counters and gauges, their names without the prefix `vllm:`."""
    own = {name.removeprefix(_PREFIX): each for name, each in samples(text).items() if name.startswith(_PREFIX)}
    return {name: max(values) if name in _LATEST else sum(values) for name, values in own.items()}


class Monitor:
    """Asks one server, again and again; `aclose` lets go of it."""

    def __init__(self, url: str | None, key: str | None = None) -> None:
        root = server_url(url or f"http://localhost:{PORT}", PORT, "--vllm-url").removesuffix("/v1")
        self.url = root
        self._http: httpx.AsyncClient = wire.client(root, ASK_SECONDS, key)
        self._before: Sample | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def sample(self) -> Sample:
        """Return the counters now; empty where the server keeps them to itself."""
        response = await wire.tell(self._http.get("/metrics"), "vllm")
        return Sample(time.monotonic(), parse_metrics(response.text) if response.is_success else {})

    async def status(self) -> Status:
        """Return how the server is; rates are over the time since the last call. Raises `A2IAError`."""
        now = await self.sample()
        before, self._before = self._before, now
        models, version, healthy = await asyncio.gather(self.models(), self._version(), self._healthy())
        queries = now.get("prefix_cache_queries", "gpu_prefix_cache_queries")
        hits = now.get("prefix_cache_hits", "gpu_prefix_cache_hits")
        running, waiting = now.get("num_requests_running"), now.get("num_requests_waiting")
        return Status(
            url=self.url,
            healthy=healthy,
            version=version,
            models=models,
            running=None if running is None else int(running),
            waiting=None if waiting is None else int(waiting),
            kv_usage=now.get(*_LATEST),
            hit_rate=hits / queries if queries and hits is not None else None,
            prompt_rate=_rate(before, now, "prompt_tokens"),
            generation_rate=_rate(before, now, "generation_tokens"),
        )

    async def models(self) -> tuple[Served, ...]:
        """Return what the server serves, adapters too. Raises `A2IAError`."""
        cards = (await wire.ask(self._http.get("/v1/models"), "vllm")).get("data") or []
        return tuple(Served(str(card["id"]), card.get("max_model_len"), card.get("parent")) for card in cards)

    async def _version(self) -> str | None:
        try:
            return str((await wire.ask(self._http.get("/version"), "vllm")).get("version"))
        except A2IAError:
            return None

    async def _healthy(self) -> bool:
        try:
            return (await wire.tell(self._http.get("/health"), "vllm")).is_success
        except A2IAError:
            return False

    async def load(self, name: str, path: str) -> str:
        """Load an adapter and return the server's words. Raises `A2IAError`."""
        return await self._lora("load", {"lora_name": name, "lora_path": path})

    async def unload(self, name: str) -> str:
        """Unload an adapter and return the server's words. Raises `A2IAError`."""
        return await self._lora("unload", {"lora_name": name})

    async def _lora(self, action: str, body: dict[str, str]) -> str:
        from agent.errors import ModelServerError, UsageError

        request = self._http.post(f"/v1/{action}_lora_adapter", json=body, timeout=LORA_SECONDS)
        response = await wire.tell(request, "vllm")
        if response.is_success:
            return response.text.strip().strip('"')
        said = _said(response)
        if response.status_code in {404, 405} and "lora" not in said.lower():
            raise UsageError(
                f"The vLLM server at {self.url} does not let adapters be {action}ed while it runs.",
                "Start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment and `-- --enable-lora`.",
            )
        kind = UsageError if response.status_code < 500 else ModelServerError
        raise kind(f"The adapter {body['lora_name']!r} was not {action}ed: {said}", "See a2ia-cli vllm lora list.")


LORA_SECONDS = 300.0
"""How long an adapter may take: it may have to be downloaded."""


def _said(response: httpx.Response) -> str:
    """Return the server's own words in a refusal."""
    try:
        value = response.json()
    except ValueError:
        return response.text[:300]
    error = value.get("error", value) if isinstance(value, dict) else value
    return str(error.get("message") or error.get("detail") or error)[:300] if isinstance(error, dict) else str(error)


def _rate(before: Sample | None, now: Sample, name: str) -> float | None:
    """Return how fast a counter grew between two samples; None where it began anew, or there is only one."""
    if before is None or name not in now.values or name not in before.values or now.at <= before.at:
        return None
    grown = now.values[name] - before.values[name]
    return grown / (now.at - before.at) if grown >= 0 else None
