"""LangChain's `ChatOllama`, so that nothing is lost in silence: not the history, not the end of a reply.

Importing this costs about a second (langchain_ollama), so `agent.backends.ollama` does it while the server is asked.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_ollama import ChatOllama

from agent.backends.address import is_loopback
from agent.backends.base import ModelProfile, reply_tokens
from agent.backends.wire import CONNECT_SECONDS, whole
from agent.config import Settings


class Untruncated(httpx.AsyncBaseTransport):
    """Puts `truncate: false` into every chat request, for which ollama's client has no argument.

    Without it Ollama drops the oldest messages of a long conversation and says nothing; with it the answer is 400.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the server's response."""
        if request.url.path.endswith("/api/chat"):
            content = json.dumps({**json.loads(await request.aread()), "truncate": False})
            headers = {key: value for key, value in request.headers.items() if key != "content-length"}
            extensions = request.extensions
            request = httpx.Request(
                request.method, request.url, headers=headers, content=content, extensions=extensions
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class WholeChatOllama(ChatOllama):
    """`ChatOllama` whose replies end as Ollama ends them, or raise; it takes `tool_choice="none"`."""

    async def _aiterate_over_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        if kwargs.pop("tool_choice", None) == "none":
            kwargs.pop("tools", None)  # Ollama knows no tool_choice: a model that must not call sees no tools
        async for chunk in whole(super()._aiterate_over_stream(messages, stop, **kwargs), "ollama"):
            yield chunk


def transport(url: str) -> httpx.AsyncBaseTransport:
    """Return the connections that chat models on the server at `url` share."""
    return Untruncated(httpx.AsyncHTTPTransport(trust_env=not is_loopback(url)))


def chat_model(
    url: str, profile: ModelProfile, settings: Settings, *, window: int, transport: httpx.AsyncBaseTransport
) -> ChatOllama:
    """Return the chat model; `window` is the `num_ctx` of every request. Async only in what it promises."""
    return WholeChatOllama(
        model=profile.model,
        base_url=url,
        num_ctx=window,
        num_predict=reply_tokens(profile.window),
        temperature=settings.temperature,
        seed=settings.seed,
        reasoning=True if profile.reasoning else None,
        async_client_kwargs={
            "transport": transport,
            "timeout": httpx.Timeout(settings.timeout, connect=CONNECT_SECONDS),
        },
    )
