"""LangChain's `ChatOllama`, so that nothing is lost in silence: not the history, not an argument, not a reply's end.

Importing this costs about a second (langchain_ollama), so `agent.backends.ollama` does it while the server is asked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from langchain_ollama import ChatOllama
from pydantic import PrivateAttr

from agent.backends.base import ModelProfile, reply_tokens
from agent.backends.ollama_lines import replied
from agent.backends.wire import whole
from agent.config import Settings
from agent.errors import ContextOverflow, HistoryDropped, ModelServerError

_SURE = 0.75
"""Share of its words that a prompt has at least as tokens; tokenizers split text at white space before all else."""

_NO_SCHEMA = re.compile(r"\b(schema|grammar|generate parser|format)\b", re.I)
"""Ollama's words, and llama.cpp's behind it, for a schema that it cannot hold a reply to."""

_log = logging.getLogger(__name__)


def _least(text: str) -> int:
    return int(len(text.split()) * _SURE)


class WholeChatOllama(ChatOllama):
    """`ChatOllama` whose replies end as Ollama ends them, or raise; it takes `tool_choice="none"`."""

    window: int
    """The served window in tokens."""
    _http: httpx.AsyncClient = PrivateAttr()
    _before: tuple[list[tuple[str, str]], Any, int] = PrivateAttr(default=([], None, 0))
    """The turns and tools of the request before, and how many tokens the server read."""

    async def _aiterate_over_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        if kwargs.pop("tool_choice", None) == "none":
            kwargs.pop("tools", None)  # Ollama knows no tool_choice: a model that must not call sees no tools
        async for chunk in whole(super()._aiterate_over_stream(messages, stop, **kwargs), "ollama"):
            usage = chunk.message.usage_metadata if isinstance(chunk.message, AIMessageChunk) else None
            if usage and (chunk.generation_info or {}).get("done_reason") == "stop":  # one that was cut is not used
                self._check_history(messages, kwargs.get("tools"), usage["input_tokens"])
                self._check_room(usage)
            yield chunk

    async def _acreate_chat_stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[Mapping[str, Any] | str]:
        penalty = kwargs.pop("frequency_penalty", None)
        params = self._chat_params(messages, stop, **kwargs)
        if penalty is not None:
            params["options"] = {**params["options"], "frequency_penalty": penalty}  # OpenAI's name is an option here
        body = {key: value for key, value in params.items() if value is not None}
        async for part in self._held(body):
            if part.get("done_reason") in {"load", "unload"}:
                raise ModelServerError(
                    "The ollama server loaded the model but wrote no reply.",
                    "Run the same command again: it is loaded now.",
                )
            yield part

    async def _held(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the reply; where the server cannot hold it to the schema, one held to JSON, which is checked after."""
        try:
            async for part in replied(self._http, body):
                yield part
            return
        except httpx.HTTPStatusError as error:
            refused = error.response.status_code in {400, 500} and _NO_SCHEMA.search(error.response.text)
            if not (refused and isinstance(body.get("format"), Mapping)):
                raise
            _log.debug("the schema was refused: %s", error.response.text)
        async for part in replied(self._http, body | {"format": "json"}):
            yield part

    def _check_history(self, messages: list[BaseMessage], tools: Any, read: int) -> None:
        """Raise `HistoryDropped` if the server read fewer tokens than the conversation has at least.

        A server that is older than `truncate` drops what does not fit and says nothing. One large message shows in its
        words; in a thread that grows, what the request before had is known. Templates drop old thoughts, so replies,
        and models that think, are left out of that.
        """
        turns = [(message.type, str(message.text)) for message in messages]
        text = "\n".join(turn[1] for turn in turns)
        least = _least(text) if len(text.encode()) > self.window else 0
        before, had, count = self._before
        if not self.reasoning and before and turns[: len(before)] == before and tools == had:
            grown = count + sum(_least(said) for kind, said in turns[len(before) :] if kind != "ai")
            least = max(least, grown if grown > self.window // 2 else 0)
        if read < least:
            raise HistoryDropped("ollama", read, least, self.window)
        self._before = (turns, tools, read)

    def _check_room(self, usage: UsageMetadata) -> None:
        """Raise `ContextOverflow` if the reply ran past the window: Ollama then drops the oldest half and writes on.

        A model that thinks may be asked twice for one reply, so its counts tell nothing.
        """
        if usage["input_tokens"] <= self.window < usage["total_tokens"] and not self.reasoning:
            raise ContextOverflow(usage["total_tokens"], self.window)

    def _convert_messages_to_ollama_messages(self, messages: list[BaseMessage]) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the messages as Ollama takes them: a result with its tool's name, by which templates tell results.

        Plain objects, where ChatOllama has the types of ollama's client: `replied` sends them as they are.
        """
        names = {call["id"]: call["name"] for message in messages for call in getattr(message, "tool_calls", ())}
        sent = []
        for message, made in zip(messages, super()._convert_messages_to_ollama_messages(messages), strict=True):
            fields = {key: value for key, value in dict(made).items() if value and key != "tool_call_id"}
            if isinstance(message, ToolMessage):
                fields["tool_name"] = message.name or names.get(message.tool_call_id, "")
            calls = [{"function": call["function"]} for call in fields.get("tool_calls", ())]
            sent.append({"content": "", **fields, **({"tool_calls": calls} if calls else {})})
        return sent


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
        client_kwargs={"verify": False, "trust_env": False},  # its own clients, never used, would read the environment
    )
    model._http = http
    return model
