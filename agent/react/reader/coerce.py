"""Gives values the types that a schema takes, where the text leaves no doubt which value is meant."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.react.reader.literal import Unreadable, read_value

_NUMBER = re.compile(r"\$?\s*-?(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")


def letters(value: Any) -> str:
    """Return the letters and digits of a value's text, in lower case."""
    return re.sub(r"[\W_]+", "", str(value)).lower()


TYPES = {"string", "integer", "number", "float", "boolean", "array", "object", "null"}


def _kinds(schema: Any) -> set[str]:
    if not isinstance(schema, Mapping):
        return set()
    kinds: Any = schema.get("type") or ()
    found = {kinds} if isinstance(kinds, str) else {kind for kind in kinds if isinstance(kind, str)}
    for branch in [*_listed(schema.get("anyOf")), *_listed(schema.get("oneOf"))]:
        found |= _kinds(branch)
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def takes(schema: Any, kind: str) -> bool:
    """Say whether the schema takes this kind of value."""
    return kind in _kinds(schema)


def coerced(value: Any, schema: Any, notes: list[str]) -> Any:
    """Return `value` in a type that the schema takes, where the text leaves no doubt which value is meant."""
    kinds = _kinds(schema)
    if not kinds or _is_one_of(value, kinds):
        return _of_enum(value, schema, notes)
    new = _from_text(value.strip(), kinds) if isinstance(value, str) else _to_text(value, kinds)
    if new is _SAME and "array" in kinds and not isinstance(value, dict | list):
        item = coerced(value, schema.get("items"), notes)
        new = [item] if _is_one_of(item, _kinds(schema.get("items")) or TYPES) else _SAME
    if new is _SAME:
        return value
    notes.append(f"a {type(new).__name__} written as {type(value).__name__}")
    return new


_SAME = object()


def _from_text(value: str, kinds: set[str]) -> Any:
    if value.lower() in ("true", "false") and "boolean" in kinds:
        return value.lower() == "true"
    if kinds & {"integer", "number", "float"} and _NUMBER.match(value):
        number = float(re.sub(r"[$,_\s]", "", value))
        if number.is_integer() and abs(number) < 2**53:
            return int(number)
        return _SAME if not kinds & {"number", "float"} else number
    if value.startswith(("{", "[")) and kinds & {"array", "object"}:
        try:
            found = read_value(value)
        except Unreadable:
            return _SAME
        return found.value if _is_one_of(found.value, kinds) else _SAME
    return _SAME


def _to_text(value: Any, kinds: set[str]) -> Any:
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return int(value)
    if "string" in kinds and value is not None and not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return _SAME


def _is_one_of(value: Any, kinds: set[str]) -> bool:
    match value:
        case bool():
            kind = {"boolean"}
        case int():
            kind = {"integer", "number", "float"}
        case float():
            kind = {"number", "float"}
        case str():
            kind = {"string"}
        case list():
            kind = {"array"}
        case dict():
            kind = {"object"}
        case _:
            kind = {"null"}
    return bool(kind & kinds)


def _of_enum(value: Any, schema: Any, notes: list[str]) -> Any:
    options = _listed(schema.get("enum")) if isinstance(schema, Mapping) else []
    if not isinstance(value, str) or not options or value in options:
        return value
    same = [option for option in options if isinstance(option, str) and letters(option) == letters(value)]
    if len(same) != 1:
        return value
    notes.append(f"{same[0]!r} written as {value!r}")
    return same[0]
