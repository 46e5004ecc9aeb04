"""What a failed call says to do now: tools that it names, and those of its server that look things up.

Many servers report a mistake as a plain result: "There is no gauge Mill; list_gauges tells the codes." A small model
takes that for the answer, where a look at the codes and the same call with the right one would do.
"""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from agent.react.examples import BUILT_IN, one_line
from agent.react.told import COMMON, parts_of, words_of

_DENIAL = re.compile(r"\b(?:no|not|cannot|invalid|unknown|error|failed)\b|n't\b", re.I)
_REFUSAL_CHARS = 200
"""A longer plain result, or one of JSON, is data: what stands in it is not what became of the call."""
_MISSING = re.compile(
    r"\bthere (?:is|are) no\b|\bno such\b|\bno \w+ match|\b(?:not|n't) (?:exist|found|known)\b|(?:not|n't) find\b"
    r"|\b(?:unknown|invalid) \w",
    re.I,
)
"""How a result says that what an argument names is not there; "No rain tomorrow" is an answer."""
_LOOKUP = re.compile(r"(?:^|_)(?:find|search|list|lookup|look_up|query)(?:_|$)", re.I)
_GIVEN = re.compile(r"(?:^|_)([a-z]+)_(?:by|from|based_on)_", re.I)
_BEGINNING = 5
_VERBS = {"find", "search", "list", "lookup", "look", "query", "all", "available"}
_ADVICE = re.compile(r"\b(?:[Cc]all|use|see) (read_file|list_directory|edit_file|git_status|git_log)\b")
"""How A2IA's own errors name a tool that helps; `execute_command` is left to the model."""


def has_failed(result: ToolMessage) -> bool:
    """Say whether a call was made and failed: by its status, or in a tool that A2IA does not ship by what it says."""
    if was_stopped(result) or _artifact(result).get("format_error"):
        return False
    if result.status == "error":
        return True
    short = len(result.text) <= _REFUSAL_CHARS and not result.text.lstrip().startswith(("{", "["))
    return short and result.name not in BUILT_IN and bool(_DENIAL.search(result.text))


def was_stopped(result: ToolMessage) -> bool:
    """Say whether a person did not allow the call, or it was interrupted."""
    return _artifact(result).get("status") in ("denied", "interrupted")


def has_missed(result: ToolMessage) -> bool:
    """Say whether a call has failed because there is nothing of the kind that an argument named."""
    return has_failed(result) and bool(_MISSING.search(result.text))


def named_tools(result: ToolMessage, tools: Set[str]) -> set[str]:
    """Return which other ones of `tools` the result of a failed call names; A2IA's own tools name none so."""
    if result.name in BUILT_IN or not has_failed(result):
        return set()
    long = (name for name in tools - BUILT_IN - {result.name} if "_" in name or len(name) > 8)
    return {name for name in long if re.search(rf"\b{re.escape(name)}\b", result.text)}


@dataclass(frozen=True, slots=True)
class Offer:
    """What is known of a tool that a thread has."""

    server: str
    wants: Set[str]
    """The words, in small letters, that name and describe its arguments."""
    about: Set[str]
    """The beginnings of the words of its name and arguments."""
    says: Set[str]
    """The beginnings of the telling words of its name and description."""


def offer(function: Mapping[str, Any], server: str = "") -> Offer:
    """Return what is known of the tool of an OpenAI function spec."""
    properties = (function.get("parameters") or {}).get("properties") or {}
    told = [value.get("description") for value in properties.values() if isinstance(value, Mapping)]
    wants = {word for text in (*properties, *told) if text for word in parts_of(text)}
    name = words_of(function["name"])
    says = (name | words_of(function.get("description") or "") - COMMON) - _VERBS
    return Offer(server, wants, _beginnings(name | wants), _beginnings(says))


def _beginnings(words: Set[str]) -> set[str]:
    return {word.rstrip("s")[:_BEGINNING] for word in words}


