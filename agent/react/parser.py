"""Reads one ReAct step from text: a call, an answer, or a named error. Total: no text makes it raise.

`parse` reads a whole reply; `StepStream` reads one as it arrives and ends with the same step for every chunking. Both
read strictly first. Only what is then no good step of the thread's tools goes to the tolerant reader, which is imported
when it is first needed; the step says what was repaired.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from agent.react.reader.labels import INLINE_FINAL, LABEL_CHARS, STRONG
from agent.react.reader.step import Answer, Call, Malformed, MalformedCode, Step

if TYPE_CHECKING:
    from agent.react.reader.toolset import Toolset

__all__ = ["Answer", "Call", "Delta", "Malformed", "MalformedCode", "Step", "StepStream", "parse"]

Tools = Sequence[Mapping[str, Any]]
"""Tools in OpenAI form."""

_OBSERVATION = re.compile(
    r"(?:\A|\n)[ \t]*Observation\b"
    r"|(?:<\|(?:im_end|eo[tm]_id|end|end_of_turn|endoftext|end_of_text)\|>|<end_of_turn>)\s*(?:\Z|<\|(?:im_start|start_header_id)\|>)"
)
"""Where a step ends: at a result, which is not the model's to write, or at the end of its turn."""
_NEXT_QUESTION = re.compile(r"\n[ \t]*Question[ \t]*:[^\n]*\n\s*Thought[ \t]*:")
"""Behind an action or an answer, the beginning of another task, which the model makes up."""
_OPEN_END = re.compile(
    r"\n[ \t]*Question[ \t]*:[^\n]*(?:\n\s*\w{0,7}[ \t]*)?\Z|<[/|]?\w{0,20}\|?>?\s*(?:<\|?\w{0,20}\|?>?)?\Z"
)
"""An end of a piece of an answer that may yet turn out to be such an end."""
_MARKER = re.compile(r"^[ \t]*(Action|Final Answer)[ \t]*:[ \t]*", re.M)
_INPUT = re.compile(r"^[ \t]*Action Input[ \t]*:[ \t]*", re.M)
_THOUGHT = re.compile(r"\A\s*Thought[ \t]*:[ \t]*")
_HELD = re.compile(rf"```|<[|｜/\w]|\{{|\[[\[{{A-Z'\"`]|{INLINE_FINAL}")
"""What may begin a call: a thought is shown up to it, and nothing behind it before the step is decided."""
_SUSPICIOUS = re.compile(
    rf"{_HELD.pattern}|\(|\A\s*(?:\$[A-Z]|>>>\w|\[\]|Do I need to use|Assistant:|analysis\w)"
    r"|\b(?:I(?:'| |$)|[Ll]et|we need)"
)
"""What makes an answer without a label be looked at again."""
_TOOL_NAME = re.compile(r"[\w.-]{1,64}")
"""What a tool can be called: a call of such a name that is unknown stays a call, which the tool node answers."""
_MARKER_STARTS = ("action:", "finalanswer:", "observation", "question:")
_OPEN_FINAL = re.compile(r"(?<=[.!?)\]])[ \t]F[inalAswer \t]{0,13}\Z")
"""An end of a piece of a thought that may yet turn out to be the answer's label."""


def parse(text: str, tools: Tools = ()) -> Step:
    """Read a whole reply; without `tools` strictly. Text behind an observation that the model invented is not read."""
    body = text[: _end_of_step(text)]
    step = _strict(body)
    if not tools:
        return step
    from agent.react.reader.toolset import toolset

    known = toolset(tools)
    if _is_good(step, body, known):
        return step
    from agent.react.reader import tolerant

    found = tolerant.read(body if body.strip() else text, known, step)
    if isinstance(found, Call) and isinstance(step, Call) and (found.name, found.args) == (step.name, step.args):
        behind = ("text behind the call",) if _behind(body) else ()
        found = replace(found, repairs=(*behind, *(note for note in found.repairs if note != "labels")))
    if isinstance(step, Call) and isinstance(found, Malformed) and found.code == "unknown_tool":
        found = step if _TOOL_NAME.fullmatch(step.name) else found
    return replace(found, thought=_open_thought(body)) if _THOUGHT.match(body) else found


