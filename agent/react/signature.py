"""Renders a tool as one line: what it takes, much as in code, and what it does."""

import json
from collections.abc import Mapping
from typing import Any

from agent.react.examples import one_line
from agent.react.grammar import reference, resolved


def tool_line(tool: Mapping[str, Any]) -> str:
    """Render one tool as `name(required: type) - description. Optional: argument: type = default`, on one line.

    Optional arguments stand behind the description: in the signature a small model fills in every one of them. Inside
    an object they are marked as in TypeScript: `{street: string, floor?: integer}`.
    """
    parameters = tool.get("parameters") or {}
    types = _Types(parameters)
    required = set(parameters.get("required") or ())
    arguments = {name: types.named(name, value) for name, value in (parameters.get("properties") or {}).items()}
    needed = ", ".join(text for name, text in arguments.items() if name in required)
    optional = ", ".join(text for name, text in arguments.items() if name not in required)
    line = f"{tool['name']}({needed}) - {one_line(tool.get('description') or '')}"
    return f"{line} Optional: {optional}" if optional else line


class _Types:
    """Writes the types of one schema, `root`, to which its references point."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def named(self, name: str, given: Any, within: tuple[str, ...] = ()) -> str:
        """Return `name: type = default (description)`. `within` are the references that lead here."""
        schema = resolved(given, self._root)
        text = f"{name}: {self._of(given, within)}"
        if schema.get("default") is not None:
            text += f" = {json.dumps(schema['default'], ensure_ascii=False)}"
        return f"{text} ({one_line(schema['description'])})" if schema.get("description") else text

    def _of(self, given: Any, within: tuple[str, ...]) -> str:
        target = reference(given)
        if target in within:
            return "object"
        schema = resolved(given, self._root)
        within = (*within, target) if target else within
        if schema.get("enum"):
            return "|".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
        if "const" in schema:
            return json.dumps(schema["const"], ensure_ascii=False)
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return "|".join(dict.fromkeys(self._of(branch, within) for branch in branches))
        kind = schema.get("type", "any")
        if kind == "array":
            return f"list[{self._of(schema.get('items', {}), within)}]"
        if isinstance(schema.get("properties"), Mapping) and schema["properties"]:
            return self._fields(schema, within)
        return "|".join(kind) if isinstance(kind, list) else str(kind)

    def _fields(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> str:
        properties = schema["properties"]
        required = schema.get("required") or properties
        fields = (
            self.named(name if name in required else f"{name}?", value, within) for name, value in properties.items()
        )
        return "{" + ", ".join(fields) + "}"
