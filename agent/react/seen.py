"""The files that a thread has seen, from which alone an edit may quote."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

READ, EDIT, WRITE = "read_file", "edit_file", "write_file"
_HARMLESS = {READ, EDIT, WRITE, "list_directory", "search_text", "git_status", "git_diff", "git_log"}
"""Tools after which every other file stands as it stood."""
_MAX_CHARS = 8_000
"""Longest text that is quoted from; what is longer is known in part."""
_POINTER = re.compile(r"\n\n\[It names (?:a file|files) here[^\n]*\]\Z")
_PART = re.compile(r"\[lines? \d")
_ALL = re.compile(r"\A\[all \d+ lines?\b[^\n]*\]\n")
_LEFT_OUT = re.compile(r"\n\[\.\.\. \d+ characters left out")
_EMPTY = "(empty file)"
SAME_CALL = "You made this same call before"
"""How the result of a repeated call begins."""
_WORDY = 100
_PIECES = re.compile(r"[^\S\n]*\n|[^\S\n]+(?=\S)|[^\n]*\S|[^\S\n]+")
_WORDS = re.compile(r"\w+|\W")

Seen = Mapping[str, str | None]
"""The paths that were read, as they were written, each with the file's text; None: known in part only."""


def seen_files(messages: Sequence[BaseMessage]) -> dict[str, str | None]:
    """Return the files that the thread `messages` knows by A2IA's own tools, as they stand now.

    A command, another server's tool and, between two turns, the user may have changed any file, so after one of them
    all are known in part only.
    """
    results = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    known: dict[str, str | None] = {}
    for message in messages:
        if isinstance(message, HumanMessage):
            known = dict.fromkeys(known)
        for call in message.tool_calls if isinstance(message, AIMessage) else []:
            result = results.get(call["id"] or "")
            if call["name"] not in _HARMLESS:
                known = dict.fromkeys(known)
            elif result and result.status != "error" and isinstance(path := call["args"].get("path"), str):
                _learn(known, call["name"], path, call["args"], result)
    return known


def _learn(known: dict[str, str | None], tool: str, path: str, args: Mapping[str, Any], result: ToolMessage) -> None:
    """Take in what a call on a file told of it."""
    before = known.get(path)
    if tool in (EDIT, WRITE):
        same = [other for other in known if posixpath.normpath(other) == posixpath.normpath(path)]
        known |= dict.fromkeys(same)
    if tool == WRITE:
        text: str | None = str(args.get("content", ""))
    elif tool == EDIT:
        old, new = str(args.get("old", "")), str(args.get("new", ""))
        text = before.replace(old, new) if before and old and before.count(old) == 1 else None
    elif tool == READ:
        text = _file_text(result, before)
    else:
        return
    known[path] = text if text is not None and len(text) <= _MAX_CHARS else None


def _file_text(result: ToolMessage, before: str | None) -> str | None:
    """Return the text of a file as `read_file` gave it, without its notes; `before` if it is a part or the same."""
    text = result.text
    cut = isinstance(result.artifact, dict) and result.artifact.get("truncated")
    if cut or _LEFT_OUT.search(text) or _PART.match(text) or text.startswith(SAME_CALL):
        return before
    return "" if text == _EMPTY else _POINTER.sub("", _ALL.sub("", text))


def quotable(text: str) -> list[str]:
    """Return `text` in the pieces of which a quotation consists: lines, their indents and ends; long lines in words.

    With whole lines to replace, a small model writes what the line should be; with a word of it, it drops the rest.
    """
    pieces = _PIECES.findall(text)
    return [part for piece in pieces for part in (_WORDS.findall(piece) if len(piece) > _WORDY else [piece])]
