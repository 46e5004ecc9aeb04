"""Reads one ReAct step from text: a call, an answer, or a named error. Total: no text makes it raise.

`parse` reads a whole reply; `StepStream` reads one as it arrives and ends with the same step for every chunking.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

MalformedCode = Literal["empty", "missing_action", "missing_input", "bad_json", "not_an_object"]


@dataclass(frozen=True, slots=True)
class Call:
    """The model wants `name` called with `args`."""

    thought: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The model ends the turn with `text`."""

    thought: str
    text: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A reply that is neither; `problem` names one mistake and what is expected, written for the model."""

    thought: str
    code: MalformedCode
    problem: str
    name: str = ""


Step = Call | Answer | Malformed

_OBSERVATION = re.compile(r"(?:\A|\n)[ \t]*Observation\b")
_MARKER = re.compile(r"^[ \t]*(Action|Final Answer)[ \t]*:[ \t]*", re.M)
_INPUT = re.compile(r"^[ \t]*Action Input[ \t]*:[ \t]*", re.M)
_THOUGHT = re.compile(r"\A\s*Thought[ \t]*:[ \t]*")
_MARKER_STARTS = ("action:", "finalanswer:", "observation")


def parse(text: str) -> Step:
    """Read a whole reply. Text behind an observation that the model invented is not read."""
    text = text[: _end_of_step(text)]
    marker = _MARKER.search(text)
    thought = _THOUGHT.sub("", text[: marker.start()] if marker else text).strip()
    if marker is None:
        return _without_marker(text, thought)
    if marker[1] == "Final Answer":
        answer = text[marker.end() :].strip()
        return Answer(thought, answer) if answer else Malformed(thought, "empty", "The final answer is empty.")
    return _call(text[marker.end() :], thought)


def _end_of_step(text: str) -> int:
    observation = _OBSERVATION.search(text)
    return observation.start() if observation else len(text)


def _without_marker(text: str, thought: str) -> Step:
    if not text.strip():
        return Malformed("", "empty", "The reply is empty. Write an Action with its Action Input, or a Final Answer.")
    if _THOUGHT.match(text):
        return Malformed(
            thought, "missing_action", "After the Thought comes a line 'Action: <tool>' or 'Final Answer: <answer>'."
        )
    return Answer("", text.strip())


def _call(rest: str, thought: str) -> Step:
    found = _INPUT.search(rest)
    name = rest[: found.start()].strip() if found else rest.partition("\n")[0].strip()
    if found is None:
        return Malformed(
            thought, "missing_input", f"'Action: {name}' needs the line 'Action Input: {{...}}' below it.", name
        )
    body = rest[found.end() :].strip()
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(body)
    except (ValueError, RecursionError) as error:
        problem = f"Action Input is not valid JSON ({error}). Write one JSON object on one line."
        return Malformed(thought, "bad_json", problem, name)
    if not isinstance(value, dict):
        return Malformed(
            thought, "not_an_object", 'Action Input must be a JSON object such as {"path": "a.txt"}.', name
        )
    return Call(thought, name, value)


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that has become certain while a step is still arriving."""

    kind: Literal["thought", "answer"]
    text: str


class StepStream:
    """Reads a step as it arrives. Joined, the deltas are exactly the thought and the answer of the final step."""

    def __init__(self) -> None:
        self.text = ""
        self._shown: dict[str, int] = {"thought": 0, "answer": 0}

    def feed(self, text: str) -> list[Delta]:
        """Take the next piece of the reply and return what it made certain."""
        self.text += text
        thought = _THOUGHT.match(self.text)
        if thought is None:
            return []
        body = self.text[: _end_of_step(self.text)]
        marker = _MARKER.search(body)
        if marker is None:
            return self._show("thought", _certain(body[thought.end() :]))
        deltas = self._show("thought", body[thought.end() : marker.start()].strip())
        if marker[1] == "Final Answer":
            deltas += self._show("answer", _certain(body[marker.end() :]))
        return deltas

    def finish(self) -> tuple[Step, list[Delta]]:
        """Return the step and what of it had not been certain before."""
        step = parse(self.text)
        deltas = self._show("thought", step.thought)
        if isinstance(step, Answer):
            deltas += self._show("answer", step.text)
        return step, deltas

    def _show(self, kind: Literal["thought", "answer"], text: str) -> list[Delta]:
        new = text[self._shown[kind] :]
        self._shown[kind] += len(new)
        return [Delta(kind, new)] if new else []


def _certain(text: str) -> str:
    """Return `text` without an end that may yet turn out to be a marker or trailing space."""
    head, newline, line = text.rpartition("\n")
    word = re.sub(r"[ \t]", "", line).lower()
    if newline and any(start.startswith(word) or word.startswith(start) for start in _MARKER_STARTS):
        text = head
    return text.strip()
