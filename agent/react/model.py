"""`ReActChatModel`: gives any LangChain chat model tool calls by speaking ReAct with it."""

import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from agent.backends.base import ConstraintKind, CountsTokens
from agent.errors import UsageError
from agent.react.copied import without_copied
from agent.react.form import Form, Reader, form_for
from agent.react.judging.judge import Judge
from agent.react.judging.judged import judged
from agent.react.left_out import with_numbers
from agent.react.named import with_named_options
from agent.react.parser import Answer, Call, Delta, Malformed, Step
from agent.react.prompt import AFTER_THINKING, REACT_TEXT, STOP, render
from agent.react.reader.toolset import OVERWRITES, READ_ONLY, SERVER
from agent.react.repeated import AGAINST_REPEATS, goes_round
from agent.react.replies import FREE, REACT_COPIED, REACT_REPAIRS, Chunks, chosen, thought_anew
from agent.react.seen import seen_files
from agent.react.streamed import StreamedChatModel
from agent.transcript import Transcript

_log = logging.getLogger(__name__)

REACT_ERROR = "react_error"
"""Key of `additional_kwargs` that holds what was wrong with a malformed step, as the model should read it."""

_CUT = "The reply was cut off at the token limit, so its call was not made. Write it shorter."


class ReActChatModel(StreamedChatModel):
    """A chat model around `inner` whose tool calls are read from the ReAct steps that it writes.

    `bind_tools` puts the tools into the prompt; what comes out is an ordinary `AIMessage` with `tool_calls`, so nothing
    around it needs to know. The inner model is called without callbacks, so its raw text reaches no stream.
    """

    inner: BaseChatModel
    """The bare chat model."""
    constrain: Callable[[str], dict[str, Any]] | None = None
    """Gives the inner model's keyword arguments that hold a reply to a constraint; None: free text."""
    kind: ConstraintKind | None = "lark"
    """The language of the constraint; with `json_schema` a step is one JSON object, else lines of text."""
    system_role: bool = True
    """Whether the inner model's chat template takes a system message."""
    room: int | None = None
    """The most characters that the tools may take in the prompt; where they take more, they are told in less detail."""
    judge: Judge | None = None
    """Asked whether a call is needed and an answer complete; only where a constraint can hold the reply to another."""

    @property
    def _llm_type(self) -> str:
        return "a2ia-react"

    @property
    def form(self) -> Form:
        """The form of a step."""
        return form_for(self.kind)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        """Return what tracing shows of the model: the inner one's name and settings."""
        return self.inner._get_ls_params(stop, **kwargs)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with `tools` in its prompt and, where the server can, in the constraint on its replies.

        `tool_choice` ("none", "any", "required", a tool's name, or OpenAI's objects for one tool and `allowed_tools`)
        is obeyed under a constraint alone: the prompt stays, what was not chosen cannot be written. So
        `with_structured_output` works there too.
        """
        chosen = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=[tool_spec(tool) for tool in tools], **chosen, **kwargs)

    def prompt(self, messages: list[BaseMessage], tools: Sequence[dict[str, Any]]) -> list[BaseMessage]:
        """Return exactly the messages that the inner model is sent for `messages` and `tools` (OpenAI form)."""
        return render(messages, _functions(tools), form=self.form, system_role=self.system_role, room=self.room)

    async def prompt_tokens(self, messages: list[BaseMessage], tools: Sequence[dict[str, Any]] = ()) -> int:
        """Return the length of that prompt as the inner model's server counts it. Raises an `A2IAError`."""
        if not isinstance(self.inner, CountsTokens):
            raise UsageError(f"{type(self.inner).__name__} does not count tokens.", "Use a backend that does.")
        return await self.inner.prompt_tokens(self.prompt(messages, tools))

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> tuple[list[BaseMessage], dict[str, Any]]:
        tools = kwargs.pop("tools", [])
        functions, answer = chosen(_functions(tools), kwargs.pop("tool_choice", None))
        if self.constrain:
            request = next((one.text for one in reversed(messages) if isinstance(one, HumanMessage)), "")
            functions = [with_named_options(function, request) for function in functions]
            seen = seen_files(messages)
            kwargs |= self.constrain(_constraint(self.form, json.dumps(functions), answer, json.dumps(seen)))
        prompt = self.prompt(messages, tools)
        _log.debug("sent to the model:\n%s", Transcript(prompt))
        return prompt, {"stop": [*STOP, *(stop or [])], **kwargs}

    def _reader(
        self, messages: list[BaseMessage], tools: Sequence[dict[str, Any]], identity: str | None = None
    ) -> "_ReplyReader":
        def mend(step: Call) -> Call:
            return without_copied(step, messages, _functions(tools), self.form)

        return _ReplyReader(self.form.reader(tools), mend, identity)

    def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> Iterator[ChatGenerationChunk]:
        reader = self._reader(messages, kwargs.get("tools", []))
        prompt, arguments = self._request(messages, stop, kwargs)
        for chunk in self.inner._stream(prompt, **arguments):
            yield from reader.feed(chunk)
        yield reader.finish()

    async def _achunks(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> AsyncIterator[ChatGenerationChunk]:
        """Give the chunks of a reply, judged where there is a judge and the reply is free to be a call or an answer."""
        identity, tools = f"run-{uuid.uuid4()}", kwargs.get("tools")

        def reply(thread: list[BaseMessage], choice: Any = None) -> Chunks:
            held = {} if choice is None else {"tool_choice": choice}
            return self._reply(thread, stop, kwargs | held, identity)

        def whole(thread: list[BaseMessage], choice: Any = None) -> Chunks:
            return with_numbers(thread, tools, reply, choice) if self.constrain and tools else reply(thread, choice)

        is_free = self.constrain and kwargs.get("tool_choice") in FREE
        replies = judged(self.judge, messages, tools, whole) if self.judge and is_free and tools else whole(messages)
        async for out in replies:
            yield out

    async def _reply(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any], identity: str
    ) -> Chunks:
        reader = self._reader(messages, kwargs.get("tools", []), identity)
        prompt, arguments = self._request(messages, stop, dict(kwargs))
        async for chunk in self.inner._astream(prompt, **arguments):
            for out in reader.feed(chunk):
                yield out
        if reader.went_round and not AGAINST_REPEATS.items() <= kwargs.items():
            _log.debug("asked again, since this went round:\n%s", reader.text)
            yield thought_anew(identity)
            async for out in self._reply(messages, stop, kwargs | AGAINST_REPEATS, identity):
                yield out
            return
        yield reader.finish()


