"""Finds what looks like a call in text: objects in JSON or Python form, and calls in Python form.

A scanner judges nothing; what it finds goes to `agent.react.reader.candidates`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.react.reader.literal import Unreadable, read_arguments, read_value
from agent.react.reader.toolset import Toolset

_MAX_FAILURES = 40
"""Openings that lead nowhere after which a scan ends, so that no text takes long."""
_OPENING = re.compile(r"[{\[]")
_NAME_KEYS = (
    "name", "tool_name", "tool", "function_name", "function", "action", "action_name", "command", "recipient_name",
    "method", "api",
)  # fmt: skip
_ARGUMENT_KEYS = (
    "arguments", "args", "parameters", "params", "action_input", "tool_input", "tool_params", "tool_args", "kwargs",
    "tool_parameters", "function_args", "function_arguments", "function_parameters", "tool_arguments", "action_args",
    "actionInput", "input", "inputs",
)  # fmt: skip
_INNER_KEYS = (
    "tool_calls", "tool_call", "function_call", "function", "tool_use", "command", "action", "tool", "actions", "calls",
    "functions", "tool_uses", "ability", "next_action",
)  # fmt: skip
_ANSWER_KEYS = ("final_answer", "final answer", "answer", "response", "output", "result")
_ASIDE = {"thought", "thoughts", "reason", "reasoning", "id", "type", "explanation", "plan"}
IN_QUOTES = "a call in quotes"
_FINAL = {"finalanswer", "final", "finish", "answer", "respond", "done", "response"}
_NONE = {"none", "no", "na", "nil", "null", "notool", "nothing", "notneeded", "nothingneeded", "无", "无需"}
_NONE_BEGINS = ("notool", "notneed", "noaction", "noneneed", "nonerequired")
_DASHES = re.compile(r"[-–—.*]+\Z")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a call: where it stands, the name it gives, and its arguments as far as they were read."""

    start: int
    end: int
    name: str
    value: Any = None
    """What was read: a value, or the text behind the name where `is_text`."""
    positional: tuple[Any, ...] = ()
    is_text: bool = False
    marked: bool = False
    """Whether a tag, a token or a label says that this is a call."""
    repairs: tuple[str, ...] = ()
    problem: str = ""
    """Why its arguments cannot be read."""
    answer: bool = False
    """Whether it is an answer in the form of a call; `value` is its text."""


def letters(name: str) -> str:
    """Return the letters and digits of a name, in lower case."""
    return re.sub(r"[\W_]+", "", name).lower()


def is_final(name: str) -> bool:
    """Say whether a model ends its turn by this name in place of a tool's."""
    return letters(name) in _FINAL


def is_none(name: str) -> bool:
    """Say whether this name in place of a tool's means that no tool is wanted."""
    said = letters(name)
    return said in _NONE or said.startswith(_NONE_BEGINS) or bool(_DASHES.match(name))


def objects(text: str) -> Iterator[tuple[int, int, Any, tuple[str, ...], bool]]:
    """Yield start, end, value and repairs of each object or list in `text`, and whether a broken one stands before."""
    at = failures = 0
    broken = False
    while failures < _MAX_FAILURES and (opening := _OPENING.search(text, at)):
        try:
            found = read_value(text, opening.start())
        except Unreadable:
            at, failures = opening.end(), failures + 1
            broken = broken or bool(re.compile(r"\{+\s*[\"'`]").match(text, opening.start()))
            continue
        yield opening.start(), found.end, found.value, found.repairs, broken
        at = max(found.end, opening.end())


def first_broken(text: str) -> int:
    """Return where the first object begins that cannot be read; the text's length if there is none."""
    for opening in list(re.compile(r"(?<!\{)\{+\s*[\"'`]").finditer(text))[:_MAX_FAILURES]:
        try:
            read_value(text, opening.start())
        except Unreadable:
            return opening.start()
    return len(text)


def object_calls(text: str, tools: Toolset) -> list[Candidate]:
    """Return the calls that objects and lists in `text` describe."""
    found = []
    for start, end, value, repairs, broken in objects(text):
        note = ("a broken object before it",) if broken else ()
        found += [
            replace(one, start=start, end=end, repairs=(*repairs, *one.repairs, *note))
            for one in calls_in(value, tools)
        ]
    return found


def calls_in(value: Any, tools: Toolset, depth: int = 0) -> Iterator[Candidate]:
    """Yield the calls that a value describes: an object with a name, a list of such, a pair of name and arguments."""
    if depth > 4:
        return
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and tools.meant(value[0]) and isinstance(value[1], dict):
            yield Candidate(0, 0, value[0], value[1], repairs=("a list of name and arguments",))
            return
        for item in value:
            yield from _quoted_call(item, tools) if isinstance(item, str) else calls_in(item, tools, depth + 1)
    elif isinstance(value, dict):
        one = _named(value, tools)
        if one:
            yield one
            return
        for key in _INNER_KEYS:
            if isinstance(value.get(key), dict | list):
                yield from calls_in(value[key], tools, depth + 1)
                return


def _holds_object(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and [type(one) for one in value] == [dict])


