"""A number that a request tells and the call leaves out: a small model passes over what is optional.

Asked for "three hotel rooms" it calls `book(city)`, where `book` takes a `number_of_rooms` too. The same call written
once more, with that argument required, says whether the number belongs there (docs/reliability.md).
"""

import json
import logging
import math
import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk

from agent.react.examples import BUILT_IN
from agent.react.grammar import apart_from_null, plain_schema
from agent.react.prompt import REACT_TEXT
from agent.react.replies import REACT_REPAIRS, Chunks, Replies, Tools, arguments, called, this_call
from agent.react.told import COUNTS, SCALES

_NUMBER = re.compile(r"(?<![\w.,:/-])\d[\d,]*(?:\.\d+)?(?![\d:/]|-\d|\s?[ap]\.?m\b)", re.I)
"""A number that is no part of a word, a date or a time."""
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z]+")

_MOST = 3
"""Numbers left out; a request with more of them brings data."""

_LONGEST = 300
"""Characters of the arguments that are written once more."""

_log = logging.getLogger(__name__)


async def with_numbers(messages: list[BaseMessage], tools: Tools, reply: Replies, choice: Any = None) -> Chunks:
    """Give the chunks of a reply; its call with the number of the request that it leaves out, if one argument takes it.

    Only the first call of a turn is looked at, and none of A2IA's own tools.
    """
    async with aclosing(reply(messages, choice)) as chunks:
        async for out in chunks:
            yield await _completed(out, messages, tools, reply)


async def _completed(
    out: ChatGenerationChunk, messages: list[BaseMessage], tools: Tools, reply: Replies
) -> ChatGenerationChunk:
    tool, given, asked = called(out, tools), arguments(out), messages[-1]
    if tool is None or given is None or not isinstance(asked, HumanMessage) or tool["function"]["name"] in BUILT_IN:
        return out
    numbers = left_out(asked.text, given)
    is_worth = 0 < len(numbers) <= _MOST and len(json.dumps(given)) <= _LONGEST
    narrowed = _narrowed(tool["function"], given) if is_worth else None
    if narrowed is None:
        return out
    try:
        async with aclosing(reply(messages, this_call(narrowed))) as chunks:
            written = [chunk async for chunk in chunks]
    except Exception:
        _log.debug("the call with the arguments that it left out failed", exc_info=True)
        return out
    added = _taken(numbers, given, arguments(written[-1]) or {})
    _log.debug("numbers left out %s, taken %s", sorted(numbers), added)
    return _with(out, given, added)


def left_out(request: str, given: Mapping[str, Any]) -> set[float]:
    """Return the numbers, in digits or words, that `request` tells and no argument of a call has."""
    told = {float(number.replace(",", "")) for number in _NUMBER.findall(request)}
    told |= {float(COUNTS[word]) for word in _WORD.findall(request.lower()) if word != "one" and word in COUNTS}
    used = [float(number) for number in _DIGITS.findall(json.dumps(given, ensure_ascii=False))]
    meant = [number for value in used for scale in SCALES for number in (value * scale, value / scale)]
    return {number for number in told if not any(math.isclose(number, other) for other in meant)}


def _narrowed(function: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return `function` with the arguments `given` fixed and the other numbers required; None without any."""
    properties = plain_schema(function.get("parameters") or {}).get("properties", {})
    numbers = {
        name: apart_from_null(schema)
        for name, schema in properties.items()
        if name not in given and apart_from_null(schema).get("type") in ("integer", "number")
    }
    if not numbers:
        return None
    fixed = {name: {"const": value} for name, value in given.items()} | numbers
    return {**function, "parameters": {"type": "object", "properties": fixed, "required": [*fixed]}}


def _taken(numbers: set[float], given: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the call `written` that take one of `numbers`, each that no other takes too."""
    new = {name: value for name, value in written.items() if name not in given}
    values = [value for value in new.values() if isinstance(value, int | float)]
    return {name: value for name, value in new.items() if values.count(value) == 1 and value in numbers}


def _with(out: ChatGenerationChunk, given: Mapping[str, Any], added: Mapping[str, Any]) -> ChatGenerationChunk:
    """Return the last chunk of a reply with the arguments `added` to its call."""
    message = out.message
    if not isinstance(message, AIMessageChunk) or not added:
        return out
    extra = {key: value for key, value in message.additional_kwargs.items() if key != REACT_TEXT}
    extra[REACT_REPAIRS] = [*extra.get(REACT_REPAIRS, ()), f"added {', '.join(added)}, of which the request tells"]
    whole = AIMessageChunk(
        content=message.content,
        additional_kwargs=extra,
        tool_call_chunks=[{**message.tool_call_chunks[0], "args": json.dumps({**given, **added})}],
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        id=message.id,
    )
    return ChatGenerationChunk(message=whole, generation_info=out.generation_info)
