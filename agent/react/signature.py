"""Renders a tool as one line: what it takes, much as in code, and what it does."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from agent.mcp.references import is_open, resolved
from agent.react.examples import one_line

Detail = Literal["full", "brief", "bare"]
"""How much of a tool is told: everything; of each text its first sentence and of fields in objects their types; of the
arguments nothing but names, types and defaults."""

_SENTENCE = re.compile(r".{20,}?[.!?](?= )")
_LONGEST_SENTENCE = 160


def tool_lines(tools: Sequence[Mapping[str, Any]], room: int | None = None) -> str:
    """Render tools (OpenAI function specs), one a line, in as much detail as `room` characters take.

    The least detail is given even where it takes more. Without `room` it is all of it.
    """
    text = ""
    for detail in get_args(Detail):
        text = "\n".join(tool_line(tool, detail) for tool in tools)
        if room is None or len(text) <= room:
            break
    return text


def tool_line(tool: Mapping[str, Any], detail: Detail = "full") -> str:
    """Render one tool as `name(required: type) - description. Optional: argument: type = default`, on one line.

    Optional arguments stand behind the description: in the signature a small model fills in every one of them. Inside
    an object they are marked as in TypeScript: `{street: string, floor?: integer}`.
    """
    parameters = tool.get("parameters") or {}
    types = _Types(parameters, detail)
    required = set(parameters.get("required") or ())
    arguments = {name: types.named(name, value) for name, value in (parameters.get("properties") or {}).items()}
    needed = ", ".join(text for name, text in arguments.items() if name in required)
    optional = ", ".join(text for name, text in arguments.items() if name not in required)
    if not arguments:
        needed = types.unnamed(parameters)
    line = f"{tool['name']}({needed}) - {_text(tool.get('description'), detail)}"
    return f"{line} Optional: {optional}" if optional else line


def _text(text: Any, detail: Detail) -> str:
    line = one_line(str(text or ""))
    if detail == "full":
        return line
    first = _SENTENCE.match(line)
    return (first[0] if first else line)[:_LONGEST_SENTENCE]


class _Types:
    """Writes the types of one schema, `root`, to which its references point."""

    def __init__(self, root: Mapping[str, Any], detail: Detail) -> None:
        self._root = root
        self._detail = detail

    def named(self, name: str, given: Any, within: tuple[str, ...] = ()) -> str:
        """Return `name: type = default (description)`. `within` are the references that lead here."""
        schema, within = self._enter(given, within)
        text = f"{name}: {self._type(schema, within)}"
        if schema.get("default") is not None:
            text += f" = {json.dumps(schema['default'], ensure_ascii=False)}"
        described = self._detail != "bare" and schema.get("description")
        return f"{text} ({_text(described, self._detail)})" if described else text

    def unnamed(self, parameters: Mapping[str, Any]) -> str:
        """Return what a tool takes whose schema names no argument: one of several objects, any, or nothing."""
        if parameters.get("anyOf") or parameters.get("oneOf"):
            return self._of(parameters, ())
        return "any arguments" if is_open(parameters) else ""

    def _enter(self, given: Any, within: tuple[str, ...]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return a schema as it is meant, with the references that lead there; of one within itself nothing inside."""
        schema, led = resolved(given, self._root)
        if not set(led).isdisjoint(within):
            schema = {"type": "object"} | {key: schema[key] for key in ("default", "description") if key in schema}
        return schema, (*within, *led)

    def _of(self, given: Any, within: tuple[str, ...]) -> str:
        return self._type(*self._enter(given, within))

    def _type(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> str:
        if schema.get("enum"):
            return "|".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
        if "const" in schema:
            return json.dumps(schema["const"], ensure_ascii=False)
        if isinstance(schema.get("properties"), Mapping) and schema["properties"]:
            return self._fields(schema, within)
        branches = schema.get("anyOf") or schema.get("oneOf") or ()
        kinds = "|".join(dict.fromkeys(self._of(branch, within) for branch in branches))
        if kinds and kinds != "any":
            return kinds
        kind = schema.get("type", "any")
        if kind == "array":
            return f"list[{self._of(schema.get('items', {}), within)}]"
        return "|".join(kind) if isinstance(kind, list) else str(kind)

    def _fields(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> str:
        properties = schema["properties"]
        required = schema.get("required") or properties
        names = {name: name if name in required else f"{name}?" for name in properties}
        if self._detail == "full":
            fields = [self.named(names[name], value, within) for name, value in properties.items()]
        else:
            fields = [f"{names[name]}: {self._of(value, within)}" for name, value in properties.items()]
        return "{" + ", ".join(fields) + "}"
