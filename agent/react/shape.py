"""Brings what a model wrote for a tool's arguments into the form of the tool's schema, and says what it changed."""

import re
from collections.abc import Mapping
from typing import Any

from agent.react.coerce import TYPES, coerced, letters, takes
from agent.react.literal import Unreadable, read_arguments, read_value
from agent.react.toolset import Tool

_NOTHING = {"", "none", "null", "n/a", "na", "nil", "empty", "no input", "no arguments", "undefined", "-", "无"}
_ENVELOPES = {
    "arguments", "args", "parameters", "params", "kwargs", "input", "inputs", "tool_input", "action_input",
    "tool_params", "properties", "tool_args",
}  # fmt: skip
_ANY_ARGUMENT = {"input", "arg", "args", "argument", "value", "param", "parameter", "data", "text", "query", "string",
                 "tool_input", "action_input", "__arg1", "q", "question"}  # fmt: skip
_FREE_TEXT = {"query", "question", "input", "text", "prompt", "message", "content", "q", "search", "expression"}
_SCHEMA_KEYS = {"type", "properties", "required", "title", "description", "additionalProperties", "default", "$schema"}
_FENCE = re.compile(r"\A\s*(`{3,})[\w+-]*[ \t]*\n?(.*?)(?:\n?[ \t]*\1.*|\s*)\Z", re.S)
_TRIPLE = re.compile(r"\A\s*(\"\"\"|''')(.*?)(?:\1.*|)\Z", re.S)
_QUOTED = re.compile(r"\A([\"'`“])(.*)[\"'`”]\Z", re.S)


class Shaped:
    """Arguments in the schema's form, with what was repaired."""

    def __init__(self, args: dict[str, Any], repairs: tuple[str, ...] = ()) -> None:
        self.args = args
        self.repairs = tuple(dict.fromkeys(repairs))


def shape_text(tool: Tool, text: str) -> Shaped:
    """Read the arguments of `tool` from the text behind its name. Raises `Unreadable`."""
    text = text.strip()
    fence = _FENCE.match(text)
    if fence:
        inner = shape_text(tool, fence[2])
        return Shaped(inner.args, ("a code fence", *inner.repairs))
    triple = _TRIPLE.match(text)
    if triple and tool.only:
        return _lone(tool, triple[2].strip("\n"), ("triple quotes",))
    if text.strip("`*\"'.()").strip().lower() in _NOTHING:
        return _nothing(tool, text)
    why = Unreadable("it is no JSON object")
    if text[0] in "{[(\"'`“":
        try:
            found = read_value(text)
            if text[0] in "{[" or not text[found.end :].strip():
                return shape_value(tool, found.value, found.repairs)
        except Unreadable as error:
            why = error
    return _words(tool, text, why)


def _nothing(tool: Tool, text: str) -> Shaped:
    if tool.required or (not text.strip("\"'` ") and tool.properties):
        raise Unreadable(f"it is empty, and {tool.name} takes {tool.check.signature()}")
    return Shaped({}, ("no arguments",))


def _words(tool: Tool, text: str, why: Unreadable) -> Shaped:
    """Read `a=1, b=2`, `Name({...})`, or plain text for a tool that takes one."""
    try:
        positional, named, end = read_arguments(text, closing="")
        if named and not positional and named.keys() <= tool.properties.keys():
            return shape_value(tool, named, (*end.repairs, "names and values without braces"))
        if len(positional) == 1 and isinstance(positional[0], dict) and not named:
            return shape_value(tool, positional[0], end.repairs)
    except Unreadable:
        pass
    braced = text.startswith(("{", "["))
    if not tool.only or (braced and (tool.only not in _FREE_TEXT or text[-1] not in "}]")):
        raise why
    line = text if takes(tool.properties[tool.only], "array") else text.replace("\\_", "_")
    quoted = _QUOTED.match(line)
    return _lone(tool, quoted[2] if quoted else line, ("plain text for the only argument",))


def shape_value(tool: Tool, value: Any, repairs: tuple[str, ...] = ()) -> Shaped:
    """Bring a value that was read into the form of `tool`'s arguments. Raises `Unreadable`."""
    if isinstance(value, str):
        try:
            inner = read_value(value.strip()) if value.strip().startswith(("{", "[")) else None
        except Unreadable:
            inner = None
        if inner and isinstance(inner.value, dict):
            return shape_value(tool, inner.value, (*repairs, "arguments as a string of JSON", *inner.repairs))
        if value.strip().lower() in _NOTHING and not tool.required:
            return Shaped({}, (*repairs, "no arguments"))
    if isinstance(value, dict):
        return _object(tool, value, repairs)
    if value is None:
        return _nothing(tool, "none")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and not _is_list(tool):
        return _object(tool, value[0], (*repairs, "a list around the arguments"))
    if isinstance(value, list) and not tool.only and len(value) == len(tool.properties) > 1:
        return positional(tool, value, {}, repairs)
    return _lone(tool, value, (*repairs, "a lone value for the only argument"))


