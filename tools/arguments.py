import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tools.errors import ToolFailure
from tools.text import shown

_SCHEMAS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "list[str]": {"type": "array", "items": {"type": "string"}},
}
_WORDS = {"str": "a string", "int": "a whole number", "bool": "true or false", "list[str]": "a list of strings"}
_MAX_NUMBER = 10**9
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def input_schema(function: Callable[..., object]) -> dict[str, Any]:
    """Give the JSON schema of a tool's arguments, taken from its signature.

    A default is told, since a small model that does not see one makes a value up.
    """
    parameters = _parameters(function)
    required = [name for name, parameter in parameters.items() if _is_required(parameter)]
    return {
        "type": "object",
        "properties": {name: _property(parameter) for name, parameter in parameters.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def checked(function: Callable[..., object], tool: str, arguments: Mapping[str, object]) -> dict[str, Any]:
    """Give the arguments to call the tool with; null is left out, and "5" is taken for 5.

    Raises:
        ToolFailure: one is missing, unknown, or of the wrong kind.
    """
    parameters = _parameters(function)
    given = {name: value for name, value in arguments.items() if value is not None or name not in parameters}
    takes = f"it takes {', '.join(parameters)}" if parameters else "it takes no arguments"
    for name in given:
        if name not in parameters:
            raise ToolFailure(f"{tool} has no argument '{shown(str(name), 40)}': {takes}.")
    for name, parameter in parameters.items():
        if name not in given and _is_required(parameter):
            raise ToolFailure(f"{tool} needs the argument {name}: {takes}.")
    return {name: _value(name, _kind(parameters[name]), value) for name, value in given.items()}


def _property(parameter: inspect.Parameter) -> dict[str, Any]:
    schema = _SCHEMAS[_kind(parameter)]
    return schema if parameter.default in (inspect.Parameter.empty, None) else {**schema, "default": parameter.default}


def _parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


def _kind(parameter: inspect.Parameter) -> str:
    return inspect.formatannotation(parameter.annotation).removesuffix(" | None")


def _value(name: str, kind: str, value: object) -> object:
    value = _meant(kind, value)
    if kind == "list[str]":
        right = isinstance(value, list) and all(isinstance(item, str) for item in value)
    else:
        right = type(value).__name__ == kind
    if not right:
        raise ToolFailure(f"{name} must be {_WORDS[kind]}, not {_word(value)}.")
    if kind == "int" and isinstance(value, int):
        value = max(-_MAX_NUMBER, min(value, _MAX_NUMBER))
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            _refuse_no_text(name, text)
    return value


def _meant(kind: str, value: object) -> object:
    """Read what small models write for a value: "5" for 5, 5.0 for 5, "true" for true, "a" for ["a"]."""
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "int" and isinstance(value, str) and len(value) < 12 and value.strip().lstrip("-").isdecimal():
        return int(value) if value.isascii() else value
    if kind == "bool" and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value)
    if kind == "list[str]" and isinstance(value, str):
        return _listed(value)
    return value


def _listed(value: str) -> object:
    if not value.startswith("["):
        return [value]
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return [value]


def _refuse_no_text(name: str, value: str) -> None:
    if _NO_TEXT.search(value):
        raise ToolFailure(f"{name} has a zero character or half a character in it: leave it out.")


def _word(value: object) -> str:
    words = {"str": "a string", "int": "a number", "float": "a number", "bool": "true or false", "list": "a list"}
    return words.get(type(value).__name__, "an object" if isinstance(value, dict) else "that")
