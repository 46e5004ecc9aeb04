"""Decides what a reply is that holds neither a label nor a call: an answer, or the error of what it began."""

import re

from agent.react.reader.clean import Cleaned
from agent.react.reader.literal import Unreadable, read_value
from agent.react.reader.scan import is_none, letters
from agent.react.reader.step import Answer, Call, Malformed, Step
from agent.react.reader.tagged import MARK
from agent.react.reader.toolset import Toolset

OPENING_FENCE = re.compile(r"\A\s*`{3,}[\w-]*[ \t]*\n")
_PLACEHOLDER = re.compile(r"\A\s*(?:\$[A-Z_]+|<[A-Z_ ]+>|\{[A-Z_ ]+\})\s*\Z")
_INTENTION = re.compile(
    r"\b(?:I(?:'ll| will| should| need to| must| have to|'m going to| am going to| want to)"
    r"|let me(?! know)|let's|we need to)\b(?! (?:not|never)\b)",
    re.I,
)
_WAITING = re.compile(
    r"(?:\s{1,4}(?:Please |Just |I'll )?(?:hold on|wait|stand by|bear with me|(?:one|just a|a) moment|give me a moment)"
    r"[^.!?\n]{0,60}[.!…]*)+\s*\Z",
    re.I,
)
_OFFER = re.compile(r"\b(?:if you|would you|you (?:can|could|may)|once you|please)\b", re.I)
_CALL_FORM = re.compile(r"\A[\[\s`]*[^\W\d][\w.]*\(.*\)[\]\s`,;]*\Z")
_CALL_BEGINS = re.compile(r"[\[\s`]*([^\W\d][\w.]{0,80})\(")
_STEP_BEGINS = re.compile(r"\{\s*[\"'](?:thoughts?|reason(?:ing)?|action|name|tool|function)[\"']\s*:")
_CLOSING_FENCE = re.compile(r"\n?[ \t]{0,8}`{3,12}\s*\Z")
_CALL_KEYS = re.compile(
    r"[\"'](?:tool_calls?|tool_name|tool_input|action_input|arguments|parameters|tool_params|function_call)[\"']\s*:"
)


def neither(cleaned: Cleaned, tools: Toolset, strict: Step) -> Step:
    """Return the error of a reply that begins a call and holds none, else what the strict reader read."""
    text = cleaned.text.strip()
    if isinstance(strict, Answer) and cleaned.thinks:
        return Malformed(text, "missing_action", "The thinking does not end. Write an Action or a Final Answer.")
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
    last = re.split(r"(?<=[.!?])\s+|\n", _WAITING.sub("", text))[-1]
    words = [letters(word) for word in last.split()]
    named = any(letters(name) in words or name in last or _spells(name, words) for name in tools.by_name)
    return bool(named and _INTENTION.search(last) and not last.endswith("?") and not _OFFER.search(last))


def _spells(name: str, words: list[str]) -> bool:
    """Say whether the words of a name, two or more, are all said in their order: `read the file`."""
    parts = [letters(part) for part in re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name) if part]
    rest = iter(words)
    return len(parts) > 1 and all(part in rest for part in parts)


def _meant_as_call(text: str, tools: Toolset) -> bool:
    if not text:
        return False
    mark = MARK.search(text)
    if (
        _PLACEHOLDER.match(text)
        or _CALL_FORM.match(text)
        or (mark and not text[: mark.start()].rpartition("\n")[2].strip(" \t`"))
    ):
        return True
    begun = _CALL_BEGINS.match(text)
    if begun and tools.exact(begun[1]) and ")" not in text[begun.end() :]:
        return True
    inside = _CLOSING_FENCE.sub("", OPENING_FENCE.sub("", f"{text}\n")).strip()
    if inside[:1] not in ("{", "["):
        return not inside
    if inside in ("{}", "[]") or _is_broken_step(inside):
        return True
    mentions = any(f'"{name}"' in text or f"'{name}'" in text for name in tools.by_name)
    return bool(mentions or _CALL_KEYS.search(text))


def _is_broken_step(text: str) -> bool:
    if not _STEP_BEGINS.match(text):
        return False
    try:
        read_value(text)
    except Unreadable:
        return True
    return False
