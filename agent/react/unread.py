"""Decides what a reply is that holds neither a label nor a call: an answer, or the error of what it began."""

import re

from agent.react.clean import Cleaned
from agent.react.scan import is_none, letters
from agent.react.step import Answer, Call, Malformed, Step
from agent.react.tagged import MARK
from agent.react.toolset import Toolset

_OPENING_FENCE = re.compile(r"\A\s*`{3,}[\w-]*[ \t]*\n")
_PLACEHOLDER = re.compile(r"\A\s*(?:\$[A-Z_]+|<[A-Z_ ]+>|\{[A-Z_ ]+\})\s*\Z")
_INTENTION = re.compile(
    r"\b(?:I(?:'ll| will| should| need to| must| have to|'m going to| am going to| want to)|let me|let's|we need to)\b",
    re.I,
)
_CALL_FORM = re.compile(r"\A[\[\s`]*[^\W\d][\w.]*\(.*\)[\]\s`,;]*\Z")
_CALL_KEYS = re.compile(
    r"[\"'](?:tool_calls?|tool_name|tool_input|action_input|arguments|parameters|tool_params|function_call)[\"']\s*:"
)


def neither(cleaned: Cleaned, tools: Toolset, strict: Step) -> Step:
    """Return the error of a reply that begins a call and holds none, else what the strict reader read."""
    text = cleaned.text.strip()
    if isinstance(strict, Answer) and _meant_as_call(text, tools):
        problem = "The reply looks like a tool call but cannot be read. Write the tool's name and one JSON object."
        return Malformed("", "unreadable_call", problem, repairs=cleaned.repairs)
    if isinstance(strict, Answer) and _announces(text, tools):
        problem = "The reply says that a tool will be used but does not use it. Write its Action and Action Input."
        return Malformed(text, "missing_action", problem)
    if isinstance(strict, Call):
        if is_none(strict.name):
            problem = "Write 'Final Answer: <answer>' when no tool is needed."
            return Malformed(strict.thought, "missing_action", problem)
        return Malformed(strict.thought, "unknown_tool", tools.unknown(strict.name), strict.name)
    if isinstance(strict, Answer) and (cleaned.repairs or cleaned.thought):
        if not text:
            return Malformed(
                cleaned.thought, "missing_action", "Write an Action with its Action Input, or a Final Answer."
            )
        return Answer(cleaned.thought, text, cleaned.repairs)
    return strict


def _announces(text: str, tools: Toolset) -> bool:
    """Say whether the last sentence only says which tool comes next."""
    last = re.split(r"(?<=[.!?])\s+|\n", text)[-1]
    words = [letters(word) for word in last.split()]
    named = any(letters(name) in words or name in last for name in tools.by_name)
    return bool(named and _INTENTION.search(last) and not last.endswith("?"))


def _meant_as_call(text: str, tools: Toolset) -> bool:
    mark = MARK.search(text)
    if (
        _PLACEHOLDER.match(text)
        or _CALL_FORM.match(text)
        or (mark and not text[: mark.start()].rpartition("\n")[2].strip())
    ):
        return True
    opening = _OPENING_FENCE.sub("", text).lstrip()[:2]
    if opening[:1] not in ("{", "["):
        return False
    mentions = any(f'"{name}"' in text or f"'{name}'" in text for name in tools.by_name)
    return bool(mentions or _CALL_KEYS.search(text))
