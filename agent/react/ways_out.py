"""What a failed call says to do now: tools that it names, and those of its server that look things up.

Many servers report a mistake as a plain result: "There is no gauge Mill; list_gauges tells the codes." A small model
takes that for the answer, where a look at the codes and the same call with the right one would do.
"""

import re
from collections.abc import Mapping, Sequence, Set

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from agent.react.examples import BUILT_IN, one_line

_DENIAL = re.compile(r"\b(?:no|not|cannot|invalid|unknown|error|failed)\b|n't\b", re.I)
_MISSING = re.compile(
    r"\bthere (?:is|are) no\b|\bno such\b|\bno \w+ match|\b(?:not|n't) (?:exist|found|known)\b|(?:not|n't) find\b"
    r"|\b(?:unknown|invalid)\b",
    re.I,
)
"""How a result says that what an argument names is not there; "No rain tomorrow" is an answer."""
_LOOKUP = re.compile(r"(?:^|_)(?:find|search|list|lookup|look_up|query)(?:_|$)", re.I)
_ADVICE = re.compile(r"\b(?:[Cc]all|use|see) (read_file|list_directory|edit_file|git_status|git_log)\b")
"""How A2IA's own errors name a tool that helps; `execute_command` is left to the model."""


def has_failed(result: ToolMessage) -> bool:
    """Say whether a call has failed: by its status, or in a tool that A2IA does not ship by what it says."""
    return result.status == "error" or (result.name not in BUILT_IN and bool(_DENIAL.search(result.text)))


def named_tools(result: ToolMessage, tools: Set[str]) -> set[str]:
    """Return which other ones of `tools` the result of a failed call names; A2IA's own tools name none so."""
    if result.name in BUILT_IN or not has_failed(result):
        return set()
    long = (name for name in tools - BUILT_IN - {result.name} if "_" in name or len(name) > 8)
    return {name for name in long if re.search(rf"\b{re.escape(name)}\b", result.text)}


def ways_out(result: ToolMessage, servers: Mapping[str, str]) -> set[str]:
    """Return the tools that a failed call says to use, or that may look up what it lacked; `servers` is each tool's.

    Only tools that look something up, and another try of an edit: nothing else is ever asked for unseen.
    """
    if not has_failed(result):
        return set()
    if result.name in BUILT_IN:
        return set(_ADVICE.findall(result.text)) & servers.keys()
    server = servers.get(result.name or "") if _MISSING.search(result.text) else None
    beside = {name for name, other in servers.items() if other == server and name != result.name}
    return {name for name in named_tools(result, servers.keys()) or beside if _LOOKUP.search(name)}


def is_way_out(taken: ToolMessage, failed: ToolMessage) -> bool:
    """Say whether the call with the result `taken` found what the call that `failed` lacked, so that it can be made."""
    if has_failed(taken) or failed.name in BUILT_IN or _LOOKUP.search(failed.name or ""):
        return False
    taken_name = taken.name or ""
    beside = (
        _server(taken) == _server(failed) and bool(_LOOKUP.search(taken_name)) and bool(_MISSING.search(failed.text))
    )
    return beside or taken_name in named_tools(failed, {taken_name})


def another_try(failed: ToolMessage, messages: Sequence[BaseMessage]) -> str:
    """Say that the call of `messages` that `failed` is to be made again, and with what in place of which argument."""
    calls = (call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls)
    given = next((call["args"] for call in calls if call["id"] == failed.tool_call_id), {})
    wrong = [value for value in given.values() if isinstance(value, str) and value and value in failed.text]
    place = f' in place of "{one_line(wrong[0])}"' if wrong else ""
    return f"Call {failed.name} again, with what was found here{place}."


def _server(result: ToolMessage) -> str | None:
    return result.artifact.get("server") if isinstance(result.artifact, dict) else None