def tool_spec(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> dict[str, Any]:
    """Return a tool in OpenAI form, with marks beside it: its server, that it changes nothing, that it overwrites."""
    hints = (isinstance(tool, BaseTool) and tool.metadata) or {}
    overwrites = hints.get("builtin") and hints.get("destructive") and not hints.get("open_world")
    marks = {READ_ONLY: hints.get("read_only") is True, OVERWRITES: bool(overwrites), SERVER: hints.get("server")}
    return convert_to_openai_tool(tool) | {mark: value for mark, value in marks.items() if value}


def _functions(tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [tool["function"] for tool in tools]


@lru_cache(maxsize=16)
def _constraint(form: Form, functions: str, answer: bool, seen: str) -> str:
    return form.constraint(json.loads(functions), answer, json.loads(seen))


class _ReplyReader:
    """Turns the inner model's chunks into chunks of canonical form."""

    def __init__(self, stream: Reader, mend: Callable[[Call], Call], identity: str | None = None) -> None:
        self._stream = stream
        self._mend = mend
        self._id = identity or f"run-{uuid.uuid4()}"
        self._usage: UsageMetadata | None = None
        self._thinks = False
        self._answers = False
        self._metadata: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """The reply so far."""
        return self._stream.text

    @property
    def went_round(self) -> bool:
        """Whether it is a call that repeated itself until the token limit; of an answer, too much has been shown."""
        return not self._answers and is_cut(self._metadata) and goes_round(self.text)

    def feed(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        message = chunk.message
        self._metadata.update(chunk.generation_info or {})
        self._metadata.update(message.response_metadata)
        inner = message.additional_kwargs.get("reasoning_content")
        if inner:
            self._thinks = True
            yield self._chunk(Delta("thought", str(inner)))
        for delta in self._apart(self._stream.feed(message.text)):
            self._answers = self._answers or delta.kind == "answer"
            yield self._chunk(delta)
        self._usage = getattr(message, "usage_metadata", None) or self._usage

    def finish(self) -> ChatGenerationChunk:
        """Return the last chunk: what was held back, the call, and everything that must be written only once."""
        step, last = self._stream.finish()
        if isinstance(step, Call) and is_cut(self._metadata):
            step = Malformed(step.thought, "cut_off", _CUT, step.name)
        if isinstance(step, Call):
            step = self._mend(step)
        deltas = self._apart(last)
        content = "".join(delta.text for delta in deltas if delta.kind == "answer")
        thought = "".join(delta.text for delta in deltas if delta.kind == "thought")
        extra: dict[str, Any] = {"reasoning_content": thought} if thought else {}
        # A mended call is shown to the model in the form that it should have had.
        if not (isinstance(step, Call) and step.repairs):
            extra[REACT_TEXT] = self.text
        if isinstance(step, Malformed):
            extra[REACT_ERROR] = step.problem
        if isinstance(step, Call) and step.copied:
            extra[REACT_COPIED] = list(step.copied)
        if step.repairs:
            extra[REACT_REPAIRS] = list(step.repairs)
            _log.debug("repaired in the reply (%s):\n%s", "; ".join(step.repairs), self.text)
        message = AIMessageChunk(
            content=content,
            additional_kwargs=extra,
            tool_call_chunks=_calls(step, self.text),
            response_metadata=self._metadata,
            usage_metadata=self._usage,
            id=self._id,
        )
        return ChatGenerationChunk(message=message, generation_info=self._metadata)

    def _apart(self, deltas: list[Delta]) -> list[Delta]:
        """Return `deltas` with the step's thought set off from what the model thought before its reply."""
        first = next((place for place, delta in enumerate(deltas) if delta.kind == "thought"), None)
        if first is None or not self._thinks:
            return deltas
        self._thinks = False
        return [*deltas[:first], Delta("thought", AFTER_THINKING + deltas[first].text), *deltas[first + 1 :]]

    def _chunk(self, delta: Delta) -> ChatGenerationChunk:
        if delta.kind == "answer":
            return ChatGenerationChunk(message=AIMessageChunk(content=delta.text, id=self._id))
        thought = {"reasoning_content": delta.text}
        return ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs=thought, id=self._id))


def is_cut(metadata: Mapping[str, Any]) -> bool:
    """Say whether a reply ended at the token limit, by its response metadata."""
    return bool(metadata.get("finish_reason", metadata.get("done_reason")) == "length")


def _calls(step: Step, text: str) -> list[Any]:
    if isinstance(step, Answer):
        return []
    identity = f"call_{uuid.uuid4().hex[:12]}"
    # No index: LangChain numbers the blocks of a message itself, and one of ours would be merged with the thought.
    if isinstance(step, Call):
        return [tool_call_chunk(name=step.name, args=json.dumps(step.args), id=identity, index=None)]
    # LangChain completes partial JSON in a chunk's args into a call; a leading word keeps a malformed one malformed.
    return [tool_call_chunk(name=step.name, args=f"malformed: {text}", id=identity, index=None)]