def _quoted_call(text: str, tools: Toolset) -> list[Candidate]:
    """Return the call that a text is, with nothing around it."""
    found = python_calls(text.strip(), tools)
    is_whole = len(found) == 1 and found[0].start == 0 and found[0].end == len(text.strip())
    return [replace(found[0], repairs=(*found[0].repairs, IN_QUOTES))] if is_whole else []


def _named(value: Mapping[str, Any], tools: Toolset) -> Candidate | None:
    key = _name_key(value, tools)
    if not key:
        return _keyed(value, tools) or _answered(value)
    name, argument = str(value[key]), next((k for k in _ARGUMENT_KEYS if k in value and k != key), "")
    if is_final(name) and not tools.meant(name):
        said = value[argument] if argument else next((value[k] for k in _ANSWER_KEYS if k in value), "")
        return replace(_final(said), marked=letters(name) == "finalanswer")
    if argument:
        is_definition = "description" in value and _is_schema(value[argument]) and tools.exact(name)
        problem = "it is the tool's definition; write the values of its arguments" if is_definition else ""
        return Candidate(0, 0, name, value[argument], problem=problem)
    if quoted := _quoted_call(name, tools):
        return quoted[0]
    tool = tools.meant(name)
    rest = {k: part for k, part in value.items() if k != key and (k not in _ASIDE or (tool and k in tool.properties))}
    if rest.keys() - set(_NAME_KEYS) and not (tool and rest.keys() <= tool.properties.keys()):
        return None
    return Candidate(0, 0, name, rest, repairs=("arguments beside the name",) if rest else ())


def _is_schema(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("type") == "object" and isinstance(value.get("properties"), Mapping)


def _name_key(value: Mapping[str, Any], tools: Toolset) -> str:
    named = [key for key in _NAME_KEYS if isinstance(value.get(key), str)]
    known = next((key for key in named if tools.meant(value[key])), "")
    has_arguments = any(key in value for key in _ARGUMENT_KEYS)
    final = any(is_final(value[key]) for key in named)
    return known or (named[0] if named and (has_arguments or final) else "")


def _keyed(value: Mapping[str, Any], tools: Toolset) -> Candidate | None:
    """Read `{"tool": {arguments}}`; of several the first."""
    rest = {key: part for key, part in value.items() if key not in _ASIDE}
    name = next(iter(rest), "")
    if rest and all(tools.exact(key) and _holds_object(part) for key, part in rest.items()):
        return Candidate(0, 0, name, rest[name], repairs=("the name as a key",))
    return None


def _answered(value: Mapping[str, Any]) -> Candidate | None:
    """Read `{"final_answer": text}`, with nothing but thoughts beside it."""
    rest = {key: part for key, part in value.items() if key not in _ASIDE and part is not None}
    key = next(iter(rest), "")
    said = len(rest) == 1 and key.lower() in _ANSWER_KEYS[:2] + (_ANSWER_KEYS[2:] if len(value) > 1 else ())
    return _final(rest[key]) if said else None


def _final(said: Any) -> Candidate:
    if isinstance(said, Mapping) and len(said) == 1:
        said = next(iter(said.values()))
    return Candidate(0, 0, "", said, answer=True, repairs=("an answer in the form of a call",))


_MODULE = re.compile(r"\A(?:default_api|functions|tools)\.")
_IDENTIFIER = re.compile(r"(?<![\w.])((?:[^\W\d]|\\_)(?:[\w.-]|\\_)*)[ ]?\(")


def python_calls(text: str, tools: Toolset) -> list[Candidate]:
    """Return the calls of known tools in Python form, in the order of the text; a call inside one is not returned."""
    found: list[Candidate] = []
    at = failures = 0
    while failures < _MAX_FAILURES and (opening := _IDENTIFIER.search(text, at)):
        at = opening.end()
        name = _MODULE.sub("", opening[1])
        if tools.meant(name) is None or text[: opening.start()].endswith("def "):
            continue
        one = python_call(text, name, opening.start(), opening.end())
        failures += bool(one.problem)
        found.append(one)
        at = max(at, one.end)
    return found


def python_call(text: str, name: str, start: int, inside: int) -> Candidate:
    """Read the call of `name` whose arguments begin at `inside`."""
    try:
        positional, named, end = read_arguments(text, inside)
    except Unreadable as error:
        return Candidate(start, inside, name, problem=str(error))
    notes = ("the form of a Python call", *end.repairs)
    return Candidate(start, end.end, name, named, tuple(positional), repairs=notes)


_ANSWER_CALL = re.compile(r"(?:\A|`{3}\w*\n|<code>)\s*(?:print\()?([^\W\d]\w{0,30})\(")


def answer_call(text: str, tools: Toolset) -> str:
    """Return the text of `final_answer("text")`, the call of a name that ends a turn and is no tool's; else nothing."""
    for opening in list(_ANSWER_CALL.finditer(text))[-2:]:
        if not is_final(opening[1]) or tools.meant(opening[1]):
            continue
        try:
            positional, named, end = read_arguments(text, opening.end())
        except Unreadable:
            continue
        values = [*positional, *named.values()]
        if len(values) == 1 and not letters(re.sub(r"</?code>|<end_\w+>|py(?:thon)?", "", text[end.end :])):
            return str(values[0]).strip()
    return ""
