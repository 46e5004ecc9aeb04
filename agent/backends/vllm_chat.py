"""LangChain's `ChatOpenAI` on vLLM, whose replies end as vLLM ends them, or raise.

Importing this costs over a second (langchain_openai), so `agent.backends.vllm` does it while the server is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.backends.base import ModelProfile, reply_tokens
from agent.backends.direct import direct
from agent.backends.wire import whole
from agent.config import Settings


class WholeChatOpenAI(ChatOpenAI):
    """`ChatOpenAI` that raises for a stream that closes before the reply is complete."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in whole(super()._astream(*args, **kwargs), "vllm"):
            yield chunk


def chat_model(
    http: httpx.AsyncClient, url: str, key: str | None, profile: ModelProfile, settings: Settings
) -> ChatOpenAI:
    """Return the chat model on `http`; it retries nothing by itself, and streams however it is called. Async only."""
    chat = WholeChatOpenAI(
        model=profile.model,
        base_url=url,
        api_key=SecretStr(key or "none-needed"),
        http_async_client=http,
        temperature=settings.temperature,
        seed=settings.seed,
        max_completion_tokens=reply_tokens(profile.window),
        timeout=settings.timeout,
        stream_chunk_timeout=settings.timeout,
        stream_usage=True,
        streaming=True,
        max_retries=0,
        use_responses_api=False,
    )
    return direct(chat)
