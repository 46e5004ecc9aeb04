"""LangChain's `ChatOllama`, so that nothing is lost in silence: not the history, not an argument, not a reply's end.

Importing this costs about a second (langchain_ollama), so `agent.backends.ollama` does it while the server is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_ollama import ChatOllama
from pydantic import PrivateAttr

from agent.backends.address import is_loopback
from agent.backends.base import ModelProfile, reply_tokens
from agent.backends.ollama_lines import replied
from agent.backends.wire import whole
from agent.config import Settings
from agent.errors import HistoryDropped, ModelServerError

_SURE = 0.75
"""Share of its words that a prompt has at least as tokens; tokenizers split text at white space before all else."""


class WholeChatOllama(ChatOllama):
    """`ChatOllama` whose replies end as Ollama ends them, or raise; it takes `tool_choice="none"`."""

    window: int
    """The served window in tokens."""
    _http: httpx.AsyncClient = PrivateAttr()

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
        params = self._chat_params(messages, stop, **kwargs)
        body = {key: value for key, value in params.items() if value is not None}
        async for part in replied(self._http, body):
            if part.get("done_reason") in {"load", "unload"}:
                raise ModelServerError(
                    "The ollama server loaded the model but wrote no reply.",
                    "Run the same command again: it is loaded now.",
                )
            yield part

    def _convert_messages_to_ollama_messages(self, messages: list[BaseMessage]) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the messages as Ollama takes them: a result with its tool's name, by which templates tell results."""
        names = {call["id"]: call["name"] for message in messages for call in getattr(message, "tool_calls", ())}
        sent = []
        for message, made in zip(messages, super()._convert_messages_to_ollama_messages(messages), strict=True):
            fields = {key: value for key, value in dict(made).items() if value and key != "tool_call_id"}
            if isinstance(message, ToolMessage):
                fields["tool_name"] = message.name or names.get(message.tool_call_id, "")
            calls = [{"function": call["function"]} for call in fields.get("tool_calls", ())]
            sent.append({"content": "", **fields, **({"tool_calls": calls} if calls else {})})
        return sent


def _check_history(messages: list[BaseMessage], read: int, window: int) -> None:
    """Raise `HistoryDropped` if the server read fewer tokens than the conversation has words.

    A server that is older than `truncate` drops what does not fit and says nothing.
    """
    text = "\n".join(message.text for message in messages)
    words = len(text.split())
    if len(text.encode()) > window and read < words * _SURE:
        raise HistoryDropped("ollama", read, words, window)


def chat_model(
    http: httpx.AsyncClient, url: str, profile: ModelProfile, settings: Settings, *, window: int
) -> ChatOllama:
    """Return the chat model on `http`; `window` is the `num_ctx` of every request. Async only in what it promises."""
    model = WholeChatOllama(
        model=profile.model,
        base_url=url,
        num_ctx=window,
        window=profile.window,
        num_predict=reply_tokens(profile.window),
        temperature=settings.temperature,
        seed=settings.seed,
        reasoning=True if profile.reasoning else None,
        client_kwargs={"verify": not is_loopback(url)},  # its own clients, never used, would read certificates
    )
    model._http = http
    return model