def ways_out(result: ToolMessage, offers: Mapping[str, Offer], tried: Set[str]) -> set[str]:
    """Return the untried ones of the tools `offers` that a failed call says to use, or that may look up what it lacked.

    Only tools that look something up, and another try of an edit: nothing else is ever asked for unseen. The look-ups
    of a server that are not named are asked for once; of those first the ones that give what an argument is.
    """
    if not has_failed(result):
        return set()
    if result.name in BUILT_IN:
        return (set(_ADVICE.findall(result.text)) & offers.keys()) - tried
    if named := {name for name in named_tools(result, offers.keys()) if _LOOKUP.search(name)}:
        return named - tried
    name = result.name or ""
    if name not in offers or _LOOKUP.search(name) or not has_missed(result):
        return set()
    beside = {
        other for other in offers if offers[other].server == offers[name].server and _looks_up(other, name, offers)
    }
    giving = {other for other in beside if _gives(other, offers[name])}
    return set() if beside & tried else giving or beside


def another_try(
    taken: ToolMessage, failed: ToolMessage, messages: Sequence[BaseMessage], offers: Mapping[str, Offer]
) -> str:
    """Say that the call of `messages` that `failed` can be made now, and with what; empty if it cannot.

    It can once the call with the result `taken` found what was lacking, or did what the failure asks for.
    """
    if has_failed(taken) or failed.name in BUILT_IN:
        return ""
    if not _has_found(taken, failed, offers):
        return f"Call {failed.name} again." if _did_what_is_asked(taken, failed) else ""
    texts = [value for value in _given(failed, messages).values() if isinstance(value, str) and value]
    wrong = [value for value in texts if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", failed.text)]
    place = f' in place of "{one_line(wrong[0])}"' if len(wrong) == 1 else ""
    return f"Call {failed.name} again, with what was found here{place}."


def _has_found(taken: ToolMessage, failed: ToolMessage, offers: Mapping[str, Offer]) -> bool:
    name, lacking = taken.name or "", failed.name or ""
    if _LOOKUP.search(lacking):
        return False
    beside = server_of(taken) == server_of(failed) and _looks_up(name, lacking, offers)
    return (beside and has_missed(failed)) or name in named_tools(failed, {name})


def _did_what_is_asked(taken: ToolMessage, failed: ToolMessage) -> bool:
    """Say whether a failure tells of all that a tool's name says: `pressBrakePedal`, "Brake pedal must be pressed"."""
    words = parts_of(taken.name or "")
    told = "".join(parts_of(failed.text))
    return taken.name != failed.name and len(words) > 1 and all(word in told for word in words)


def _given(result: ToolMessage, messages: Sequence[BaseMessage]) -> Mapping[str, Any]:
    """Return the arguments of the call that a result is of."""
    calls = (call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls)
    return next((call["args"] for call in calls if call["id"] == result.tool_call_id), {})


def _looks_up(name: str, lacking: str, offers: Mapping[str, Offer]) -> bool:
    """Say whether a tool may look up what a call of `lacking` lacked: a list of airports tells nothing of invoices."""
    if name not in offers or lacking not in offers or name == lacking:
        return False
    is_about = bool(offers[name].says & offers[lacking].about)
    return bool(_LOOKUP.search(name) and is_about) or _gives(name, offers[lacking])


def _gives(name: str, lacking: Offer) -> bool:
    """Say whether a tool tells from something else what an argument is: `get_symbol_by_name` gives a `symbol`."""
    return any(word.lower() in lacking.wants for word in _GIVEN.findall(name))


def server_of(result: ToolMessage) -> str | None:
    """Return the server whose tool gave a result, None where it does not tell."""
    return _artifact(result).get("server")


def _artifact(result: ToolMessage) -> Mapping[str, Any]:
    return result.artifact if isinstance(result.artifact, dict) else {}
