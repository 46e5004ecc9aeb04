"""The files that a thread has seen, from which alone an edit may quote."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

READ, EDIT, WRITE = "read_file", "edit_file", "write_file"
_RUN = "execute_command"
_MAX_CHARS = 8_000
"""Longest text that is quoted from; what is longer is known in part."""
_POINTER = re.compile(r"\n\n\[It names (?:a file|files) here[^\n]*\]\Z")
_CUT = re.compile(r"\[lines? \d")
_NOTES = 200
"""Characters at the beginning of a result in which it says that it is cut, or the same as before."""
_WORDY = 100
_PIECES = re.compile(r"[^\S\n]*\n|[^\S\n]+(?=\S)|[^\n]*\S|[^\S\n]+")
_WORDS = re.compile(r"\w+|\W")

Seen = Mapping[str, str | None]
"""The paths that were read, as they were written, each with the file's text; None: known in part only."""


def seen_files(messages: Sequence[BaseMessage]) -> dict[str, str | None]:
    """Return the files that the thread `messages` knows by A2IA's own tools, as they stand now.

    A command may change any file, so after one all are known in part only.
    """
    results = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    known: dict[str, str | None] = {}
    for call in (call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls):
        result = results.get(call["id"] or "")
        if result is None or result.status == "error":
            continue
        if call["name"] == _RUN:
            known = dict.fromkeys(known)
        elif call["name"] in (READ, EDIT, WRITE) and isinstance(path := call["args"].get("path"), str):
            text = _text(call["name"], call["args"], result.text, known.get(path))
            known[path] = text if text is not None and len(text) <= _MAX_CHARS else None
    return known


def _text(tool: str, args: Mapping[str, Any], result: str, before: str | None) -> str | None:
    if tool == WRITE:
        return str(args.get("content", ""))
    if tool == EDIT:
        old, new = str(args.get("old", "")), str(args.get("new", ""))
        return before.replace(old, new) if before and old and before.count(old) == 1 else None
    return before if before is not None or _CUT.search(result[:_NOTES]) else _POINTER.sub("", result)


def quotable(text: str) -> list[str]:
    """Return `text` in the pieces of which a quotation consists: lines, their indents and ends; long lines in words.

    With whole lines to replace, a small model writes what the line should be; with a word of it, it drops the rest.
    """
    pieces = _PIECES.findall(text)
    return [part for piece in pieces for part in (_WORDS.findall(piece) if len(piece) > _WORDY else [piece])]
