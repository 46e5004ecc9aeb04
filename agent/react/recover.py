"""`RecoveringChatModel`: makes real tool calls of calls that a native model wrote as text.

Text that may begin a call is held back until it is decided. It becomes a tool call if, and only if, it names a bound
tool and its arguments validate; else it is passed on unchanged.
"""

import json
import logging
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.base import BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.tools import BaseTool

from agent.react.model import is_cut, tool_spec
from agent.react.parser import Call, parse
from agent.react.reader.toolset import toolset
from agent.react.replies import REACT_REPAIRS
from agent.react.streamed import StreamedChatModel

_log = logging.getLogger(__name__)

RECOVERED = "recovered_call"
"""Key of `additional_kwargs` that marks a reply whose call the model wrote as text."""

_TOOLS = "recover_tools"
_BEGINS = re.compile(
    r"`{3}|<(?:[|｜]|/?(?:tool|func|invoke|call|xml|thin))|\[TOOL_|^[ \t]*(?:[{\[]|\**(?:Thought|Action)\b)",
    re.M | re.I,
)
"""What may begin a call."""
_MAY_BEGIN = re.compile(r"(?:`{1,2}|</?[a-z]{0,6}|\[[A-Z_]{0,5}|(?:\A|\n)[ \t]*\**[A-Za-z]{0,7})\Z")
"""An end of a piece that may yet turn out to begin a call."""
_FENCE = re.compile(r"`{3}[^\n`]*\n.*?\n[ \t]*`{3}[ \t]*(?=\n|\Z)", re.S)


class RecoveringChatModel(StreamedChatModel):
    """A chat model around `inner`, which is bound to tools natively; without tools it changes nothing."""

    inner: BaseChatModel
    """The chat model that speaks tool calls itself, as its server says."""

    @property
    def _llm_type(self) -> str:
        return "a2ia-recovering"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with `tools` bound to the inner one, which is given `kwargs`."""
        bound = self.inner.bind_tools(tools, **kwargs)
        arguments = bound.kwargs if isinstance(bound, RunnableBinding) else kwargs
        return self.bind(**arguments, **{_TOOLS: [tool_spec(tool) for tool in tools]})

    def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> Iterator[ChatGenerationChunk]:
        reader = _Recovery(_usable(kwargs))
        for chunk in self.inner._stream(messages, stop=stop, **kwargs):
            yield reader.feed(chunk)
        yield from reader.finish()

    async def _achunks(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> AsyncIterator[ChatGenerationChunk]:
        reader = _Recovery(_usable(kwargs))
        async for chunk in self.inner._astream(messages, stop=stop, **kwargs):
            yield reader.feed(chunk)
        for chunk in reader.finish():
            yield chunk


def _usable(kwargs: dict[str, Any]) -> list[dict[str, Any]]:
    """Take the tools that a text may call out of the call's arguments: none where calling is forbidden."""
    tools: list[dict[str, Any]] = kwargs.pop(_TOOLS, [])
    return [] if kwargs.get("tool_choice") == "none" else tools


class _Recovery:
    """Passes a reply's chunks on, but for the text that may be a call."""

    def __init__(self, tools: list[dict[str, Any]]) -> None:
        self._tools = tools
        self._text = ""
        self._shown = 0
        self._id: str | None = None
        self._metadata: dict[str, Any] = {}
        self._native = False

    def feed(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Return the chunk with no more of its text than is decided, together with what was held back and now is."""
        message = chunk.message
        self._id = message.id or self._id
        self._metadata |= (chunk.generation_info or {}) | message.response_metadata
        self._native = self._native or bool(getattr(message, "tool_call_chunks", None))
        if not self._tools or not isinstance(message.content, str):
            return chunk
        self._text += message.content
        ready = self._text[self._shown : self._decided()]
        self._shown += len(ready)
        if ready == message.content:
            return chunk
        out = message.model_copy(update={"content": ready})
        return ChatGenerationChunk(message=out, generation_info=chunk.generation_info)

    def _decided(self) -> int:
        """Return up to where the text is sure to stay text."""
        if self._native:
            return len(self._text)
        at = self._shown
        while begins := _BEGINS.search(self._text, at):
            fence = _FENCE.match(self._text, begins.start())
            if fence is None or isinstance(parse(fence[0], self._tools), Call):
                return begins.start()
            at = fence.end()
        open_end = _MAY_BEGIN.search(self._text, at)
        return open_end.start() if open_end else len(self._text)

    def finish(self) -> list[ChatGenerationChunk]:
        """Return the chunk with the recovered call, or with what is left of the text; nothing if nothing is left."""
        held = self._text[self._shown :]
        step = parse(self._text, self._tools) if held and not (self._native or is_cut(self._metadata)) else None
        if isinstance(step, Call) and self._is_valid(step):
            notes = step.repairs or ("labels",)
            _log.debug("recovered a call of %s from text (%s):\n%s", step.name, "; ".join(notes), self._text)
            call = tool_call_chunk(
                name=step.name, args=json.dumps(step.args), id=f"call_{uuid.uuid4().hex[:12]}", index=None
            )
            extra = {RECOVERED: True, REACT_REPAIRS: list(notes)}
            message = AIMessageChunk(content="", tool_call_chunks=[call], additional_kwargs=extra, id=self._id)
            return [ChatGenerationChunk(message=message)]
        return [ChatGenerationChunk(message=AIMessageChunk(content=held, id=self._id))] if held else []

    def _is_valid(self, call: Call) -> bool:
        tool = toolset(self._tools).exact(call.name)
        return tool is not None and not tool.check.problem(call.args)
