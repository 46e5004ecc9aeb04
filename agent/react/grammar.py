"""What one ReAct step may be, and that as a constraint: a Lark grammar in llguidance's syntax.

`describe` is the one description: `step_grammar` writes it as Lark, `agent.react.json_step` as a JSON schema.
llguidance (https://github.com/guidance-ai/llguidance, docs/syntax.md) takes Lark with inline `%json {schema}`; a
grammar text that begins with the line `%llguidance {}` is read as such by llama.cpp's server (field `grammar`) and by
vLLM (`structured_outputs: {"grammar": ...}`). Under it an unknown tool, invalid JSON or arguments outside the schema
cannot be produced.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from agent.mcp.references import MAX_DEPTH, is_open, resolved
from agent.react.seen import EDIT, Seen, quotable

THOUGHT_CHARS = 240
"""Longest thought: some 60 tokens, 3 s at the 20 tokens/s of a 1.5B model on two cores."""

_JSON_FORM = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
"""JSON as models write it. Held to `{"a":1}` without spaces, the 1.5B model fills arguments with nonsense."""

_STRING = r'/"(\\(["\\\/bfnrt]|u[a-fA-F0-9]{4})|[^"\\\x00-\x1F\x7F])*"/'
"""A JSON string, as llguidance's docs/syntax.md writes it."""

_KEPT = {"enum", "const", "minItems", "maxItems"}
_TYPES = {"string", "number", "integer", "boolean", "null", "array", "object"}
_MAX_INTEGER = 9 * 10**18
"""Bound of an integer that has none: unbounded, a small model writes digits until the token limit.

Ids and times in nanoseconds have 19 digits; llguidance 1.9 takes no range that reaches the ends of 64 bits.
"""


@dataclass(frozen=True, slots=True)
class CallableTool:
    """A tool that the step may call, with the schema to which its arguments are held."""

    name: str
    arguments: Mapping[str, Any]


def describe(tools: Sequence[Mapping[str, Any]]) -> list[CallableTool]:
    """Return what a step may be: a thought of one line, then a call of one of these or the final answer.

    `tools` are OpenAI function specs: `{"name", "description", "parameters"}`.
    """
    return [CallableTool(tool["name"], plain_schema(tool.get("parameters") or {})) for tool in tools]


def step_grammar(tools: Sequence[Mapping[str, Any]], answer: bool = True, seen: Seen | None = None) -> str:
    """Return the Lark grammar of one step: a call of one of `tools`, or a final answer.

    Without tools it is an answer, without `answer` a call. An edit of a file in `seen` can only quote what it holds.
    """
    callables = describe(tools)
    calls = [f"call_{number}" for number in range(len(callables))]
    ends = [*calls, "final"] if answer or not calls else calls
    rules = [
        "%llguidance {}",
        f'start: "Thought: " /[^\\n]{{1,{THOUGHT_CHARS}}}/ "\\n" ({" | ".join(ends)})',
        'final: "Final Answer: " /(.|\\n)+/',
    ]
    for rule, tool in zip(calls, callables, strict=True):
        opening = json.dumps(f"Action: {tool.name}\nAction Input: ")
        texts = {path: text for path, text in (seen or {}).items() if text}
        if tool.name == EDIT and list(tool.arguments.get("properties", {})) == ["path", "old", "new"] and texts:
            rules += [f"{rule}: {opening} edit", *_edit_rules(texts)]
        else:
            rules.append(f"{rule}: {opening} %json {json.dumps({'x-guidance': _JSON_FORM, **tool.arguments})}")
    return "\n".join(rules) + "\n"


def _edit_rules(texts: Mapping[str, str]) -> list[str]:
    """Return the rules for the arguments of an edit: of one of `texts`, by path, whose pieces it quotes, or of another.

    The paths stand apart from what follows, since llguidance reads the longest token that fits.
    """
    quotes = [f'PATH_{number} ", \\"old\\": \\"" OLD_{number} "\\""' for number in range(len(texts))]
    targets = [*quotes, 'ANOTHER ", \\"old\\": " STRING']
    rules = ['edit: "{\\"path\\": " target ", \\"new\\": " STRING "}"', f"target: {' | '.join(targets)}"]
    for number, (path, text) in enumerate(texts.items()):
        chunks = [json.dumps(piece, ensure_ascii=False)[1:-1] for piece in quotable(text)]
        rules.append(f"PATH_{number}: {_literal(path)}")
        rules.append(f"OLD_{number}: %regex {json.dumps({'substring_chunks': chunks}, ensure_ascii=False)}")
    known = " | ".join(_literal(path) for path in texts)
    return [*rules, f"STRING: {_STRING}", f"ANOTHER: STRING & ~({known})"]


def _literal(text: str) -> str:
    """Return a Lark literal of `text` as a JSON string."""
    return json.dumps(json.dumps(text, ensure_ascii=False), ensure_ascii=False)


def plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object schema of only those keywords that grammar engines take; the rest is validated after.

    References are inlined; a recursive one ends as "any value". Objects with known properties take no others, so that
    a model cannot invent arguments. Required arguments come first, as `agent.react.prompt` names them: engines hold to
    the order, and what a model has passed over it cannot write any more.
    """
    plain = _plain(schema, schema, 0)
    return plain if plain.get("type") == "object" else {"type": "object"}


def apart_from_null(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a plain schema takes beside null; empty where that is a choice of several."""
    branches = [branch for branch in plain.get("anyOf", [plain]) if branch.get("type") != "null"]
    return branches[0] if len(branches) == 1 else {}


def _plain(schema: Any, root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return {}
    meant, _ = resolved(schema, root)
    if meant is not schema:
        return _plain(meant, root, depth + 1)
    properties = schema.get("properties")
    for union in ("anyOf", "oneOf"):
        branches = [_plain(branch, root, depth + 1) for branch in schema.get(union) or () if not properties]
        if any(branches):
            return {"anyOf": branches}
    plain = _of_value(schema)
    if isinstance(schema.get("items"), Mapping):
        plain["items"] = _plain(schema["items"], root, depth + 1)
    takes_any = not properties and is_open(schema)
    if isinstance(properties, Mapping) and (properties or depth == 0) and not takes_any:
        plain["type"] = "object"
        required = [name for name in schema.get("required") or () if name in properties]
        in_order = sorted(properties, key=lambda name: depth == 0 and name not in required)
        plain["properties"] = {name: _plain(properties[name], root, depth + 1) for name in in_order}
        plain["required"] = required
        plain["additionalProperties"] = False
    return plain


def _of_value(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a plain schema that tells of a single value; nothing that no value fits."""
    plain = {key: value for key, value in schema.items() if key in _KEPT and value != []}
    kinds = _kinds(schema.get("type"))
    given = plain.get("enum") or ([plain["const"]] if "const" in plain else [])
    if kinds and (not given or any(map(Draft202012Validator({"type": kinds}).is_valid, given))):
        plain = {"type": kinds, **plain}
    if not given:
        bounds = {key: schema[key] for key in ("minimum", "maximum") if _is_bound(schema.get(key))}
        is_whole = schema.get("type") == "integer"
        plain |= ({"minimum": -_MAX_INTEGER, "maximum": _MAX_INTEGER} if is_whole else {}) | bounds
    return plain


def _is_bound(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= _MAX_INTEGER


def _kinds(kind: Any) -> Any:
    """Return the type or types that JSON Schema knows; servers refuse a schema with another one, such as `dict`."""
    if isinstance(kind, list):
        return [one for one in kind if one in _TYPES]
    return kind if kind in _TYPES else None
