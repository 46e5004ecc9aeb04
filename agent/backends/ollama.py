"""The Ollama backend: one `num_ctx` in every request, and native tool calls only where a probe's call came back.

Importing this module is cheap; LangChain's client is imported in a thread while the server is asked.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import psutil

from agent.backends import ollama_probe, ollama_wire, probe, wire
from agent.backends.address import is_loopback, public, server_url
from agent.backends.base import ModelProfile, Progress, Report
from agent.backends.environment import environment_read
from agent.backends.ollama_models import fitting, missing
from agent.backends.ollama_window import ROOMY, TASK, num_ctx
from agent.config import Settings
from agent.errors import UsageError

if TYPE_CHECKING:
    import httpx
    from langchain_core.language_models import BaseChatModel

_log = logging.getLogger(__name__)

PORT = 11434
"""Ollama's own default (its docs/faq, `OLLAMA_HOST`)."""

DEFAULT_MODEL = "a2ia-qwen"
"""The model that runs name if nobody names one."""


def create(settings: Settings, report: Report) -> OllamaBackend:
    """Return the backend for `--ollama-url`, else `OLLAMA_HOST`, else this machine. Raises `UsageError`."""
    return OllamaBackend(settings, report)


def address(settings: Settings) -> str:
    """Return the URL of the server: `--ollama-url`, else `OLLAMA_HOST`, else this machine. Raises `UsageError`."""
    option = "--ollama-url" if settings.ollama_url else "OLLAMA_HOST"
    given = settings.ollama_url or os.environ.get("OLLAMA_HOST") or f"http://127.0.0.1:{PORT}"
    return server_url(given, PORT, option)


def key() -> str | None:
    """Return what a server that asks for a key is given."""
    return os.environ.get("OLLAMA_API_KEY")


def _chat_module() -> Any:
    """Return `agent.backends.ollama_chat`; ollama's client makes an HTTP client as it is imported."""
    with environment_read():
        return importlib.import_module("agent.backends.ollama_chat")


class OllamaBackend:
    """One model of an Ollama server. Every request of a run carries the same `num_ctx`: another loads it anew."""

    name = "ollama"

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report
        self._url = address(settings)
        transport = ollama_wire.transport(self._url, settings.timeout, report)
        self._http = wire.client(self._url, settings.timeout, key(), transport)
        self._window = 0

    async def profile(self) -> ModelProfile:
        """Find the model, load it with its window, and ask it. Raises `UsageError`, `ModelServerError`."""
        profile, _ = await asyncio.gather(self._ask_all(), asyncio.to_thread(_chat_module))
        return profile

    async def _ask_all(self) -> ModelProfile:
        model, shown = await self._find()
        abilities = shown.get("capabilities") or ["completion"]
        if "completion" not in abilities:
            raise UsageError(
                f"{model} on ollama does not chat: {', '.join(abilities)}.", "Name one that does: --model."
            )
        served = await self._load(model, shown)
        send = partial(self._send, model)
        native, evidence = probe.decided(self._settings.react) or (False, "")
        if not evidence:
            self._report(Progress(f"Asking {model} for a tool call"))
            native, evidence = await ollama_probe.calls_tools(send, shown)
        _log.debug("%s: %s", model, evidence)
        return ModelProfile(
            model=model,
            window=served,
            native_tools=native,
            evidence=evidence,
            constraint="json_schema",
            system_role=await ollama_probe.takes_system_role(send),
            reasoning="thinking" in abilities,
        )

    def chat_model(self, profile: ModelProfile) -> BaseChatModel:
        """Return a streaming chat model that reports usage; call `profile` first."""
        if not self._window:
            raise RuntimeError("OllamaBackend.profile has to come before chat_model")
        make = _chat_module().chat_model
        model: BaseChatModel = make(self._http, self._url, profile, self._settings, window=self._window)
        return model

    def constrain(self, constraint: str) -> dict[str, Any]:
        """Return the arguments that hold a reply to a JSON schema (its text). Ollama may sort the keys of objects."""
        return {"format": json.loads(constraint)}

    async def health(self) -> bool:
        """Say whether an Ollama server answers at the address."""
        return await wire.answers(self._http, "/api/version", "version")

    async def aclose(self) -> None:
        """Close the connections; the model stays loaded as long as Ollama keeps it."""
        await self._http.aclose()

    async def _find(self) -> tuple[str, dict[str, Any]]:
        """Return the model of the run and what `/api/show` says of it."""
        wanted = self._settings.model or DEFAULT_MODEL
        response = await wire.tell(self._http.post("/api/show", json={"model": wanted}), self.name)
        if response.status_code != 404:
            return wanted, wire.parsed(response, self.name)
        tags = await wire.ask(self._http.get("/api/tags"), self.name)
        fit = fitting(tags, self._memory())
        if self._settings.model is None and len(fit) == 1:
            self._report(Progress(f"Ollama has no {wanted}; using {fit[0]}, the one model that it has and that fits"))
            return fit[0], await wire.ask(self._http.post("/api/show", json={"model": fit[0]}), self.name)
        raise missing(wanted, public(self._url), tags, fit, default=self._settings.model is None)

    def _memory(self) -> int | None:
        """Return the bytes of memory of the server's machine, None if that is another one."""
        return psutil.virtual_memory().total if is_loopback(self._url) else None

    async def _load(self, model: str, shown: Mapping[str, Any]) -> int:
        """Load the model with the window of the run, and return the one that is served.

        Where a roomy window pushes a part of the model off the graphics card, it is loaded once more with less.
        """
        running = await self._running(model)
        loaded = wire.count(running.get("context_length"))
        self._window = num_ctx(shown, loaded, self._memory())
        if loaded != self._window:
            self._report(Progress(f"Loading {model} into Ollama, window {self._window} tokens"))
        await wire.ask(self._send(model, []), self.name)
        running = await self._running(model)
        on_card, size = (wire.count(running.get(key)) or 0 for key in ("size_vram", "size"))
        if loaded != self._window == ROOMY and 0 < on_card < size:
            self._window = TASK
            self._report(Progress(f"Loading {model} into Ollama, window {self._window} tokens, to fit the card"))
            await wire.ask(self._send(model, []), self.name)
            running = await self._running(model)
        return wire.count(running.get("context_length")) or self._window

    async def _running(self, model: str) -> Mapping[str, Any]:
        """Return what `/api/ps` says of the model, nothing if it is not loaded."""
        running = (await wire.ask(self._http.get("/api/ps"), self.name)).get("models") or []
        entries: dict[str, dict[str, Any]] = {_full(str(one.get("name") or one.get("model"))): one for one in running}
        return entries.get(_full(model), {})

    async def _send(
        self, model: str, messages: Sequence[Mapping[str, Any]], *, tokens: int | None = None, **fields: Any
    ) -> httpx.Response:
        """Post a chat that is not streamed; a refusal is an answer too."""
        options = {"num_ctx": self._window, "temperature": 0, **({"num_predict": tokens} if tokens else {})}
        body = {"model": model, "messages": messages, "stream": False, "options": options, **fields}
        return await wire.tell(self._http.post("/api/chat", json=body), self.name)


def _full(model: str) -> str:
    """Return the name with its tag: Ollama adds `:latest` where none is given."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"
