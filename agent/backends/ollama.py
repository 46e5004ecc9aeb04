"""The Ollama backend: one `num_ctx` in every request, and native tool calls only where a probe's call came back.

Importing this module is cheap; LangChain's client is imported in a thread while the server is asked.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import re
from typing import TYPE_CHECKING, Any

from agent.backends import probe, wire
from agent.backends.address import public, server_url
from agent.backends.base import ModelProfile, Progress, Report
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

WINDOW = 8192
"""Tokens asked for where neither the Modelfile nor a loaded model says: room for A2IA's prompt (some 2,000) and six
tool results, in 0.5 GB of cache for a 7B model. Ollama's own default, 4,096 on small cards, is full after two."""


def create(settings: Settings, report: Report) -> OllamaBackend:
    """Return the backend for `--ollama-url`, else `OLLAMA_HOST`, else this machine. Raises `UsageError`."""
    return OllamaBackend(settings, report)


class OllamaBackend:
    """One model of an Ollama server. Every request of a run carries the same `num_ctx`: another loads it anew."""

    name = "ollama"

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report
        option = "--ollama-url" if settings.ollama_url else "OLLAMA_HOST"
        address = settings.ollama_url or os.environ.get("OLLAMA_HOST") or f"http://127.0.0.1:{PORT}"
        self._url = server_url(address, PORT, option)
        self._http = wire.client(self._url, settings.timeout, os.environ.get("OLLAMA_API_KEY"))
        self._chat: httpx.AsyncBaseTransport | None = None
        self._window = 0

    async def profile(self) -> ModelProfile:
        """Find the model, load it with its window, and ask it. Raises `UsageError`, `ModelServerError`."""
        importing = asyncio.to_thread(importlib.import_module, "agent.backends.ollama_chat")
        profile, _ = await asyncio.gather(self._ask_all(), importing)
        return profile

    async def _ask_all(self) -> ModelProfile:
        model, shown = await self._find()
        loaded = await self._loaded_window(model)
        self._window = _window(shown, loaded)
        if loaded != self._window:
            self._report(Progress(f"Loading {model} into Ollama"))
        await self._ask("/api/chat", self._body(model, []))
        thinks = "thinking" in shown.get("capabilities", [])
        native, evidence = probe.decided(self._settings.react) or await self._calls_tools(model, thinks=thinks)
        _log.debug("%s: %s", model, evidence)
        return ModelProfile(
            model=model,
            window=await self._loaded_window(model) or self._window,
            native_tools=native,
            evidence=evidence,
            constraint="json_schema",
            system_role=await self._takes_system_role(model),
            reasoning=thinks,
        )

    def chat_model(self, profile: ModelProfile) -> BaseChatModel:
        """Return a streaming chat model that reports usage; call `profile` first."""
        from agent.backends import ollama_chat

        if not self._window:
            raise RuntimeError("OllamaBackend.profile has to come before chat_model")
        self._chat = self._chat or ollama_chat.transport(self._url)
        return ollama_chat.chat_model(self._url, profile, self._settings, window=self._window, transport=self._chat)

    def constrain(self, constraint: str) -> dict[str, Any]:
        """Return the arguments that hold a reply to a JSON schema (its text). Ollama may sort the keys of objects."""
        return {"format": json.loads(constraint)}

    async def health(self) -> bool:
        """Say whether an Ollama server answers at the address."""
        return await wire.answers(self._http, "/api/version", "version")

    async def aclose(self) -> None:
        """Close the connections; the model stays loaded as long as Ollama keeps it."""
        await self._http.aclose()
        if self._chat is not None:
            await self._chat.aclose()

    async def _find(self) -> tuple[str, dict[str, Any]]:
        """Return the model of the run and what `/api/show` says of it."""
        wanted = self._settings.model or DEFAULT_MODEL
        response = await wire.tell(self._http.post("/api/show", json={"model": wanted}), self.name)
        if response.status_code != 404:
            return wanted, wire.parsed(response, self.name)
        tags = await wire.ask(self._http.get("/api/tags"), self.name)
        installed = [str(entry["name"]) for entry in tags.get("models", [])]
        if self._settings.model is None and len(installed) == 1:
            self._report(Progress(f"Ollama has no {wanted}; using {installed[0]}, the one model that it has"))
            return installed[0], await self._ask("/api/show", {"model": installed[0]})
        hint = (
            f"Choose one that it has with --model NAME: {', '.join(installed)}."
            if installed
            else "It has none: fetch one with `ollama pull qwen2.5-coder:7b`, or use --backend embedded."
        )
        raise UsageError(f"The ollama server at {public(self._url)} has no model {wanted!r}.", hint)

    async def _loaded_window(self, model: str) -> int | None:
        """Return the window with which the model is loaded now, None if it is not."""
        running = (await wire.ask(self._http.get("/api/ps"), self.name)).get("models", [])
        return next((entry.get("context_length") for entry in running if _full(entry["name"]) == _full(model)), None)

    async def _calls_tools(self, model: str, *, thinks: bool) -> tuple[bool, str]:
        """Ask with one tool, without a thought; a refusal or a failure of Ollama's own tool parser is a no."""
        self._report(Progress(f"Asking {model} for a tool call"))
        body = self._body(model, probe.MESSAGES, num_predict=probe.TOKENS) | {"tools": [probe.TOOL]}
        body |= {"think": False} if thinks else {}
        response = await wire.tell(self._http.post("/api/chat", json=body), self.name)
        if not response.is_success:
            return False, f"Asked with one tool, Ollama refused (HTTP {response.status_code}): {response.text[:200]}"
        return probe.verdict(wire.parsed(response, self.name).get("message", {}))

    async def _takes_system_role(self, model: str) -> bool:
        """Have the template write a system message, without running the model; an Ollama that cannot is believed."""
        messages = [{"role": "system", "content": "said0"}, {"role": "user", "content": "said1"}]
        body = self._body(model, messages, num_predict=1) | {"_debug_render_only": True}
        rendered = (await self._ask("/api/chat", body)).get("_debug_info", {}).get("rendered_template")
        return rendered is None or "said0" in rendered

    def _body(self, model: str, messages: list[dict[str, str]], **options: Any) -> dict[str, Any]:
        options = {"num_ctx": self._window, "temperature": 0, **options}
        return {"model": model, "messages": messages, "stream": False, "truncate": False, "options": options}

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await wire.ask(self._http.post(path, json=body), self.name)


def _full(model: str) -> str:
    """Return the name with its tag: Ollama adds `:latest` where none is given."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _window(shown: dict[str, Any], loaded: int | None) -> int:
    """Return the `num_ctx` of the run: the Modelfile's, else ours within what the model was trained on.

    A model that is loaded with more is left as it is, since another number would load it anew.
    """
    own = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters") or ""), re.M)
    sizes = [size for key, size in (shown.get("model_info") or {}).items() if key.endswith(".context_length")]
    wanted = int(own[1]) if own else min([WINDOW, *sizes])
    return max(wanted, loaded or 0)
