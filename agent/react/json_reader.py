"""Reads a step that is one JSON object, as it arrives: its thought and its answer come out without the JSON.

Total, as `agent.react.parser` is: no text makes it raise. A reply that does not begin as an object, which a server that
ignores the constraint may let through, is read as lines of text.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from agent.react.json_step import ANSWER, INPUT, THOUGHT, TOOL
from agent.react.parser import Answer, Call, Delta, Malformed, Step, StepStream, Tools, parse

_FENCE = r"\s*(?:```(?:json)?\s*)?"
_OPENING = re.compile(_FENCE + r"\{")
_OWN = re.compile(_FENCE + rf'\{{\s*"(?:{THOUGHT}|{TOOL}|{INPUT}|{ANSWER})"\s*:')
_HIGH, _LOW = r"\\u([dD][89abAB][0-9a-fA-F]{2})", r"\\u([dD][c-fC-F][0-9a-fA-F]{2})"
_PIECE = re.compile(
    rf"(?P<plain>[^\\]+)|{_HIGH}{_LOW}|(?P<lone>{_HIGH})(?=[^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F])"
    r"|\\u(?P<code>(?![dD][89abAB])[0-9a-fA-F]{4})|\\(?P<short>[^u])|(?P<bad>\\u)(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F])"
)
"""A piece of a JSON string that stands for certain characters; half of a surrogate pair is none yet."""
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def is_json_step(text: str) -> bool:
    """Say whether `text` begins as a step in this form does."""
    return _OWN.match(text) is not None


class JsonStepStream:
    """Reads a step as it arrives. Joined, the deltas are exactly the thought and the answer of the final step."""

    def __init__(self, tools: Tools = ()) -> None:
        self.text = ""
        self._tools = tools
        self._fields: _Fields | None = None
        self._lines: StepStream | None = None
        self._begin = 0
        self._shown: dict[str, int] = {"thought": 0, "answer": 0}

    def feed(self, text: str) -> list[Delta]:
        """Take the next piece of the reply and return what it made certain."""
        self.text += text
        if self._lines:
            return self._lines.feed(text)
        if self._fields is None:
            opening = _OPENING.match(self.text)
            if opening is None:
                return [] if _may_open(self.text) else self._as_lines()
            self._fields, self._begin = _Fields(), opening.end() - 1
            text = self.text[opening.end() :]
        self._fields.feed(text)
        return self._new(self._fields)

    def finish(self) -> tuple[Step, list[Delta]]:
        """Return the step and what of it had not been certain before."""
        if self._fields is None:
            deltas = [] if self._lines else self._as_lines()
            step, last = self._lines.finish() if self._lines else StepStream(self._tools).finish()
            return step, [*deltas, *last]
        deltas = self._new(self._fields)
        step = self._step(self._fields)
        if isinstance(step, Malformed) and self._tools and not self._fields.answers:
            mended = parse(self.text, self._tools)
            step = replace(mended, thought=step.thought) if isinstance(mended, Call) else step
        return step, deltas

    def _as_lines(self) -> list[Delta]:
        self._lines = StepStream(self._tools)
        return self._lines.feed(self.text)

    def _new(self, fields: "_Fields") -> list[Delta]:
        deltas = self._show("thought", fields.value(THOUGHT))
        return deltas + self._show("answer", fields.value(ANSWER)) if fields.answers else deltas

    def _show(self, kind: Literal["thought", "answer"], text: str) -> list[Delta]:
        new = text[self._shown[kind] :]
        self._shown[kind] += len(new)
        return [Delta(kind, new)] if new else []

    def _step(self, fields: "_Fields") -> Step:
        thought = fields.value(THOUGHT)
        if fields.answers:
            answer = fields.value(ANSWER)
            return Answer(thought, answer) if answer else Malformed(thought, "empty", f'"{ANSWER}" is empty.')
        try:
            found, _ = json.JSONDecoder(strict=False).raw_decode(self.text, self._begin)
        except (ValueError, RecursionError) as error:
            return Malformed(thought, "bad_json", f"The reply is not valid JSON ({error}). Write one JSON object.")
        return _call(thought, found)


def _may_open(text: str) -> bool:
    """Say whether more text could still make `text` the beginning of an object."""
    begun = text.lstrip()
    return "```json".startswith(begun) or re.fullmatch(r"```(?:json)?\s*", begun) is not None


def _call(thought: str, found: dict[str, Any]) -> Step:
    name, arguments = found.get(TOOL), found.get(INPUT)
    if not isinstance(name, str) or not name:
        problem = f'The object needs "{TOOL}" with "{INPUT}", or "{ANSWER}".'
        return Malformed(thought, "missing_action", problem)
    if INPUT not in found:
        return Malformed(thought, "missing_input", f'"{TOOL}": "{name}" needs "{INPUT}" beside it.', name)
    if not isinstance(arguments, dict):
        problem = f'"{INPUT}" must be a JSON object such as {{"path": "a.txt"}}.'
        return Malformed(thought, "not_an_object", problem, name)
    return Call(thought, name, arguments)


class _Fields:
    """Follows the top level of an object, behind its brace, and decodes the strings that are shown as they come."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._values: dict[str, _String] = {}
        self._depth = 1
        self._in_value = False
        self._escaped = False
        self._string: _String | None = None

    @property
    def answers(self) -> bool:
        """Whether the step is an answer: its text has begun, and no tool was named before it."""
        return ANSWER in self._values and TOOL not in self._keys[: self._keys.index(ANSWER)]

    def value(self, key: str) -> str:
        """Return what is certain of a string, without the space around it."""
        return self._values[key].text.strip() if key in self._values else ""

    def feed(self, text: str) -> None:
        """Take the next piece; what stands behind the object is not read."""
        for char in text:
            if self._depth == 0:
                return
            if self._string is None:
                self._outside(char)
            elif self._escaped or char not in '\\"':
                self._string.add(char)
                self._escaped = False
            elif char == "\\":
                self._string.add(char)
                self._escaped = True
            else:
                self._string.close()
                self._string = None
        for string in self._values.values():
            string.decode()

    def _outside(self, char: str) -> None:
        if char == '"':
            self._string = self._opened()
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
        elif self._depth == 1 and char in ":,":
            self._in_value = char == ":"

    def _opened(self) -> "_String":
        string = _String()
        if self._depth == 1 and not self._in_value:
            string.on_close = self._keys.append
        elif self._depth == 1 and self._keys and self._keys[-1] in (THOUGHT, ANSWER):
            self._values.setdefault(self._keys[-1], string)
        return string


class _String:
    """One JSON string, decoded as far as it is certain."""

    def __init__(self) -> None:
        self.text = ""
        self.on_close: Callable[[str], None] | None = None
        self._raw: list[str] = []

    def add(self, char: str) -> None:
        self._raw.append(char)

    def decode(self) -> None:
        """Decode what has come; half an escape waits."""
        raw, place = "".join(self._raw), 0
        while found := _PIECE.match(raw, place):
            self.text += _decoded(found)
            place = found.end()
        self._raw = [raw[place:]]

    def close(self) -> None:
        """Decode the rest; what is no valid escape stays as it is written."""
        self.add('"')
        self.decode()
        self.text = (self.text + self._raw.pop()).removesuffix('"')
        if self.on_close:
            self.on_close(self.text)


def _decoded(found: "re.Match[str]") -> str:
    high, low = found[2], found[3]
    if high and low:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    if found["code"]:
        return "\ufffd" if found["code"][0] in "dD" and found["code"][1] in "cdefCDEF" else chr(int(found["code"], 16))
    if found["short"]:
        return _SHORT.get(found["short"], found["short"])
    return "\ufffd" if found["lone"] else found["plain"] or found["bad"]
