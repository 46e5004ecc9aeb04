"""Decides what a candidate is worth: a call, an answer, a named error, or nothing.

A call inside prose counts only with an exact name and complete concrete arguments, for a tool that changes nothing.
"""

import json
import re
from typing import Any

from agent.react.reader.literal import Unreadable
from agent.react.reader.scan import Candidate, is_none
from agent.react.reader.shape import Shaped, positional, shape_text, shape_value
from agent.react.reader.step import Answer, Call, Malformed, Step
from agent.react.reader.toolset import Tool, Toolset

_PLACEHOLDER = re.compile(
    r"\A(?:<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|\$?[A-Z]+_[A-Z_]+|\.{2,}|…"
    r"|(?i:(?:your|insert|enter|some|the|path/to)[_ /-].*"
    r"|string|integer|number|value|example|placeholder|todo|x{3,}))\Z",
    re.S,
)
_HEDGE = re.compile(
    r"\b(?:could|would|might|should|can(?:no|')t|cannot|can|not|if|e\.g|example|instead|such as|like|unable|never)\b",
    re.I,
)


def judge(one: Candidate, tools: Toolset, *, prose: str | None) -> Step | None:
    """Return the step that a candidate is; None if it counts for nothing.

    `prose` is the line that it stands in where it stands inside prose, else None.
    """
    if one.answer:
        said = one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False)
        return Answer("", said.strip(), one.repairs) if (prose is None or one.marked) and said.strip() else None
    tool = tools.meant(one.name) if prose is None else tools.exact(one.name)
    if tool is None:
        return None if prose is not None or is_none(one.name) else _unknown(one.name, tools)
    try:
        shaped = _shape(one, tool)
    except Unreadable as error:
        return None if prose is not None else malformed_arguments(tool, str(error))
    if one.positional or "a string without quotes" in one.repairs:
        unset = next((name for name, value in shaped.args.items() if value == name), None)
        if unset is not None:
            return None if prose is not None else malformed_arguments(tool, f"{unset} is a name; write its value")
    if prose is not None and not _may_stand_in_prose(tool, shaped.args, prose):
        return None
    notes = ("a call inside prose",) if prose is not None else ()
    name = () if one.name == tool.name else (f"{tool.name!r} written as {one.name!r}",)
    return Call("", tool.name, shaped.args, tuple(dict.fromkeys((*one.repairs, *name, *shaped.repairs, *notes))))


def malformed_arguments(tool: Tool, why: str) -> Malformed:
    """Return the error of a call of `tool` whose arguments cannot be read."""
    problem = f"Action Input of {tool.name} cannot be read: {why}. Write one JSON object on one line."
    return Malformed("", "bad_json", problem, tool.name)


def _unknown(name: str, tools: Toolset) -> Malformed:
    return Malformed("", "unknown_tool", tools.unknown(name), name)


def _shape(one: Candidate, tool: Tool) -> Shaped:
    if one.problem:
        raise Unreadable(one.problem)
    if one.is_text:
        return shape_text(tool, one.value)
    if one.positional:
        return positional(tool, list(one.positional), one.value or {})
    return shape_value(tool, one.value)


def _may_stand_in_prose(tool: Tool, args: dict[str, Any], line: str) -> bool:
    if not tool.read_only or tool.check.problem(args) or _HEDGE.search(line):
        return False
    return all(_is_concrete(value) and value != name for name, value in args.items())


def _is_concrete(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_concrete(part) for part in value.values())
    if isinstance(value, list):
        return all(_is_concrete(part) for part in value)
    return not isinstance(value, str) or not _PLACEHOLDER.match(value.strip())
