"""Brings what a model wrote for a tool's arguments into the form of the tool's schema, and says what it changed."""

import re
from collections.abc import Mapping
from typing import Any

from agent.react.reader.coerce import TYPES, coerced, letters, takes
from agent.react.reader.literal import Unreadable, read_arguments, read_value
from agent.react.reader.toolset import Tool

_NOTHING = {"", "null", "n/a", "na", "nil", "undefined", "-", "无"}
_NO_INPUT = re.compile(
    r"(?:no|none|empty|not|nothing)(?: (?:string|inputs?|arguments?|args|param(?:eter)?s?|values?|is|are|dict|object"
    r"|needed|required|necessary|applicable))*\Z"
)
_ENVELOPES = {
    "arguments", "args", "parameters", "params", "kwargs", "input", "inputs", "tool_input", "action_input",
    "tool_params", "properties", "tool_args",
}  # fmt: skip
_ANY_ARGUMENT = {"input", "arg", "args", "argument", "value", "param", "parameter", "data", "text", "query", "string",
                 "tool_input", "action_input", "__arg1", "q", "question"}  # fmt: skip
_FREE_TEXT = {"query", "question", "input", "text", "prompt", "message", "content", "q", "search", "expression"}
_CODE = {"code", "command", "cmd", "script", "sql", "python_code"}
_KEYED = re.compile(r"\{\s*[\"'“][^\"'“”\n]{1,80}[\"'”]\s*[:：]")
_SAID_TYPES = TYPES | {"str", "int", "bool", "dict", "list"}
_SCHEMA_KEYS = {"type", "properties", "required", "title", "description", "additionalProperties", "default", "$schema"}
_FENCE = re.compile(r"\A\s*(`{3,})[\w+-]*[ \t]*\n?(.*?)(?:\n?[ \t]*\1.*|\s*)\Z", re.S)
_OPENING_FENCE = re.compile(r"`{3,}[\w+-]*[ \t]*\n?\s*")
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
    if fence := _FENCE.match(text):
        opening = _OPENING_FENCE.match(text)
        whole = text[opening.end() :] if opening else ""
        inner = shape_text(tool, whole if whole.startswith(("{", "[")) else fence[2])
        return Shaped(inner.args, ("a code fence", *inner.repairs))
    triple = _TRIPLE.match(text)
    if triple and tool.only:
        return _lone(tool, triple[2].strip("\n"), ("triple quotes",))
    if _is_nothing(text.strip("`*\"'.()")):
        return _nothing(tool, text)
    why = Unreadable("it is no JSON object")
    if text[0] in "{[(\"'`“":
        try:
            found = read_value(text)
            if _is_text(tool, text, found.value):
                return _lone(tool, text, ("plain text for the only argument",))
            if text[0] in "{[" or not text[found.end :].partition("\n\n")[0].strip():
                return shape_value(tool, found.value, found.repairs)
        except Unreadable as error:
            why = error
    return _whole_call(tool, text) or _words(tool, text, why)


def _is_nothing(text: str) -> bool:
    said = text.strip().lower()
    return said in _NOTHING or bool(_NO_INPUT.match(said))


def _is_text(tool: Tool, text: str, value: Any) -> bool:
    """Say whether square brackets are part of the text that a tool takes alone, and no list: `[some words]`."""
    schema = tool.properties.get(tool.only)
    if not isinstance(value, list) or not takes(schema, "string") or takes(schema, "array"):
        return False
    is_quoted = len(value) == 1 and text[1:].lstrip()[:1] in ("'", '"')
    return not is_quoted and not any(isinstance(one, dict) for one in value)


def _whole_call(tool: Tool, text: str) -> Shaped | None:
    """Read `tool(argument)`, the call written once more in place of its arguments."""
    opening = re.match(rf"`*(?:functions\.)?{re.escape(tool.name)} ?\(", text)
    if opening is None or not text.endswith((")", ")`", ");")):
        return None
    try:
        values, named, found = read_arguments(text, opening.end())
    except Unreadable:
        return None
    return positional(tool, values, named, ("the call in place of its arguments", *found.repairs))


def _nothing(tool: Tool, text: str) -> Shaped:
    if tool.required or (not text.strip("\"'` ") and tool.properties):
        raise Unreadable(f"it is empty, and {tool.name} takes {tool.check.signature()}")
    return Shaped({}, ("no arguments",))


