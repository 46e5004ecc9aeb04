"""The node that runs one tool call; a call that need not or cannot be run gets its result here too."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.config import get_stream_writer
from pydantic import ValidationError

from agent.context import cut_text
from agent.mcp.convert import unknown_tool
from agent.react.seen import SAME_CALL
from graphs.nodes import CallNode, Update
from graphs.state import CallStatus, CallTask, call_result

_log = logging.getLogger(__name__)


def tools_node(tools: Sequence[BaseTool], *, max_chars: int) -> CallNode:
    """Return the node that runs one call. Whatever the tool does, the call gets exactly one result.

    A result is cut to `max_chars` characters.
    """
    by_name = {tool.name: tool for tool in tools}

    async def run(state: CallTask) -> Update:
        call, known = state["call"], state["known"]
        tool = by_name.get(call["name"])
        if tool is None:
            return _not_run(call, _warned(unknown_tool(call["name"], tools), state), format_error=True)
        server = (tool.metadata or {}).get("server", "")
        if state["refused"]:
            return _not_run(call, state["refused"], server=server, repeat=True)
        if state["doubted"]:
            return _not_run(call, _MADE, server=server, doubted=True)
        if known:
            text = f"{_SAME}\n{cut_text(known.text, _KNOWN_CHARS)}"
            status: CallStatus = "error" if known.status == "error" else "ok"
            return _not_run(call, text, status, server=server, truncated=len(known.text) > _KNOWN_CHARS)
        get_stream_writer()({"type": "tool_started", "server": server, **_shown(call)})
        started = time.monotonic()
        result = await _invoke(tool, call)
        details = result.artifact if isinstance(result.artifact, dict) else {}
        refused = bool(details.get("format_error"))
        whole = _warned(result.text, state) if refused else result.text
        text = cut_text(whole, max_chars)
        return {
            "messages": [
                call_result(
                    call,
                    text,
                    "error" if result.status == "error" else "ok",
                    server=server,
                    ms=round((time.monotonic() - started) * 1000, 1),
                    truncated=bool(details.get("truncated")) or text != whole,
                    **({"format_error": True} if refused else {}),
                )
            ]
        }

    return run


_SAME = f"{SAME_CALL} and nothing has changed since, so the result is the same:"
_MADE = "This same call was made in this turn, with the result above, so it was not made again. If that is what the"
_MADE += " user asked for, go on with what is left or answer. To do it once more, make the call again."
_AGAIN = "This is the second call in a row that could not be made: the next one is the last. Change the arguments, or"
_AGAIN += " choose another tool, or ask the user for what is missing."
_KNOWN_CHARS = 1500
"""How much of a result is shown a second time; the whole of it stands above."""


def _not_run(call: ToolCall, text: str, status: CallStatus = "error", *, server: str = "", **details: Any) -> Update:
    given = {"server": server, "ms": 0, "truncated": False, **details}
    return {"messages": [call_result(call, text, status, **given)]}


def _warned(text: str, state: CallTask) -> str:
    return f"{text} {_AGAIN}" if state["warned"] else text


def _shown(call: ToolCall) -> dict[str, Any]:
    return {"id": call["id"], "tool": call["name"], "args": call["args"]}


async def _invoke(tool: BaseTool, call: ToolCall) -> ToolMessage:
    try:
        result = await tool.ainvoke({**call, "type": "tool_call"})
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        return call_result(
            call, f"Argument {at!r} does not fit {tool.name}: {first['msg']}.", "error", format_error=True
        )
    except Exception as error:  # an exception that left the node would cancel the sibling calls
        _log.exception("tool %s failed", tool.name)
        return call_result(call, f"{tool.name} failed: {type(error).__name__}: {error}", "error")
    return result if isinstance(result, ToolMessage) else call_result(call, str(result), "ok")
