"""A reply at which the judge looks before it counts: a call that is not needed, an answer that comes too early."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk

from agent.react.examples import BUILT_IN
from agent.react.judging import completion, need
from agent.react.judging.judge import Judge, Verdict, last_turn, names_what_is_read, only_request
from agent.react.reader.toolset import OVERWRITES, READ_ONLY
from agent.react.replies import Chunks, Replies, Tools, allowed_tools, arguments, called, thought_anew
from agent.react.told import is_made_up

JUDGED = "judged"
"""Key of `response_metadata` that holds the judge's verdict on a call or an answer."""

_log = logging.getLogger(__name__)


async def judged(judge: Judge, messages: list[BaseMessage], tools: Tools, reply: Replies) -> Chunks:
    """Give the chunks of a reply; where the judge declines its call or its answer, those of a second one.

    In place of a call that is not needed stands one that is, if there are few tools and the request tells of its
    values, or an answer; in place of an answer that is not complete another call, once in a turn. What was declined is
    not shown, but for its thought.
    """
    verdict: Verdict | None = None
    held = _Held(completion.LONGEST if _may_go_on(judge, messages, tools) else 0)
    first: AIMessageChunk | None = None
    async with aclosing(reply(messages)) as chunks:
        async for out in chunks:
            first = _with(first, out)
            verdict = await _of_call(judge, messages, tools, out) or verdict
            if verdict and verdict.declined:
                break
            for passed in held.feed(out):
                yield passed
    if held.chunks and not verdict:
        verdict = await _of_answer(judge, messages, held.text)
    if verdict and verdict.declined and first:
        if first.additional_kwargs.get("reasoning_content"):
            yield thought_anew(first.id)
        if verdict.tool:
            rest = _in_place_of_call(messages, tools, reply, verdict.instead)
        else:
            rest = _in_place_of_answer(judge, messages, tools, reply, held.chunks)
    else:
        rest = _given(held.chunks)
    async for out in rest:
        yield out
    if verdict and first:
        said = AIMessageChunk(content="", id=first.id, response_metadata={JUDGED: asdict(verdict)})
        yield ChatGenerationChunk(message=said)


def _with(first: AIMessageChunk | None, out: ChatGenerationChunk) -> AIMessageChunk | None:
    message = out.message if isinstance(out.message, AIMessageChunk) else None
    return first + message if first and message else message or first


async def _given(chunks: list[ChatGenerationChunk]) -> Chunks:
    for chunk in chunks:
        yield chunk


async def _in_place_of_call(messages: list[BaseMessage], tools: Tools, reply: Replies, instead: str | None) -> Chunks:
    """Give a call of the tool `instead`, if there is one and the request tells of its values; else an answer."""
    if instead:
        async with aclosing(reply(messages, allowed_tools([instead]))) as chunks:
            async for out in chunks:
                if _is_made_up(messages, tools, out):
                    yield thought_anew(out.message.id)
                    break
                yield out
            else:
                return
    at_work = any(isinstance(message, AIMessage) for message in messages)
    hint = [] if at_work else [SystemMessage(need.HINT)]
    async for out in reply([*messages, *hint], "none"):
        yield out


async def _in_place_of_answer(
    judge: Judge, messages: list[BaseMessage], tools: Tools, reply: Replies, held: list[ChatGenerationChunk]
) -> Chunks:
    """Give another call; where it is none that can be made, or not needed, the answer that was held back after all."""
    choice = allowed_tools(completion.further(last_turn(messages), tools))
    try:
        async for out in reply([*messages, SystemMessage(completion.HINT)], choice):
            if out.generation_info is None:
                yield out
                continue
            needless = await _of_call(judge, messages, tools, out)
            if arguments(out) is not None and not (needless and needless.declined):
                held = [out]
    except Exception:
        _log.debug("the reply in place of an early answer failed", exc_info=True)
    for out in held:
        yield out


def _is_made_up(messages: Sequence[BaseMessage], tools: Tools, out: ChatGenerationChunk) -> bool:
    tool = called(out, tools)
    if tool is None or tool["function"]["name"] in BUILT_IN:
        return False
    return is_made_up(only_request(messages) or "", tool["function"], arguments(out) or {})


def _may_go_on(judge: Judge, messages: Sequence[BaseMessage], tools: Tools) -> bool:
    """Say whether an answer may come too early: behind a tool's result, with no file changed, not told so before."""
    turn = last_turn(messages)
    return (
        judge.judges_answers
        and len(turn) > 1
        and isinstance(turn[-1], ToolMessage)
        and not any(_was_early(message) for message in turn)
        and not completion.must_end(messages)
        and not completion.has_changed_files(turn, tools)
        and bool(completion.further(turn, tools))
    )


def _was_early(message: BaseMessage) -> bool:
    said = message.response_metadata.get(JUDGED) if isinstance(message, AIMessage) else None
    return said is not None and not said["tool"] and said["odds"] < said["threshold"]


async def _of_answer(judge: Judge, messages: list[BaseMessage], answer: str) -> Verdict | None:
    """Judge an answer; it is there, so a server that fails now costs the question alone."""
    try:
        verdict = await judge.of_answer(last_turn(messages), answer)
    except Exception:
        _log.debug("the judge of the answer failed", exc_info=True)
        return None
    _log.debug("the judge of the answer: %s", verdict)
    return verdict


async def _of_call(judge: Judge, messages: list[BaseMessage], tools: Tools, out: ChatGenerationChunk) -> Verdict | None:
    tool = called(out, tools)
    given = arguments(out) or {}
    if tool is None or (tool.get(READ_ONLY) and names_what_is_read(messages, json.dumps(given, ensure_ascii=False))):
        return None
    functions = [tool["function"] for tool in tools]
    always = bool(tool.get(OVERWRITES))
    verdict = await judge.of_call(messages, tool["function"], given, functions, always=always)
    _log.debug("the judge of the call: %s", verdict)
    return verdict


class _Held:
    """Holds back the chunks of an answer of at most so many characters, until it is known to be complete."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self.chunks: list[ChatGenerationChunk] = []

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(chunk.text for chunk in self.chunks)

    def feed(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """Take a chunk, and give those that need not be held back."""
        is_thought = chunk.generation_info is None and not chunk.text
        if not self._longest or (is_thought and not self.chunks):
            yield chunk
            return
        self.chunks.append(chunk)
        calls = isinstance(chunk.message, AIMessageChunk) and chunk.message.tool_call_chunks
        if calls or len(self.text) > self._longest:
            self._longest = 0
            yield from self.chunks
            self.chunks = []
