"""What a request itself tells of a call: words that it shares with the tool, values that stand in it.

A request that has nothing to do with a tool names none of its words, and the values of a call made all the same are
made up. Both say more of a small model's call than its own judgement (docs/reliability.md).
"""

import re
from collections.abc import Mapping
from typing import Any

MOST_SHARED = 3
"""Words that count of those that a request shares with a tool's name and description."""
_MOST_OF_ARGUMENTS = 2
"""Words that count of those that it shares with what the tool says of its arguments."""
_ARGUMENT_WEIGHT = 0.5
_MADE_UP_WEIGHT = 2.0
"""In log-odds, where a shared word counts 1: what fits calls of both small models on BFCL (docs/reliability.md)."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters that stand beside Latin ones without a space."""
_PARTS = re.compile(rf"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[{_CJK}]+|[^\W\d_{_CJK}]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_WORD_OR_NUMBER = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
_WHEN = re.compile(r"\d{4}-\d\d|\d\d?:\d\d")
_CODE = re.compile(r"[A-Z]{2,5}")
_STEM = 5
_SHORT = 5
"""Words. A longer text, such as a query or a message, is written by the model and cannot stand in the request."""
_COUNT_WORDS = "one two three four five six seven eight nine ten"
COUNTS = {word: count for count, word in enumerate(_COUNT_WORDS.split(), start=1)}
"""Numbers that texts write as words."""
SCALES = (1, 0.01, 1_000, 1_000_000)
"""A number may be meant as per cent, in thousands or in millions."""
_COMMON_WORDS = """
and any are based between both but calculate can compute could data default determine did does each find for from get
give given has have how information into its list not off one our out over provide provided return returns show some
specific tell than that the their them then there these this tool type under use used user users uses using value
values was were what when where which who will with within would you your
"""
COMMON = frozenset(_COMMON_WORDS.split())
"""Words that tell nothing of what a tool or a request is about."""
_ENGLISH = COMMON | {"to", "of", "by", "it", "is", "my"}


def evidence(request: str, tool: Mapping[str, Any], arguments: Mapping[str, Any] | None = None) -> float:
    """Return what `request` tells for a call of `tool` (an OpenAI function spec), in log-odds; below 0 against it."""
    shared = shared_words(request, tool)
    if not shared and not _ENGLISH & set(_LETTERS.findall(request.lower())):
        shared = 1  # it is hardly English, so words of an English description cannot stand in it
    against = _MADE_UP_WEIGHT if is_made_up(request, tool, arguments or {}) else 0.0
    return shared + _ARGUMENT_WEIGHT * _words_of_arguments(request, tool) - against


def shared_words(request: str, tool: Mapping[str, Any]) -> int:
    """Return how many telling words of a tool's name and description stand in `request`, at most `MOST_SHARED`."""
    return min(MOST_SHARED, len(_stems(request) & _stems(_spec(tool))))


def _words_of_arguments(request: str, tool: Mapping[str, Any]) -> int:
    """Return how many further words of its arguments' descriptions and given values do, at most two."""
    properties = (tool.get("parameters") or {}).get("properties") or {}
    schemas = [schema for schema in properties.values() if isinstance(schema, Mapping)]
    texts = [str(text) for schema in schemas for text in (schema.get("description"), *(schema.get("enum") or ()))]
    return min(_MOST_OF_ARGUMENTS, len(_stems(request) & (_stems(" ".join(texts)) - _stems(_spec(tool)))))


def _spec(tool: Mapping[str, Any]) -> str:
    return f"{tool['name']} {tool.get('description') or ''}"


def is_made_up(request: str, tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Say whether `request` tells of none of the values of a call's required arguments.

    Not counted are those that need not stand in it: flags, given values, defaults, times, codes (`EUR` for euro) and
    long texts. A call with no others is not made up.
    """
    parameters = tool.get("parameters") or {}
    properties = parameters.get("properties") or {}
    request_ = _Request(request)
    needed = [name for name in parameters.get("required") or () if name in arguments]
    told = [request_.tells(arguments[name], properties.get(name)) for name in needed]
    return False in told and True not in told


class _Request:
    def __init__(self, text: str) -> None:
        words = _LETTERS.findall(text.lower())
        self._beginnings = {word[: _STEM - 1] for word in words}
        numbers = [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
        numbers += [COUNTS[word] for word in words if word in COUNTS]
        self._numbers = {number * scale for number in numbers for scale in SCALES}

    def tells(self, value: Any, schema: Any = None) -> bool | None:
        """Say whether it tells something of `value`; None where it need not, as its kind or its schema shows."""
        given = schema if isinstance(schema, Mapping) else {}
        if value in (None, "", [], {}) or isinstance(value, bool) or "enum" in given or given.get("default") == value:
            return None
        if isinstance(value, int | float):
            return abs(value) in self._numbers
        if isinstance(value, str):
            return self._tells_text(value)
        told = [self.tells(part) for part in (value.values() if isinstance(value, Mapping) else value)]
        return True in told if set(told) & {True, False} else None

    def _tells_text(self, text: str) -> bool | None:
        words = _WORD_OR_NUMBER.findall(text.lower())
        if not words or len(words) > _SHORT or _WHEN.match(text) or _CODE.fullmatch(text):
            return None
        return any(self._tells_word(word) for word in words)

    def _tells_word(self, word: str) -> bool:
        return float(word) in self._numbers if word[0].isdecimal() else word[: _STEM - 1] in self._beginnings


def parts_of(text: str) -> list[str]:
    """Return the words of a text in their order, in small letters; parts of `camelCase` are words."""
    return [part.lower() for part in _PARTS.findall(text)]


def words_of(text: str) -> set[str]:
    """Return the words of three letters and more in a text, in small letters."""
    return {part for part in parts_of(text) if len(part) > 2}


def _stems(text: str) -> set[str]:
    """Return the beginnings of the telling words in a text."""
    return {word[:_STEM] for word in words_of(text) - COMMON}
