"""Flags that a request names have to be written: a small model leaves out what is optional."""

import re
from collections.abc import Mapping
from typing import Any

_FILLERS = {"include", "includes", "with", "is", "has", "show", "return", "get", "use", "as", "the", "of", "format"}
_WORDS = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}")


def with_named_flags(function: dict[str, Any], request: str) -> dict[str, Any]:
    """Return an OpenAI function spec in which the optional boolean arguments that `request` names are required.

    An argument is named where all telling words of its name stand in the request, in any form: `include_owner` in
    "with owners". They come behind the required ones, where the prompt lists them; the prompt itself says optional.
    """
    parameters = function.get("parameters") or {}
    properties = parameters.get("properties")
    if not isinstance(properties, Mapping):
        return function
    required = [name for name in parameters.get("required") or () if name in properties]
    asked = [word.lower() for word in _WORDS.findall(request)]
    flags = [name for name, schema in properties.items() if name not in required and _is_named(name, schema, asked)]
    if not flags:
        return function
    in_order = {name: properties[name] for name in dict.fromkeys([*required, *flags, *properties])}
    return {**function, "parameters": {**parameters, "properties": in_order, "required": [*required, *flags]}}


def _is_named(name: str, schema: Any, asked: list[str]) -> bool:
    if not isinstance(schema, Mapping) or schema.get("type") != "boolean":
        return False
    words = [word.lower() for word in _WORDS.findall(name) if word.lower() not in _FILLERS]
    return bool(words) and all(any(_is_form(word, other) for other in asked) for word in words)


def _is_form(word: str, other: str) -> bool:
    """Say whether two words differ only in their ends, as `owner` and `owners`, `detailed` and `details`."""
    return word == other or (len(other) >= 4 and other.startswith(word[: max(4, len(word) - 2)]))
