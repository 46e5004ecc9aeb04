"""LangChain's `ChatOpenAI` on vLLM, whose replies end as vLLM ends them, or raise.

Importing this costs over a second (langchain_openai), so `agent.backends.vllm` does it while the server is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr, SecretStr

from agent.backends import wire
from agent.backends.base import ModelProfile, reply_tokens
from agent.backends.direct import asynchronous_only, direct
from agent.backends.reasoning import ReasoningChatOpenAI
from agent.backends.vllm_metrics import CacheMeter
from agent.config import Settings
from agent.errors import ContextOverflow, map_model_error

SHORTEST_REPLY = 128
"""Tokens that a step needs at least: a thought (60) and a call. With less room the thread counts as too long."""


class VLLMChat(ReasoningChatOpenAI):
    """Raises for a stream that closes before the reply is complete; counts what vLLM counts."""

    window: int
    """The served window in tokens."""
    _http: httpx.AsyncClient = PrivateAttr()
    _meter: CacheMeter = PrivateAttr()

    async def prompt_tokens(self, messages: list[BaseMessage], tools: Sequence[dict[str, Any]] = ()) -> int:
        """Return how long the prompt of this request is, as the server counts it. Raises an `A2IAError`."""
        more: dict[str, Any] = {"tools": list(tools)} if tools else {}
        return await self._count(self._get_request_payload(messages, **more))

    async def _count(self, payload: dict[str, Any]) -> int:
        body = {key: payload[key] for key in ("model", "messages", "tools") if payload.get(key)}
        return int((await wire.ask(self._http.post("/tokenize", json=body), "vllm"))["count"])

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        """Ask for a whole reply, as the judge does: `streaming` would have the client ask for a stream here too."""
        return await super()._agenerate(*args, **{"stream": False, **kwargs})

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        begun = False
        try:
            async for chunk in self._metered(messages, *args, **kwargs):
                begun = True
                yield chunk
            return
        except Exception as error:
            overflow = None if begun else _overflow(error)
            if overflow is None:
                raise
        kwargs["max_tokens"] = await self._room(messages, kwargs, overflow)
        async for chunk in self._metered(messages, *args, **kwargs):
            yield chunk

    async def _room(self, messages: list[BaseMessage], kwargs: dict[str, Any], overflow: ContextOverflow) -> int:
        """Return how long a reply may be behind this prompt, which an older vLLM refused with the usual one.

        Raises `overflow`, with the exact numbers where they can be had, if that is too little to be of use.
        """
        try:
            prompt = await self.prompt_tokens(messages, kwargs.get("tools") or ())
        except Exception:
            raise overflow from None  # the server does not count, so its refusal stands
        if prompt + SHORTEST_REPLY > self.window:
            raise ContextOverflow(prompt, self.window)
        return min(self.window - prompt, reply_tokens(self.window))

    async def _metered(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        await self._meter.begin()
        async for chunk in wire.whole(super()._astream(*args, **kwargs), "vllm"):
            usage = chunk.message.usage_metadata if isinstance(chunk.message, AIMessageChunk) else None
            if usage:
                details = usage.get("input_token_details") or {}
                cached = await self._meter.cached(usage["input_tokens"], details.get("cache_read"))
                if cached is not None:
                    usage["input_token_details"] = {**details, "cache_read": cached}
            yield chunk


def _overflow(error: Exception) -> ContextOverflow | None:
    try:
        mapped = map_model_error(error, "vllm")
    except Exception:
        return None
    return mapped if isinstance(mapped, ContextOverflow) else None


def chat_model(
    http: httpx.AsyncClient, url: str, key: str | None, profile: ModelProfile, settings: Settings
) -> VLLMChat:
    """Return the chat model on `http`; it retries nothing by itself, and streams however it is called. Async only."""
    model = VLLMChat(
        model=profile.model,
        base_url=url,
        api_key=SecretStr(key or "none-needed"),
        http_async_client=http,
        **asynchronous_only(),
        temperature=settings.temperature,
        seed=settings.seed,
        max_completion_tokens=reply_tokens(profile.window),
        timeout=settings.timeout,
        stream_chunk_timeout=None,  # its wait_for loses a cancel on Python 3.11; `timeout` bounds silence as well
        stream_usage=True,
        streaming=True,
        max_retries=0,
        use_responses_api=False,
        window=profile.window,
        replays=profile.reasoning,
    )
    model._http, model._meter = http, CacheMeter(http)
    return direct(model)
