"""Options that a request names have to be written: a small model leaves out what is optional."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.react.grammar import apart_from_null, plain_schema

_FILLERS = {"include", "includes", "with", "is", "has", "show", "return", "get", "use", "as", "the", "of", "format"}
_PARTS = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}")
_WORDS = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r"(?<!\w)(['\"`])([^'\"`]{3,30})\1(?!\w)")
_LEAST_CHARS = 3
"""Of a value: shorter ones stand in any text."""


def with_named_options(function: dict[str, Any], request: str) -> dict[str, Any]:
    """Return an OpenAI function spec in which the optional arguments that `request` names are required.

    A flag is named where all telling words of its name stand in the request, in any form: `include_owner` in "with
    owners". One with given values, or with values in quotes in its description, is named by one of them, a list by
    any. They come behind the required ones, where the prompt lists them; the prompt itself says optional.
    """
    parameters = function.get("parameters") or {}
    properties = parameters.get("properties")
    if not isinstance(properties, Mapping):
        return function
    required = [name for name in parameters.get("required") or () if name in properties]
    plain = plain_schema(parameters).get("properties", {})
    told = _Request(request)
    named = [
        name for name in properties if name not in required and told.names(name, plain.get(name, {}), properties[name])
    ]
    if not named:
        return function
    in_order = {name: properties[name] for name in dict.fromkeys([*required, *named, *properties])}
    return {**function, "parameters": {**parameters, "properties": in_order, "required": [*required, *named]}}


class _Request:
    def __init__(self, text: str) -> None:
        self._parts = [word.lower() for word in _PARTS.findall(text)]
        self._words = _words(text)

    def names(self, name: str, plain: Mapping[str, Any], given: Any) -> bool:
        """Say whether it names an argument; `plain` is its schema without references, `given` the schema as it is."""
        schema = apart_from_null(plain)
        if schema.get("type") == "boolean":
            return self._has_parts(name)
        if schema.get("type") == "array":
            return any(map(self._has_value, _texts(schema.get("items", {}).get("enum"))))
        values = _texts(schema.get("enum"))
        if not values and schema.get("type") == "string":
            values = [quoted[2] for quoted in _QUOTED.finditer(str(given.get("description")))]
        return sum(map(self._has_value, dict.fromkeys(values))) == 1

    def _has_parts(self, name: str) -> bool:
        parts = [part.lower() for part in _PARTS.findall(name) if part.lower() not in _FILLERS]
        return bool(parts) and all(any(_is_form(part, other) for other in self._parts) for part in parts)

    def _has_value(self, value: str) -> bool:
        words = _words(value)
        places = range(len(self._words) - len(words) + 1) if words and len(value) >= _LEAST_CHARS else range(0)
        return any(self._words[place : place + len(words)] == words for place in places)


def _texts(values: Sequence[Any] | None) -> list[str]:
    return [value for value in values or () if isinstance(value, str)]


def _words(text: str) -> list[str]:
    """Return the words of a text in small letters, those of four and more without the s of a plural."""
    words = [word.lower() for word in _WORDS.findall(text)]
    return [word.rstrip("s") if len(word) >= len("days") else word for word in words]


def _is_form(word: str, other: str) -> bool:
    """Say whether two words differ only in their ends, as `owner` and `owners`, `detailed` and `details`."""
    return word == other or (len(other) >= 4 and other.startswith(word[: max(4, len(word) - 2)]))
