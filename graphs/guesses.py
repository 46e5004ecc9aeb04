"""How a failed edit is shown to a small model: as the look at the file that it should have taken first."""

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage

from graphs.state import with_calls
from tools.replace import told_text

_EDIT, _READ = "edit_file", "read_file"


def guesses_as_looks(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return `messages` with every `edit_file` whose error brought the whole file as a `read_file` of that file.

    A small model that edits a file unseen guesses what stands in it, and once its guess stands in the conversation it
    repeats it, whatever it is told. The thread itself keeps what was called; the same messages always give the same.
    """
    told = {
        message.tool_call_id: text
        for message in messages
        if isinstance(message, ToolMessage) and message.name == _EDIT and (text := told_text(message.text))
    }
    return [_as_look(message, told) for message in messages] if told else list(messages)


def _as_look(message: AnyMessage, told: dict[str, str]) -> AnyMessage:
    if isinstance(message, ToolMessage) and message.tool_call_id in told:
        text = told[message.tool_call_id]
        return message.model_copy(update={"content": text, "name": _READ, "status": "success"})
    if not isinstance(message, AIMessage) or not any(call["id"] in told for call in message.tool_calls):
        return message
    calls = [
        ToolCall(**{**call, "name": _READ, "args": {"path": call["args"].get("path", "")}})
        if call["id"] in told
        else call
        for call in message.tool_calls
    ]
    return with_calls(message, calls)