def _is_good(step: Step, body: str, tools: "Toolset") -> bool:
    """Say whether a step that was read strictly stands: a call of a known tool that fits, or an answer as ordered."""
    marker = _MARKER.search(body)
    if not _is_first(marker, body):
        return False
    if isinstance(step, Call):
        tool = tools.by_name.get(step.name)
        fits = tool is not None and tool.has_all(step.args) and not tool.check.problem(step.args)
        return fits and not _behind(body)
    if isinstance(step, Answer) and marker is not None:
        return bool(_THOUGHT.match(body) or not body[: marker.start()].strip())
    return isinstance(step, Answer) and not _SUSPICIOUS.search(body)


def _behind(body: str) -> str:
    """Return what a strictly read call has behind its arguments."""
    marker = _MARKER.search(body)
    given = _INPUT.search(body, marker.end()) if marker else None
    if given is None:
        return ""
    arguments = body[given.end() :].strip()
    _, end = json.JSONDecoder(strict=False).raw_decode(arguments)
    return arguments[end:].strip()


def _is_first(marker: re.Match[str] | None, body: str) -> bool:
    """Say whether nothing stands before the marker that a tolerant reader would take for a call or a label."""
    end = marker.start() if marker else len(body)
    return not any(found and found.start() < end for found in (STRONG.search(body), _HELD.search(body, 0, end)))


def _open_thought(body: str) -> str:
    """Return the thought of a step that is not well formed: it ends where anything else may begin."""
    opening = _THOUGHT.match(body)
    start = opening.end() if opening else 0
    found = (pattern.search(body, start) for pattern in (_MARKER, STRONG, _HELD))
    return body[start : min(one.start() if one else len(body) for one in found)].strip()


def _strict(text: str) -> Step:
    marker = _MARKER.search(text)
    thought = _THOUGHT.sub("", text[: marker.start()] if marker else text).strip()
    if marker is None:
        return _without_marker(text, thought)
    if marker[1] == "Final Answer":
        answer = text[marker.end() :].strip()
        return Answer(thought, answer) if answer else Malformed(thought, "empty", "The final answer is empty.")
    return _call(text[marker.end() :], thought)


def _end_of_step(text: str) -> int:
    observation, question = _OBSERVATION.search(text), _NEXT_QUESTION.search(text)
    end = observation.start() if observation else len(text)
    if question and question.start() < end and _MARKER.search(text, 0, question.start()):
        return question.start()
    return end


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

    def __init__(self, tools: Tools = ()) -> None:
        self.text = ""
        self._tools = tools
        self._shown: dict[str, int] = {"thought": 0, "answer": 0}

    def feed(self, text: str) -> list[Delta]:
        """Take the next piece of the reply and return what it made certain."""
        self.text += text
        thought = _THOUGHT.match(self.text)
        if thought is None:
            return []
        body = self.text[: _end_of_step(self.text)]
        marker = _MARKER.search(body)
        if self._tools and not _is_first(marker, body):
            return self._show("thought", _open_thought(body))
        if marker is None:
            certain = _certain_thought if self._tools else _certain
            return self._show("thought", certain(body[thought.end() :]))
        deltas = self._show("thought", body[thought.end() : marker.start()].strip())
        if marker[1] == "Final Answer":
            deltas += self._show("answer", _certain(body[marker.end() :]))
        return deltas

    def finish(self) -> tuple[Step, list[Delta]]:
        """Return the step and what of it had not been certain before."""
        step = parse(self.text, self._tools)
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
    text = _OPEN_END.sub("", text)
    head, newline, line = text.rpartition("\n")
    word = re.sub(r"[ \t]", "", line).lower()
    if newline and any(start.startswith(word) or word.startswith(start) for start in _MARKER_STARTS):
        text = head
    return text.strip()


def _certain_thought(text: str) -> str:
    """Return `text` without an end that may yet turn out to be a label in any form, or the beginning of a call."""
    head, newline, line = text.rpartition("\n")
    text = head if newline and len(line.strip()) < LABEL_CHARS else text
    return _OPEN_FINAL.sub("", text).rstrip("<[`").strip()
