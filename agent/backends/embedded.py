"""The backend that needs nothing installed: llama.cpp in a child process, always ReAct, held to a grammar.

Importing this module is cheap; LangChain's client is imported in a thread while the server starts.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.backends.base import OPENAI_ODDS, ModelProfile, Report
from agent.backends.embedded_process import ServerOptions
from agent.backends.embedded_server import EmbeddedServer
from agent.backends.weights import fetch
from agent.backends.weights_model import here, resolve
from agent.backends.wire import ask
from agent.config import Settings
from agent.errors import map_model_error

if TYPE_CHECKING:
    import httpx
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

EVIDENCE = (
    "The embedded server is always driven with ReAct and a grammar: of the models that it ships, none returned "
    "a native tool call in 40 of 40 tries."
)

CANARY = "zqx"
"""A word that no model says unasked."""


def create(settings: Settings, report: Report) -> EmbeddedBackend:
    """Return the embedded backend for `settings.model`. Raises `UsageError` if there is no such model."""
    return EmbeddedBackend(settings, report)


class EmbeddedBackend:
    """The embedded server for one session; `profile` fetches the weights and starts the server where needed."""

    name = "embedded"

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report
        self._model = resolve(settings.model)
        self._server: EmbeddedServer | None = None
        self._client: httpx.AsyncClient | None = None

    async def profile(self) -> ModelProfile:
        """Fetch the weights, start or find the server, and ask it. Raises `WeightsUnavailable`, `ModelServerError`."""
        path = await fetch(self._model, self._report)
        server = await asyncio.to_thread(self._attach, path)
        importing = asyncio.create_task(asyncio.to_thread(importlib.import_module, "agent.backends.embedded_chat"))
        await asyncio.gather(server.ensure(), importing)
        http = self._http()
        props = await ask(http.get("/props"), self.name)
        return ModelProfile(
            model=self._model.name,
            window=int(props["default_generation_settings"]["n_ctx"]),
            native_tools=False,
            evidence=EVIDENCE,
            constraint="lark",
            system_role=await _takes_system_role(http),
        )

    def chat_model(self, profile: ModelProfile) -> BaseChatModel:
        """Return a streaming chat model that reports usage with cached tokens; call `profile` first."""
        from agent.backends import embedded_chat

        return embedded_chat.chat_model(self._http(), profile.model, self._settings)

    async def keep_prefix(self, prompt: Sequence[BaseMessage]) -> None:
        """Have a server that this session started know `prompt` before the first request; others know it already."""
        from agent.backends import embedded_prefix

        server = self._server
        if server is None or not server.started:
            return
        try:
            await embedded_prefix.bring(self._http(), server.id, prompt, self._report)
        except Exception as error:
            raise map_model_error(error, self.name) from error

    def constrain(self, constraint: str) -> dict[str, Any]:
        """Return the arguments that hold a reply to a Lark grammar, whose first line is `%llguidance {}`."""
        return {"extra_body": {"grammar": constraint}}

    def odds(self) -> dict[str, Any]:
        """Return the arguments for a reply of one token that tells the likeliest tokens."""
        return dict(OPENAI_ODDS)

    async def holds(self, constraint: str) -> bool:
        """Say whether the server can hold a reply to this grammar. Raises `ModelServerError`.

        llama.cpp answers HTTP 200 with an unconstrained reply, without a word, if llguidance refuses the grammar, for
        instance for a JSON schema keyword that it does not know. So the same grammar is tried behind a fixed word.
        """
        probe = re.sub(r"^start\s*:", f'start: "{CANARY}" canary_rest\ncanary_rest:', constraint, count=1, flags=re.M)
        body = {"prompt": "a", "n_predict": 2 * len(CANARY), "temperature": 0, "grammar": probe}
        reply = await ask(self._http().post("/completion", json=body), self.name)
        return str(reply["content"]).startswith(CANARY)

    async def health(self) -> bool:
        """Say whether the server answers now, without fetching or starting anything."""
        path = here(self._model)
        return path is not None and await self._attach(path).alive()

    async def aclose(self) -> None:
        """Close the connections and end the session's use of the server, which lives on for the keep-alive."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if self._server is not None:
            await asyncio.to_thread(self._server.close)

    def _attach(self, path: Path) -> EmbeddedServer:
        if self._server is None:
            options = ServerOptions(path, self._model.name)
            self._server = EmbeddedServer(options, self._settings.keep_alive, self._report)
        return self._server

    def _http(self) -> httpx.AsyncClient:
        from agent.backends import embedded_chat

        if self._server is None:
            raise RuntimeError("EmbeddedBackend.profile has to come before chat_model")
        if self._client is None:
            self._client = embedded_chat.client(self._server, self._settings.timeout)
        return self._client


async def _takes_system_role(http: httpx.AsyncClient) -> bool:
    """Have the chat template write a system message and two user messages in a row, and look whether all arrive."""
    roles = ["system", "user", "assistant", "user", "user"]
    messages = [{"role": role, "content": f"said{number}"} for number, role in enumerate(roles)]
    try:
        response = await http.post("/apply-template", json={"messages": messages})
    except Exception as error:
        raise map_model_error(error, "embedded") from error
    return response.is_success and all(message["content"] in response.text for message in messages)