def positional(tool: Tool, values: list[Any], named: Mapping[str, Any], repairs: tuple[str, ...] = ()) -> Shaped:
    """Name the values that stand in the order of the schema. Raises `Unreadable` if there are too many."""
    if len(values) == 1 and isinstance(values[0], dict) and not named:
        return shape_value(tool, values[0], repairs)
    names = [name for name in tool.properties if name not in named]
    if len(values) > len(names):
        raise Unreadable(f"{tool.name} takes {tool.check.signature()}")
    if values:
        repairs = (*repairs, "arguments without names")
    return _object(tool, dict(zip(names, values, strict=False)) | dict(named), repairs)


def _lone(tool: Tool, value: Any, repairs: tuple[str, ...]) -> Shaped:
    if not tool.only:
        raise Unreadable(f"it has no names, and {tool.name} takes {tool.check.signature()}")
    return _object(tool, {tool.only: value}, repairs)


def _is_list(tool: Tool) -> bool:
    return bool(tool.only) and takes(tool.properties.get(tool.only), "array")


def _object(tool: Tool, given: dict[str, Any], repairs: tuple[str, ...]) -> Shaped:
    notes = list(repairs)
    value: Any = _unwrapped(tool, given, notes)
    if not isinstance(value, dict):
        return shape_value(tool, value, tuple(notes))
    value = _renamed(tool, _without_schema(tool, value, notes), notes)
    args = {}
    for name, part in value.items():
        schema = tool.properties.get(name)
        if part is None and schema is not None and name not in tool.required and not takes(schema, "null"):
            notes.append(f"null for {name}")
            continue
        args[name] = coerced(part, schema, notes) if schema is not None else part
    return Shaped(args, tuple(notes))


def _unwrapped(tool: Tool, given: dict[str, Any], notes: list[str]) -> Any:
    """Take the arguments out of `{"arguments": {...}}` and out of a whole call written in their place."""
    strange = given.keys() - tool.properties.keys()
    inside = [key for key in given if key in _ENVELOPES and key in strange]
    named = any(isinstance(part, str) and part == tool.name for part in given.values())
    if len(inside) == 1 and inside != ["properties"] and (len(given) == 1 or (named and len(strange) == len(given))):
        part = given[inside[0]]
        if isinstance(part, dict | list) or (isinstance(part, str) and part.strip().startswith("{")):
            notes.append(f"arguments inside {inside[0]!r}")
            return part
    return given


def _without_schema(tool: Tool, given: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Take the values out of an echo of the schema. Raises `Unreadable` where it holds none."""
    echo = given.keys() <= _SCHEMA_KEYS and not given.keys() <= tool.properties.keys()
    if echo and isinstance(given.get("properties"), dict):
        notes.append("the schema around the arguments")
        given = given["properties"]
    elif echo and "type" in given and tool.only:
        given = {tool.only: given}
    found = {}
    for name, part in given.items():
        if isinstance(part, dict) and part.get("type") in TYPES and not takes(tool.properties.get(name), "object"):
            notes.append("a schema in place of a value")
            found[name] = _echoed(tool, name, part)
        else:
            found[name] = part
    return found


def _echoed(tool: Tool, name: str, schema: dict[str, Any]) -> Any:
    own = tool.properties.get(name)
    for key in ("value", "const", "default", "title", "description"):
        said = schema.get(key)
        known = str(own.get(key, "")) if isinstance(own, Mapping) else ""
        if said is not None and said != known and letters(said) not in (letters(name), ""):
            return said
    raise Unreadable(f"{name!r} is a schema; write its value")


def _renamed(tool: Tool, given: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Give arguments their names of the schema where case, spaces or separators alone differ."""
    strange = [name for name in given if name not in tool.properties]
    free = [name for name in tool.properties if name not in given]
    if not strange or not free:
        return given
    meant: dict[str, str] = {}
    for name in strange:
        same = [other for other in free if letters(other) == letters(name)]
        if len(same) == 1 and same[0] not in meant.values():
            meant[name] = same[0]
    only = tool.only
    if not meant and len(given) == 1 and only and strange[0].lower() in _ANY_ARGUMENT:
        meant[strange[0]] = only
    notes += [f"{new!r} written as {old!r}" for old, new in meant.items()]
    return {meant.get(name, name): part for name, part in given.items()}
