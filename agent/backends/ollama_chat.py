"""LangChain's `ChatOllama`, so that nothing is lost in silence: not the history, not an argument, not a reply's end.

Importing this costs about a second (langchain_ollama), so `agent.backends.ollama` does it while the server is asked.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_ollama import ChatOllama

from agent.backends.base import ModelProfile, reply_tokens
from agent.backends.wire import CONNECT_SECONDS, whole
from agent.config import Settings
from agent.errors import HistoryDropped, ModelServerError

_SURE = 0.75
"""Share of its words that a prompt has at least as tokens; tokenizers split text at white space before all else."""


class WholeChatOllama(ChatOllama):
    """`ChatOllama` whose replies end as Ollama ends them, or raise; it takes `tool_choice="none"`."""

    window: int
    """The served window in tokens."""

    async def _aiterate_over_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        if kwargs.pop("tool_choice", None) == "none":
            kwargs.pop("tools", None)  # Ollama knows no tool_choice: a model that must not call sees no tools
        async for chunk in whole(super()._aiterate_over_stream(messages, stop, **kwargs), "ollama"):
            usage = chunk.message.usage_metadata if isinstance(chunk.message, AIMessageChunk) else None
            if usage:
                _check_history(messages, usage["input_tokens"], self.window)
            yield chunk

    async def _acreate_chat_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[Mapping[str, Any] | str]:
        async for part in super()._acreate_chat_stream(messages, stop, **kwargs):
            yield part if isinstance(part, str) else _as_said(part)


def _as_said(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line of a reply whose calls keep their arguments: ChatOllama would parse strings that look like JSON."""
    if part.get("done_reason") in {"load", "unload"}:
        raise ModelServerError(
            "The ollama server loaded the model but wrote no reply.", "Run the same command again: it is loaded now."
        )
    message = part.get("message")
    if not message or not message.get("tool_calls"):
        return part
    calls = [
        {"function": {"name": call["function"]["name"], "arguments": json.dumps(call["function"]["arguments"])}}
        for call in message["tool_calls"]
    ]
    said = {key: message.get(key) for key in ("role", "content", "thinking")}
    return {**dict(part), "message": {**said, "content": said["content"] or "", "tool_calls": calls}}


def _check_history(messages: list[BaseMessage], read: int, window: int) -> None:
    """Raise `HistoryDropped` if the server read fewer tokens than the conversation has words.

    A server that is older than `truncate` drops what does not fit and says nothing.
    """
    text = "\n".join(message.text for message in messages)
    words = len(text.split())
    if len(text.encode()) > window and read < words * _SURE:
        raise HistoryDropped("ollama", read, words, window)


def chat_model(
    url: str, profile: ModelProfile, settings: Settings, *, window: int, transport: httpx.AsyncBaseTransport
) -> ChatOllama:
    """Return the chat model; `window` is the `num_ctx` of every request. Async only in what it promises."""
    return WholeChatOllama(
        model=profile.model,
        base_url=url,
        num_ctx=window,
        window=profile.window,
        num_predict=reply_tokens(profile.window),
        temperature=settings.temperature,
        seed=settings.seed,
        reasoning=True if profile.reasoning else None,
        async_client_kwargs={
            "transport": transport,
            "timeout": httpx.Timeout(settings.timeout, connect=CONNECT_SECONDS),
        },
    )
