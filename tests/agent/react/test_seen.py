"""What a thread knows of the workspace's files, from the calls of A2IA's own tools."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.react.seen import seen_files

READ = ("read_file", {"path": "a"}, "x = 1\ny = 2\n")
POINTER = "\n\n[It names a file here, b, which read_file shows]"


def thread(*calls: tuple[str, dict[str, Any], str] | tuple[str, dict[str, Any], str, str]) -> list[BaseMessage]:
    messages: list[BaseMessage] = [HumanMessage("go")]
    for number, (name, args, text, *status) in enumerate(calls):
        messages.append(AIMessage("", tool_calls=[{"name": name, "args": args, "id": str(number)}]))
        messages.append(
            ToolMessage(text, tool_call_id=str(number), name=name, status=status[0] if status else "success")
        )
    return messages


@pytest.mark.parametrize(
    ("calls", "known"),
    [
        ([], {}),
        ([READ], {"a": "x = 1\ny = 2\n"}),
        ([(*READ[:2], f"x = 1{POINTER}")], {"a": "x = 1"}),
        ([(*READ[:2], "no such file", "error")], {}),
        ([(*READ[:2], "[lines 1-2 of 9; read on with start_line=3]\nx = 1\ny = 2")], {"a": None}),
        ([(*READ[:2], "x" * 9_000)], {"a": None}),
        ([READ, ("edit_file", {"path": "a", "old": "x = 1", "new": "x = 3"}, "Edited.")], {"a": "x = 3\ny = 2\n"}),
        ([READ, ("edit_file", {"path": "a", "old": "", "new": "z"}, "Edited.")], {"a": None}),
        ([READ, ("edit_file", {"path": "a", "old": "q", "new": "z"}, "not there", "error")], {"a": "x = 1\ny = 2\n"}),
        ([("write_file", {"path": "b", "content": "new"}, "Created b.")], {"b": "new"}),
        ([READ, ("execute_command", {"command": "sed -i s/1/2/ a"}, "exit code 0")], {"a": None}),
        ([READ, (*READ[:2], "You made this same call before:\nx = 1\ny = 2\n")], {"a": "x = 1\ny = 2\n"}),
        ([READ, ("execute_command", {"command": "sleep 99"}, "ended after 30 seconds", "error")], {"a": None}),
        ([READ, ("fix", {"path": "a"}, "fixed")], {"a": None}),
        ([READ, ("edit_file", {"path": "./a", "old": "x = 1", "new": "x"}, "Edited.")], {"a": None, "./a": None}),
        ([READ, (*READ[:2], "x = 2\n")], {"a": "x = 2\n"}),
        ([READ, ("search_text", {"text": "x", "path": "a"}, "a:1: x = 1")], {"a": "x = 1\ny = 2\n"}),
        ([(*READ[:2], "[all 30 lines]\nx = 1")], {"a": "x = 1"}),
        ([(*READ[:2], "[all 1 line; there is no line 3]\nx = 1")], {"a": "x = 1"}),
        ([(*READ[:2], "(empty file)")], {"a": ""}),
        ([(*READ[:2], "x\n[... 900 characters left out; ask for a smaller part to see them ...]\ny")], {"a": None}),
        ([("look", {"path": "a"}, "x")], {}),
    ],
)
def test_a_thread_knows_what_it_read_and_wrote(calls: list[Any], known: dict[str, str | None]) -> None:
    assert seen_files(thread(*calls)) == known


def test_what_was_read_in_an_earlier_turn_may_have_changed() -> None:
    assert seen_files([*thread(READ), HumanMessage("and now?")]) == {"a": None}
