"""A small model changes files that it has not read: it looks at them first, and a guess is shown to it as a look."""

import re
from collections.abc import Sequence, Set

from langchain_core.messages import AIMessage, AnyMessage, SystemMessage, ToolCall, ToolMessage

from agent.react.seen import EDIT, READ, WRITE
from graphs.state import with_calls
from tools.replace import told_text


def guesses_as_looks(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return `messages` with every `edit_file` whose error brought the whole file as a `read_file` of that file.

    A small model that edits a file unseen guesses what stands in it, and once its guess stands in the conversation it
    repeats it, whatever it is told. The thread itself keeps what was called; the same messages always give the same.
    """
    told = {
        message.tool_call_id: text
        for message in messages
        if isinstance(message, ToolMessage) and message.name == EDIT and (text := told_text(message.text))
    }
    return [_as_look(message, told) for message in messages] if told else list(messages)


def _as_look(message: AnyMessage, told: dict[str, str]) -> AnyMessage:
    if isinstance(message, ToolMessage) and message.tool_call_id in told:
        text = told[message.tool_call_id]
        return message.model_copy(update={"content": text, "name": READ, "status": "success"})
    if not isinstance(message, AIMessage) or not any(call["id"] in told for call in message.tool_calls):
        return message
    return with_calls(message, [_look(call) if call["id"] in told else call for call in message.tool_calls])


def looks_first(reply: AIMessage, thread: Sequence[AnyMessage], tools: Set[str]) -> AIMessage:
    """Return `reply` with a `read_file` in place of a change to a file that is there and that the thread has not read.

    What a small model replaces in such a file is a guess, or a word where a line was meant, and what it writes in its
    place is the changed line alone. Text that is only added, or that a result has shown, needs no look; a file is
    looked at once.
    """
    changes = [call for call in reply.tool_calls if call["name"] in (EDIT, WRITE) and _path(call)]
    if READ not in tools or not changes:
        return reply
    calls = [call for message in thread if isinstance(message, AIMessage) for call in message.tool_calls]
    tried = {_path(call) for call in calls if call["name"] in (READ, EDIT, WRITE)}
    blind = {call["id"] for call in changes if _path(call) not in tried and _replaces(call, thread)}
    looks = [_look(call) if call["id"] in blind else call for call in reply.tool_calls]
    return with_calls(reply, looks) if blind else reply


def _path(call: ToolCall) -> str:
    path = call["args"].get("path")
    return path if isinstance(path, str) else ""


def _replaces(call: ToolCall, thread: Sequence[AnyMessage]) -> bool:
    """Say whether a call replaces what stands in a file unseen: text that no result has shown, or a file that is there.

    That a file is there is told by what a thread begins with and by listings; a text may speak of one yet to be made.
    """
    results = [message for message in thread if isinstance(message, ToolMessage)]
    if call["name"] == EDIT:
        old = str(call["args"].get("old", ""))
        return bool(old) and not any(old in result.text for result in results)
    listed = [message.text for message in thread if isinstance(message, SystemMessage)]
    listed += [result.text for result in results if result.name == "list_directory" and result.status != "error"]
    path = re.escape(_path(call).removeprefix("./"))
    return any(re.search(rf"(?<![\w./-]){path}(?![\w/-]|\.\w)", text) for text in listed)


def _look(call: ToolCall) -> ToolCall:
    return ToolCall(**{**call, "name": READ, "args": {"path": call["args"].get("path", "")}})
