"""The step of `agent.react.grammar` as a JSON schema, for a server that holds a reply to nothing else (Ollama).

The keys are named so that the alphabet gives the order thought, tool, input: a server that sorts a schema's keys, as
Ollama does for a model on its own template, would otherwise have the model decide before it thinks.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent.react.grammar import THOUGHT_CHARS, describe

THOUGHT, TOOL, INPUT, ANSWER = "reason", "tool", "tool_input", "response"


def step_schema(tools: Sequence[Mapping[str, Any]], answer: bool = True) -> str:
    """Return the JSON schema (its text) of one step; `tools` and `answer` as for `step_grammar`."""
    calls = [_step({TOOL: {"const": tool.name}, INPUT: tool.arguments}) for tool in describe(tools)]
    ends = [*calls, *([_step({ANSWER: {"type": "string", "minLength": 1}})] if answer or not calls else [])]
    return json.dumps({"anyOf": ends} if len(ends) > 1 else ends[0])


def _step(end: Mapping[str, Any]) -> dict[str, Any]:
    thought = {THOUGHT: {"type": "string", "minLength": 1, "maxLength": THOUGHT_CHARS}}
    properties = {**thought, **end}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
