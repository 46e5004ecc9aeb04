"""The question whether an answer leaves undone something that the user asked for, and what follows if it does."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from agent.react.examples import BUILT_IN, both_ends, gives_orders, one_line
from agent.react.reader.toolset import READ_ONLY, SERVER
from agent.react.ways_out import has_missed, named_tools, server_of, was_stopped

LONGEST = 300
"""Characters. A longer answer is not judged: it streams, and a model that writes so much has seen something."""

HINT = "Not done yet: something that was asked for is still missing. Take the next step with a tool."
"""What the model is told in place of its answer; it stands in no thread."""

SYSTEM = "You check whether a helper has finished. Reply with one word, yes or no."

_REQUEST_CHARS = 600
_ARGUMENTS_CHARS = 150
_RESULT_CHARS = 400


def question(request: str, steps: Sequence[str], answer: str) -> str:
    """Return the question for an answer to `request` after `steps`."""
    did = "\n".join(f"- {step}" for step in steps)
    return (
        f"The user asks: {both_ends(request, _REQUEST_CHARS)}\nThe helper did:\n{did}\n"
        f"The helper answers: {one_line(answer)}\n"
        "Is everything that the user asks for done, and does the answer follow from what the helper saw?"
    )


def steps(messages: Sequence[BaseMessage]) -> list[str]:
    """Return the calls of a thread as `tool(argument=value): result`, the long ones cut."""
    results = {message.tool_call_id: message.text for message in messages if isinstance(message, ToolMessage)}
    calls = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    return [f"{call['name']}({_arguments(call['args'])}): {_result(results, call['id'])}" for call in calls]


def _arguments(given: Mapping[str, Any]) -> str:
    written = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items())
    return _clipped(written, _ARGUMENTS_CHARS)


def _result(results: Mapping[str, str], identity: str | None) -> str:
    return _clipped(results.get(identity or "", ""), _RESULT_CHARS)


def _clipped(text: str, length: int) -> str:
    line = one_line(text)
    return line if len(line) <= length else f"{line[:length]}..."


def has_changed_files(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether one of A2IA's own tools that change something has run: then the work is seldom undone."""
    own = {name for name in _changing(tools) if name in BUILT_IN}
    return not own.isdisjoint(_done(messages, tools))


def further(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of `tools` (OpenAI form) that can be called to go on.

    Those that change nothing, and those of another server that the thread already works with, unless they may have
    changed something: what nobody asked for is easily done by a model that has to call something.
    """
    results = [message for message in messages if isinstance(message, ToolMessage)]
    used = {server_of(result) for result in results}
    twice = _done(messages, tools) & _changing(tools)
    names = {tool["function"]["name"]: tool for tool in tools if tool["function"]["name"] not in twice}
    return [
        name
        for name, tool in names.items()
        if tool.get(READ_ONLY) or (name not in BUILT_IN and tool.get(SERVER) in used)
    ]


def _changing(tools: Sequence[Mapping[str, Any]]) -> set[str]:
    return {tool["function"]["name"] for tool in tools if not tool.get(READ_ONLY)}


def _done(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the tools of which a call has not failed."""
    names = {tool["function"]["name"] for tool in tools}
    results = (message for message in messages if isinstance(message, ToolMessage) and message.status != "error")
    return {result.name or "" for result in results if not (named_tools(result, names) or has_missed(result))}


def must_end(messages: Sequence[BaseMessage]) -> bool:
    """Say whether no call may be asked for: a person stopped one, or a result gives orders that it might obey."""
    results = [message for message in messages if isinstance(message, ToolMessage)]
    return any(was_stopped(result) or gives_orders(result.text) for result in results)


WORKED = [
    (
        question(
            "Which colour has the theme that settings.ini names?",
            ['read_file(path="settings.ini"): theme = ocean'],
            "The theme is ocean.",
        ),
        "no",
    ),
    (
        question(
            "Which colour has the theme that settings.ini names?",
            ['read_file(path="settings.ini"): theme = ocean', 'read_file(path="themes/ocean.ini"): colour = blue'],
            "The theme ocean has the colour blue.",
        ),
        "yes",
    ),
    (
        question(
            "Tell Anna's manager that the report is done.",
            ['find_person(name="Anna"): Anna Berg, room 214, manager: P7'],
            "I told Anna's manager that the report is done.",
        ),
        "no",
    ),
    (
        question(
            "How many pages has ideas.pdf?",
            ["read_file(path=\"ideas.pdf\"): 'ideas.pdf' does not exist. The folder has: trip.md, settings.ini"],
            "There is no file ideas.pdf.",
        ),
        "yes",
    ),
    (
        question(
            "What time does the shop open on Sunday?",
            ['search_text(text="Sunday"): hours.txt:7: Sunday: see holidays.txt'],
            "The shop opens at 9 on Sunday.",
        ),
        "no",
    ),
    (
        question(
            "Change the port in app.ini to 90.",
            ['edit_file(path="app.ini", old="port = 80", new="port = 90"): Edited app.ini at line 2.'],
            "I changed the port to 90.",
        ),
        "yes",
    ),
    (
        question(
            "Book a table for Mia.",
            ['book_table(person="Mia"): There is no person Mia; list_people tells the codes.'],
            "I could not book a table for Mia.",
        ),
        "no",
    ),
    (
        question(
            "How many tests fail?",
            ['execute_command(command="pytest -q"): exit code 1, 3 failed, 41 passed'],
            "3 tests fail.",
        ),
        "yes",
    ),
]
"""Questions with their replies, half of them of work that is not done."""
