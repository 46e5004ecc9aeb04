"""The step of `agent.react.grammar` as a JSON schema, for a server that holds a reply to nothing else (Ollama).

The keys are named so that the alphabet gives the order thought, tool, input: a server that sorts a schema's keys, as
Ollama does for a model on its own template, would otherwise have the model decide before it thinks.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent.react.grammar import THOUGHT_CHARS, describe

THOUGHT, TOOL, INPUT, ANSWER = "reason", "tool", "tool_input", "response"


def step_schema(tools: Sequence[Mapping[str, Any]]) -> str:
    """Return the JSON schema (its text) of one step; with no tools it holds the model to an answer."""
    calls = [_step({TOOL: {"const": tool.name}, INPUT: tool.arguments}) for tool in describe(tools)]
    answer = _step({ANSWER: {"type": "string", "minLength": 1}})
    return json.dumps({"anyOf": [*calls, answer]} if calls else answer)


def _step(end: Mapping[str, Any]) -> dict[str, Any]:
    thought = {THOUGHT: {"type": "string", "minLength": 1, "maxLength": THOUGHT_CHARS}}
    properties = {**thought, **end}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
