"""The vLLM backend: an OpenAI door whose window, constraint and tool calls are asked for, not guessed.

Importing this module is cheap; LangChain's client is imported in a thread while the server is asked.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Any

from agent.backends import probe, wire
from agent.backends.address import public, server_url
from agent.backends.base import ConstraintKind, ModelProfile, Report
from agent.config import Settings
from agent.errors import ModelServerError, UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_log = logging.getLogger(__name__)

PORT = 8000
"""vLLM's own default (`vllm serve --help`, `--port`)."""

WINDOW = 4096
"""Tokens assumed for a server that does not tell its window as vLLM does: what a 12 GB card holds of Mixtral."""

_CANARY = "zqx"
"""A word that no model says unasked."""


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

    async def profile(self) -> ModelProfile:
        """Find the model and ask it, all questions at once. Raises `UsageError`, `ModelServerError`."""
        importing = asyncio.to_thread(importlib.import_module, "agent.backends.vllm_chat")
        profile, _ = await asyncio.gather(self._ask_all(), importing)
        return profile

    async def _ask_all(self) -> ModelProfile:
        model, window = await self._find()
        tools, constraint, system_role = await asyncio.gather(
            self._calls_tools(model), self._constraint(model), self._takes_system_role(model)
        )
        native, evidence = tools
        _log.debug("%s: %s", model, evidence)
        return ModelProfile(model, window, native, evidence, constraint=constraint, system_role=system_role)

    def chat_model(self, profile: ModelProfile) -> BaseChatModel:
        """Return a streaming chat model that reports usage, with cached tokens where vLLM counts them."""
        from agent.backends import vllm_chat

        return vllm_chat.chat_model(self._http, f"{self._root}/v1", self._key, profile, self._settings)

    def constrain(self, constraint: str) -> dict[str, Any]:
        """Return the arguments that hold a reply to a Lark grammar, whose first line is `%llguidance {}`."""
        return {"extra_body": _grammar(constraint)}

    async def health(self) -> bool:
        """Say whether an OpenAI door answers at the address."""
        return await wire.answers(self._http, "/v1/models", "data")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _find(self) -> tuple[str, int]:
        """Return the model of the run and its window. A LoRA adapter's is that of its base model."""
        cards = (await wire.ask(self._http.get("/v1/models"), self.name)).get("data") or []
        served = {str(card["id"]): card for card in cards}
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
        return model, int(card.get("max_model_len") or base.get("max_model_len") or WINDOW)

    async def _calls_tools(self, model: str) -> tuple[bool, str]:
        """Ask with one tool; a server that was started without a tool parser refuses, which is a no."""
        if answer := probe.decided(self._settings.react):
            return answer
        body = {"tools": [probe.TOOL], "tool_choice": "auto", "max_tokens": probe.TOKENS}
        reply = await self._chat(model, probe.MESSAGES, body)
        if isinstance(reply, str):
            return False, f"Asked with one tool, vLLM refused {reply}"
        return probe.verdict(reply)

    async def _constraint(self, model: str) -> ConstraintKind | None:
        """Have the model say a word that it says under a grammar only: a field that vLLM does not know is ignored."""
        grammar = f'%llguidance {{}}\nstart: "{_CANARY}"\n'
        reply = await self._chat(model, probe.MESSAGES, {**_grammar(grammar), "max_tokens": 2 * len(_CANARY)})
        return "lark" if isinstance(reply, dict) and reply.get("content") == _CANARY else None

    async def _takes_system_role(self, model: str) -> bool:
        """Have the chat template write a system message; Mixtral's and Mistral v0.2's refuse."""
        messages = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
        body = {"model": model, "messages": messages}
        return (await wire.tell(self._http.post("/tokenize", json=body), self.name)).is_success

    async def _chat(self, model: str, messages: list[dict[str, str]], more: dict[str, Any]) -> dict[str, Any] | str:
        """Return the message of a short reply, or the refusal as text."""
        body = {"model": model, "messages": messages, "temperature": 0, **more}
        response = await wire.tell(self._http.post("/v1/chat/completions", json=body), self.name)
        if not response.is_success:
            return f"(HTTP {response.status_code}): {response.text[:200]}"
        message: dict[str, Any] = wire.parsed(response, self.name)["choices"][0]["message"]
        return message


def _grammar(text: str) -> dict[str, Any]:
    """Return vLLM's field for a grammar; `guided_grammar` of before 0.12 is ignored without a word by later ones."""
    return {"structured_outputs": {"grammar": text}}