def _words(tool: Tool, text: str, why: Unreadable) -> Shaped:
    """Read `a=1, b=2`, `Name({...})`, or plain text for a tool that takes one."""
    try:
        values, named, end = read_arguments(text, closing="")
        known = {letters(name) for name in tool.properties}
        if named and not values and {letters(name) for name in named} <= known:
            return shape_value(tool, named, (*end.repairs, "names and values without braces"))
        if len(values) == 1 and isinstance(values[0], dict) and not named:
            return shape_value(tool, values[0], end.repairs)
        if len(values) == len(tool.properties) > 1 and not named and "a string without quotes" not in end.repairs:
            return positional(tool, values, {}, end.repairs)
    except Unreadable:
        pass
    free = (tool.only in _FREE_TEXT and text[-1] in "}]") or (text[0] == "[" and tool.only in _CODE)
    if inside := _inside_words(tool, text):
        return inside
    if not tool.only or _KEYED.match(text) or (text[0] in "{[" and not free):
        raise why
    line = text if takes(tool.properties[tool.only], "array") else text.replace("\\_", "_")
    quoted = _QUOTED.match(line)
    return _lone(tool, quoted[2] if quoted else line, ("plain text for the only argument",))


def _inside_words(tool: Tool, text: str) -> Shaped | None:
    """Read the one object in `text` that names arguments of the tool and nothing else: `The input is {...}`."""
    opening = text.find("{")
    if opening <= 0 or tool.only in _CODE:
        return None
    try:
        found = read_value(text, opening)
    except Unreadable:
        return None
    names = found.value.keys() if isinstance(found.value, dict) else set()
    if not names or not names <= tool.properties.keys() or "{" in text[found.end :]:
        return None
    return shape_value(tool, found.value, (*found.repairs, "an object inside words"))


def shape_value(tool: Tool, value: Any, repairs: tuple[str, ...] = ()) -> Shaped:
    """Bring a value that was read into the form of `tool`'s arguments. Raises `Unreadable`."""
    if isinstance(value, str):
        try:
            inner = read_value(value.strip()) if value.strip().startswith(("{", "[")) else None
        except Unreadable:
            inner = None
        if inner and isinstance(inner.value, dict):
            return shape_value(tool, inner.value, (*repairs, "arguments as a string of JSON", *inner.repairs))
        if _is_nothing(value) and not tool.required:
            return Shaped({}, (*repairs, "no arguments"))
    if isinstance(value, dict):
        return _object(tool, value, repairs)
    if value is None:
        return _nothing(tool, "none")
    if isinstance(value, list) and value and not _is_list(tool):
        return _from_list(tool, value, repairs)
    return _lone(tool, value, (*repairs, "a lone value for the only argument"))


def _from_list(tool: Tool, value: list[Any], repairs: tuple[str, ...]) -> Shaped:
    """Read a list that stands for the arguments of a tool which takes no list alone."""
    if pairs := _pairs(tool, value):
        return _object(tool, pairs, (*repairs, "a list of names and values"))
    if all(isinstance(one, dict) for one in value) and (len(value) == 1 or _are_sets(tool, value)):
        return _object(tool, value[0], (*repairs, "a list around the arguments"))
    if len(value) == 1 and isinstance(value[0], str) and tool.only:
        return _lone(tool, value[0], (*repairs, "a list around the only argument"))
    if not tool.only and len(value) == len(tool.properties) > 1:
        return positional(tool, value, {}, repairs)
    return _lone(tool, value, (*repairs, "a lone value for the only argument"))


def _pairs(tool: Tool, value: list[Any]) -> dict[str, Any]:
    """Return what a list of `{"name": ..., "value": ...}` says; empty if it is none."""
    ok = all(
        isinstance(one, dict) and one.keys() == {"name", "value"} and str(one["name"]) in tool.properties
        for one in value
    )
    return {str(one["name"]): one["value"] for one in value} if ok else {}


def _are_sets(tool: Tool, value: list[Any]) -> bool:
    return all(one.keys() <= tool.properties.keys() for one in value)


def positional(tool: Tool, values: list[Any], named: Mapping[str, Any], repairs: tuple[str, ...] = ()) -> Shaped:
    """Name the values that stand in the order of the schema. Raises `Unreadable` if there are too many."""
    if len(values) == 1 and isinstance(values[0], dict) and not named:
        return shape_value(tool, values[0], repairs)
    if len(values) == 1 and isinstance(values[0], str) and values[0].strip().startswith("{") and not named:
        try:
            inner = shape_value(tool, values[0], repairs)
        except Unreadable:
            inner = Shaped({})
        if inner.args and tool.has_all(inner.args):
            return inner
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
    if len(given) == 1 and tool.name in strange and isinstance(given[tool.name], dict):
        notes.append("the name around the arguments")
        return given[tool.name]
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
        if isinstance(part, dict) and _says_type(part.get("type")) and not takes(tool.properties.get(name), "object"):
            notes.append("a schema in place of a value")
            found[name] = _echoed(tool, name, part)
        else:
            found[name] = part
    return found


def _says_type(said: Any) -> bool:
    kinds = said if isinstance(said, list) else [said]
    return bool(kinds) and all(isinstance(kind, str) and kind in _SAID_TYPES for kind in kinds)


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
