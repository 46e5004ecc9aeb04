"""The one fake chat model of the tests: it says what its script says, and records what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import Field, PrivateAttr

from agent.react.streamed import StreamedChatModel


class ScriptExhausted(AssertionError):
    """The model was asked once more than its script says."""


class Say:
    """One scripted reply, independent of the protocol: an answer, calls, a malformed call, or raw text."""

    def __init__(
        self,
        answer: str = "",
        *,
        calls: Sequence[tuple[str, dict[str, Any]]] = (),
        malformed: tuple[str, str] | None = None,
        ids: Sequence[str | None] = (),
        thought: str = "so",
        raw: str | None = None,
        finish: str = "stop",
        error: Exception | None = None,
        odds: float | None = None,
        wait: asyncio.Event | asyncio.Barrier | None = None,
    ) -> None:
        self.answer = answer
        self.calls = calls
        self.malformed = malformed
        self.ids = ids
        self.thought = thought
        self.raw = raw
        self.finish = finish
        self.error = error
        self.odds = odds
        self.wait = wait

    def written(self) -> list[tuple[str, str]]:
        """Return the calls with their arguments as the model writes them."""
        calls = [(name, json.dumps(args)) for name, args in self.calls]
        return [*calls, self.malformed] if self.malformed else calls

    def react_text(self) -> str:
        """Return the reply as ReAct text."""
        if self.raw is not None:
            return self.raw
        if self.written():
            lines = [f"Action: {name}\nAction Input: {args}" for name, args in self.written()]
            return "\n".join([f"Thought: {self.thought}", *lines])
        return f"Thought: {self.thought}\nFinal Answer: {self.answer}"

    def json_text(self) -> str:
        """Return the reply as a ReAct step of one JSON object, a malformed call's arguments as they are."""
        if self.raw is not None:
            return self.raw
        opening = f'{{"reason": {json.dumps(self.thought)}, '
        for name, args in self.written():
            return f'{opening}"tool": {json.dumps(name)}, "tool_input": {args}}}'
        return f'{opening}"response": {json.dumps(self.answer)}}}'


class ScriptedModel(StreamedChatModel):
    """Replies from `script`, in pieces of `piece` characters; `protocol` is how it writes calls."""

    script: list[Say] = Field(default_factory=list)
    protocol: str = "native"
    piece: int = 7
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _called: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _options: list[dict[str, Any]] = PrivateAttr(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def asked(self) -> list[list[BaseMessage]]:
        """What the model was sent, a list of messages a call."""
        return self._asked

    @property
    def called(self) -> asyncio.Event:
        """Set once the model has been asked."""
        return self._called

    @property
    def options(self) -> list[dict[str, Any]]:
        """The keyword arguments of each call, bound tools among them."""
        return self._options

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=list(tools), **kwargs)

    def _next(self, messages: list[BaseMessage], options: dict[str, Any]) -> Say:
        self._asked.append(list(messages))
        self._called.set()
        self._options.append(options)
        if len(self._asked) > len(self.script):
            raise ScriptExhausted(f"the script ends after {len(self.script)} replies")
        say = self.script[len(self._asked) - 1]
        if say.error:
            raise say.error
        return say

    def _written(self, say: Say) -> Iterator[ChatGenerationChunk]:
        texts = {"react": say.react_text, "json": say.json_text}
        text = texts[self.protocol]() if self.protocol in texts else (say.raw or say.answer)
        if self.protocol == "native" and say.raw is None and say.thought:
            yield _chunk(content="", additional_kwargs={"reasoning_content": say.thought})
        for start in range(0, len(text), self.piece):
            yield _chunk(content=text[start : start + self.piece])
        if self.protocol == "native":
            for index, (name, args) in enumerate(say.written()):
                identity = say.ids[index] if say.ids else f"n{len(self._asked)}_{index}"
                call = tool_call_chunk(name=name, args=args, id=identity, index=index)
                yield _chunk(content="", tool_call_chunks=[call])
        usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "input_token_details": {"cache_read": 8}}
        metadata: dict[str, Any] = {"finish_reason": say.finish, "model_name": "scripted"}
        if say.odds is not None:
            yes, no = {"token": "Yes", "logprob": say.odds - 9}, {"token": " no", "logprob": -9.0}
            metadata["logprobs"] = {"content": [{"token": "Yes", "top_logprobs": [yes, no]}]}
        yield _chunk(content="", usage_metadata=usage, response_metadata=metadata)

    def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> Iterator[ChatGenerationChunk]:
        yield from self._written(self._next(messages, kwargs))

    async def _achunks(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> AsyncIterator[ChatGenerationChunk]:
        say = self._next(messages, kwargs)
        for place, chunk in enumerate(self._written(say)):
            yield chunk
            if say.wait and place == 0:
                await say.wait.wait()


def _chunk(**fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(**fields))
