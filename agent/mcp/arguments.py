"""Arguments checked against a tool's JSON schema before the call; a mistake is named in one short sentence."""

import re
from collections.abc import Mapping
from typing import Any

from jsonschema import SchemaError, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from agent.mcp.references import is_open, resolved

INVALID_SCHEMA: dict[str, Any] = {"type": "object", "$comment": "a2ia: the server's own schema is invalid"}
"""Stands where a tool's own input schema cannot be used."""

_MAX_SIGNATURE = 400
_OPEN_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}


class ArgumentCheck:
    """The schema of one tool, made safe to hand on, and the check of arguments against it."""

    def __init__(self, tool: str, schema: Mapping[str, Any]) -> None:
        self.valid = schema != INVALID_SCHEMA
        """Whether the server's schema is one; if not, `schema` takes anything."""
        meant, _ = resolved(schema, schema)
        usable = {key: value for key, value in meant.items() if key not in {"$schema", "$comment"}}
        self.schema: dict[str, Any] = {**usable, "type": "object", "properties": meant.get("properties", {})}
        self._tool = tool
        kind = validator_for(schema, default=Draft202012Validator)
        try:
            self.schema = _without_foreign_patterns(self.schema)
            kind.check_schema(self.schema)
        except (SchemaError, RecursionError, Unresolvable):
            self.valid = False
            self.schema = _OPEN_SCHEMA
        # An empty registry: a schema of a stranger must not make us fetch anything.
        self._validator: Validator = kind(self.schema, registry=Registry())

    @property
    def parameters(self) -> list[str]:
        """The names that the tool takes."""
        return list(self.schema["properties"])

    def problem(self, arguments: Mapping[str, Any]) -> str:
        """Name one mistake and what is expected; empty if there is none."""
        try:
            error = best_match(self._validator.iter_errors(dict(arguments)))
        except (Unresolvable, RecursionError):
            return ""  # a schema that points nowhere: only the server can judge
        return f"{self._sentence(error)}; {self._tool} takes {self.signature()}." if error else ""

    def signature(self) -> str:
        """Return `path: string, start_line?: integer`."""
        text = self._signature_of(self.schema)
        return text if len(text) <= _MAX_SIGNATURE else f"{text[:_MAX_SIGNATURE]}..."

    def _signature_of(self, schema: Mapping[str, Any]) -> str:
        required, properties = schema.get("required", ()), schema.get("properties") or {}
        parts = [f"{name}{'' if name in required else '?'}: {_type_of(kind)}" for name, kind in properties.items()]
        branches = schema.get("anyOf") or schema.get("oneOf") or ()
        if parts or branches:
            either = [self._signature_of(resolved(branch, self.schema)[0]) for branch in branches if not parts]
            return " or ".join(either) or ", ".join(sorted(parts, key=lambda part: "?:" in part))
        return "any arguments" if is_open(schema) else "no arguments"

    def _sentence(self, error: ValidationError) -> str:
        name = _path(error)
        at = f"Argument {name!r}" if name else "The arguments"
        wanted: Any = error.validator_value
        given: Any = error.instance
        match error.validator:
            case "required":
                missing = next(key for key in wanted if key not in given)
                return f"Argument {f'{name}.{missing}' if name else missing!r} is missing"
            case "additionalProperties" | "unevaluatedProperties":
                schema: Any = error.schema
                extra = next((key for key in given if key not in schema.get("properties", {})), "")
                return f"There is no argument {f'{name}.{extra}' if name else extra!r}"
            case "type":
                return f"{at} must be {_either(wanted)}, not {_shown(given)}"
            case "enum":
                return f"{at} must be one of {_shown(wanted)[1:-1]}, not {_shown(given)}"
            case "const":
                return f"{at} must be {_shown(wanted)}, not {_shown(given)}"
        return f"{at} cannot be {_shown(given)} ({error.message[:120]})"


def _without_foreign_patterns(schema: Any) -> Any:
    """Return a schema without the patterns that only JavaScript reads, such as `\\p{L}`: the server checks those."""
    if isinstance(schema, list):
        return [_without_foreign_patterns(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_foreign_patterns(part)
        for key, part in schema.items()
        if not (key == "pattern" and isinstance(part, str) and not _is_pattern(part))
    }


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, OverflowError):
        return False
    return True


def _path(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.absolute_path)


def _type_of(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if "type" in schema:
        return _either(schema["type"], "|")
    options = [_type_of(option) for option in schema.get("anyOf") or schema.get("oneOf") or ()]
    return "|".join(option for option in options if option != "null") or "any"


def _either(kinds: Any, word: str = " or ") -> str:
    return kinds if isinstance(kinds, str) else word.join(map(str, kinds))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
