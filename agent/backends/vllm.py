"""The vLLM backend: an OpenAI door whose window, constraint and tool calls are asked for, not guessed.

Importing this module is cheap; LangChain's client is imported in a thread while the server is asked.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Any

from agent.backends import evidence, probe, vllm_metrics, wire
from agent.backends.address import public, server_url
from agent.backends.base import OPENAI_ODDS, ConstraintKind, ModelProfile, Report
from agent.backends.vllm_questions import Questions, field
from agent.config import Settings
from agent.errors import ModelServerError, UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_log = logging.getLogger(__name__)

PORT = 8000
"""vLLM's own default (`vllm serve --help`, `--port`)."""

WINDOW = 4096
"""Tokens assumed for a server that does not tell its window as vLLM does: what a 12 GB card holds of Mixtral."""


def create(settings: Settings, report: Report) -> VLLMBackend:
    """Return the backend for `--vllm-url`. Raises `UsageError` for an address that is none."""
    return VLLMBackend(settings, report)


class VLLMBackend:
    """One model that a vLLM server serves: the one named by `--model`, else the first."""

    name = "vllm"

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        url = server_url(settings.vllm_url or f"http://localhost:{PORT}", PORT, "--vllm-url")
        self._root = url.removesuffix("/v1")
        self._key = settings.api_key.get_secret_value() if settings.api_key else None
        self._http = wire.client(self._root, settings.timeout, self._key)
        self._kind: ConstraintKind | None = None

    async def profile(self) -> ModelProfile:
        """Find the model and ask it, all questions at once. Raises `UsageError`, `ModelServerError`."""
        importing = asyncio.to_thread(importlib.import_module, "agent.backends.vllm_chat")
        profile, _ = await asyncio.gather(self._ask_all(), importing)
        return profile

    async def _ask_all(self) -> ModelProfile:
        model, window = await self._find()
        asked = Questions(self._http, model)
        template, numbers = await asyncio.gather(asked.template(), vllm_metrics.read(self._http))
        ask_tools = self._settings.react is None and template.takes_tools
        started = vllm_metrics.started(numbers or {})
        place, state = f"{self._root} {model}", f"{started} {template.digest}"
        known = await asyncio.to_thread(evidence.recall, place, state) if started and template.digest else {}
        seen = await _complete(asked, known, ask_tools=ask_tools)
        if started and template.digest and seen != known:
            await asyncio.to_thread(evidence.keep, place, state, seen)
        native, said = probe.decided(self._settings.react) or (False, template.tools)
        if ask_tools:
            native, said = seen["tools"][0], f"{template.tools} {seen['tools'][1]}"
        self._kind = seen["constraint"]
        _log.debug("%s: %s Constraint: %s. System role: %s.", model, said, self._kind, template.system_role)
        return ModelProfile(
            model, window, native, said, self._kind, system_role=template.system_role, reasoning=seen["thinks"]
        )

    def chat_model(self, profile: ModelProfile) -> BaseChatModel:
        """Return a streaming chat model that reports usage, with cached tokens where vLLM counts them."""
        from agent.backends import vllm_chat

        return vllm_chat.chat_model(self._http, f"{self._root}/v1", self._key, profile, self._settings)

    def odds(self) -> dict[str, Any]:
        """Return the arguments for a reply of one token that tells the likeliest tokens (OpenAI's field names)."""
        return dict(OPENAI_ODDS)

    def constrain(self, constraint: str) -> dict[str, Any]:
        """Return the arguments that hold a reply to `constraint`, of the kind that `profile` found.

        A Lark grammar's first line is `%llguidance {}`.
        """
        return {"extra_body": field(self._kind, constraint)}

    async def health(self) -> bool:
        """Say whether an OpenAI door answers at the address."""
        return await wire.answers(self._http, "/v1/models", "data")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _find(self) -> tuple[str, int]:
        """Return the model of the run and its window. A LoRA adapter's is that of its base model."""
        cards = (await wire.ask(self._http.get("/v1/models"), self.name)).get("data") or []
        served = {str(card["id"]): card for card in cards if isinstance(card, dict) and card.get("id")}
        if not served:
            raise ModelServerError(f"The vllm server at {public(self._root)} serves no model.", "Start it with one.")
        model = self._settings.model or next(iter(served))
        if model not in served:
            raise UsageError(
                f"The vllm server at {public(self._root)} does not serve {model!r}.",
                f"Choose one that it serves with --model NAME: {', '.join(served)}.",
            )
        card = served[model]
        base = served.get(str(card.get("parent")), {})
        return model, wire.count(card.get("max_model_len")) or wire.count(base.get("max_model_len")) or WINDOW


async def _complete(asked: Questions, known: dict[str, Any], *, ask_tools: bool) -> dict[str, Any]:
    """Return what is known of the model with what was not yet asked, all questions at once."""

    async def tools() -> dict[str, Any]:
        return {"tools": list(await asked.calls_tools())} if ask_tools and "tools" not in known else {}

    async def constraint() -> dict[str, Any]:
        if "constraint" in known:
            return {}
        found = await asked.constraint()
        return {"constraint": found.kind, "thinks": found.thinks}

    first, second = await asyncio.gather(tools(), constraint())
    return {**known, **first, **second}
