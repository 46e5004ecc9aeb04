"""Whether a model calls tools itself: one question with one tool, and the call has to come back in `tool_calls`.

What a server says of its models, and a template that takes tools, prove nothing: Qwen2.5-Coder has both on Ollama and
vLLM and prints its calls as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

TOKENS = 64
"""Longest reply to the question; a call takes some 20 tokens."""

TOOL = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Read a text file of the workspace.",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string", "description": "path"}},
            "required": ["path"],
        },
    },
}

MESSAGES = [{"role": "user", "content": "What does the file notes.txt say? Use a tool."}]


def verdict(message: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether this reply (the `message` of Ollama's or OpenAI's form) is a call of `TOOL`, and the evidence."""
    for call in message.get("tool_calls") or []:
        function = (isinstance(call, Mapping) and call.get("function")) or {}
        if function.get("name") == "read_file" and _arguments(function.get("arguments")) == {"path": "notes.txt"}:
            return True, "Asked with one tool, the model called it as it should."
        return False, f"Asked with one tool, the model made another call: {json.dumps(function)[:200]}."
    said = " ".join(str(message.get("content") or "").split())[:80]
    return False, f"Asked with one tool, the model made no call but wrote {said!r}."


def _arguments(given: Any) -> Any:
    """Ollama gives an object, OpenAI's form is its JSON text."""
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return None


def decided(react: bool | None) -> tuple[bool, str] | None:
    """Return the evidence of a run whose user chose the protocol, so that the model need not be asked; else None."""
    return None if react is None else (False, f"Not asked: {'--react' if react else '--no-react'} was given.")
