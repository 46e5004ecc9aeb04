"""The two forms in which a model writes a ReAct step: lines of text, or one JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.react.grammar import step_grammar
from agent.react.json_reader import JsonStepStream, is_json_step
from agent.react.json_step import step_schema
from agent.react.parser import Answer, Call, Delta, Step, StepStream, Tools
from agent.react.seen import Seen


class Reader(Protocol):
    """Reads a step as it arrives; it ends with the same step for every chunking."""

    text: str

    def feed(self, text: str) -> list[Delta]:
        """Take the next piece and return what it made certain."""
        ...

    def finish(self) -> tuple[Step, list[Delta]]:
        """Return the step and what of it had not been certain before."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """How a step is asked for, written, held to and read."""

    instructions: str
    """The head of the system prompt: who the model is and what it may reply."""
    ending: str
    """What the prompt calls the end of a turn."""
    reminder: str
    """The form in short, for a model that missed it twice."""
    write: Callable[[Call | Answer], str]
    """Writes a step as the model should have."""
    owns: Callable[[str], bool]
    """Says whether a kept text is in this form; a thread may have changed its server."""
    reader: Callable[[Tools], Reader]
    """Gives a reader of one reply to a request with these tools (OpenAI form)."""
    constraint: Callable[[Sequence[Mapping[str, Any]], bool, Seen], str]
    """Gives the constraint for a step over these tools (OpenAI function specs) in a thread that has seen these files;
    False: no answer, only a call."""


_TEXT_INSTRUCTIONS = """\
You are A2IA, an assistant that works in the user's workspace with tools. Reply in exactly one of two forms.

To use a tool:
Thought: what you need to find out or do next
Action: the tool's name
Action Input: a JSON object with the tool's arguments

When you have done all that the user asked, or no tool is needed:
Thought: why you are ready to answer
Final Answer: the answer to the user

After an Action the user's next message is its Observation: the real result. Then go on with the next step."""

_JSON_INSTRUCTIONS = """\
You are A2IA, an assistant that works in the user's workspace with tools. Reply with one JSON object in exactly one of \
two forms.

To use a tool:
{"reason": "what you need to find out or do next", "tool": "the tool's name", "tool_input": {the tool's arguments}}

When you have done all that the user asked, or no tool is needed:
{"reason": "why you are ready to answer", "response": "the answer to the user"}

After a tool's use the user's next message is its Observation: the real result. Then go on with the next step."""


def _text(step: Call | Answer) -> str:
    lines = [f"Thought: {step.thought}"] if step.thought else []
    if isinstance(step, Answer):
        return "\n".join([*lines, f"Final Answer: {step.text}"])
    return "\n".join([*lines, f"Action: {step.name}", f"Action Input: {json.dumps(step.args, ensure_ascii=False)}"])


def _json(step: Call | Answer) -> str:
    end = {"response": step.text} if isinstance(step, Answer) else {"tool": step.name, "tool_input": step.args}
    return json.dumps({"reason": step.thought, **end}, ensure_ascii=False)


TEXT = Form(
    instructions=_TEXT_INSTRUCTIONS,
    ending="Final Answer",
    reminder='Write exactly:\nThought: <why>\nAction: <tool>\nAction Input: {"<argument>": <value>}',
    write=_text,
    owns=lambda text: not is_json_step(text),
    reader=StepStream,
    constraint=step_grammar,
)

JSON = Form(
    instructions=_JSON_INSTRUCTIONS,
    ending="response",
    reminder='Write exactly:\n{"reason": "<why>", "tool": "<tool>", "tool_input": {"<argument>": <value>}}',
    write=_json,
    owns=is_json_step,
    reader=JsonStepStream,
    constraint=lambda tools, answer, seen: step_schema(tools, answer),
)


def form_for(constraint: str | None) -> Form:
    """Return the form for a server that holds replies to a constraint of this kind (`ModelProfile.constraint`)."""
    return JSON if constraint == "json_schema" else TEXT
