"""In ReAct a failed guess at a file's text is shown to the model as the look at the file that comes before an edit."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from graphs.state import Protocol
from tests.fakes import Say
from tests.graphs.threads import Thread, assert_prompts_only_grow, collect, tool
from tools.errors import ToolFailure
from tools.replace import replace_once

TEXT = "seats: 48\nopen: yes\n"


async def edit_file(path: str, old: str, new: str) -> str:
    """Edit it."""
    try:
        return f"Edited {path} at line {replace_once(TEXT, old, new, path)[1]}."
    except ToolFailure as failure:
        raise ValueError(str(failure)) from None


def edit(old: str) -> Say:
    return Say(calls=[("edit_file", {"path": "venue.txt", "old": old, "new": "seats: 52"})])


async def test_a_wrong_guess_is_kept_and_reported_but_shown_to_the_model_as_a_look(protocol: Protocol) -> None:
    thread = Thread(protocol, [edit("seats: 50"), edit("seats: 48"), Say("Done.")], [tool("edit_file", edit_file)])
    _, result = await collect(thread.session.run("set seats to 52"))
    assert [(step.tool, step.status) for step in result.steps] == [("edit_file", "error"), ("edit_file", "ok")]
    kept = [message for message in await thread.messages() if isinstance(message, AIMessage)]
    assert kept[0].tool_calls[0]["args"]["old"] == "seats: 50"
    if protocol != "native":
        said = [m.text for m in thread.model.asked[1] if isinstance(m, AIMessage)][-1]
        seen = [m.text for m in thread.model.asked[1] if isinstance(m, HumanMessage)][-1]
        assert "read_file" in said and "seats: 50" not in said
        assert seen.startswith("Observation: seats: 48\nopen: yes\n") and "Correct the step" not in seen


async def test_the_prompt_only_grows_behind_it(protocol: Protocol) -> None:
    script = [edit("seats: 50"), edit("open: no"), edit("seats: 48"), Say("Done."), Say("Yes.")]
    thread = Thread(protocol, script, [tool("edit_file", edit_file)])
    await collect(thread.session.run("set seats to 52"))
    await collect(thread.session.run("sure?"))
    assert_prompts_only_grow(thread)


async def read_file(path: str) -> str:
    """Read it."""
    return TEXT


async def test_a_file_is_read_before_it_is_edited(protocol: Protocol) -> None:
    tools = [tool("edit_file", edit_file), tool("read_file", read_file)]
    thread = Thread(protocol, [edit("48"), edit("seats: 48"), Say("Done.")], tools)
    _, result = await collect(thread.session.run("set seats to 52"))
    first = result.steps[0]
    assert (first.tool, first.args) == (
        ("edit_file", {"path": "venue.txt", "old": "48", "new": "seats: 52"})
        if protocol == "native"
        else ("read_file", {"path": "venue.txt"})
    )
    assert [step.tool for step in result.steps[1:]] == ["edit_file"] and result.answer == "Done."
    assert_prompts_only_grow(thread)


async def search_text(text: str) -> str:
    """Find it."""
    return "venue.txt:1: seats: 48"


async def test_text_that_is_only_added_or_was_shown_needs_no_look(protocol: Protocol) -> None:
    tools = [tool("edit_file", edit_file), tool("read_file", read_file), tool("search_text", search_text)]
    script = [edit(""), Say(calls=[("search_text", {"text": "seats"})]), edit("seats: 48"), Say("Done.")]
    thread = Thread(protocol, script, tools)
    _, result = await collect(thread.session.run("add seats: 52"))
    assert [step.tool for step in result.steps] == ["edit_file", "search_text", "edit_file"]


async def write_file(path: str, content: str) -> str:
    """Write it."""
    return "Written."


@pytest.mark.parametrize(
    ("named", "done"),
    [("venue.txt, a.md", ["read_file", "write_file"]), ("my-venue.txt, venue.txt.old", ["write_file"])],
)
async def test_a_file_that_is_there_is_read_before_all_of_it_is_replaced(named: str, done: list[str]) -> None:
    write = Say(calls=[("write_file", {"path": "venue.txt", "content": "seats: 52"})])
    tools = [tool("write_file", write_file), tool("read_file", read_file)]
    thread = Thread("react", [*[write] * len(done), Say("Done.")], tools)
    await thread.graph.aupdate_state(thread.config, {"messages": [SystemMessage(f"Files in the workspace: {named}")]})
    _, result = await collect(thread.session.run("set seats to 52"))
    assert [step.tool for step in result.steps] == done


async def test_a_file_that_a_text_only_speaks_of_is_written_at_once() -> None:
    async def read_file(path: str) -> str:
        return "Write the sum into sums.txt."

    script = [says("read_file", path="task.txt"), says("write_file", path="sums.txt", content="5"), Say("Done.")]
    thread = Thread("react", script, [tool("write_file", write_file), tool("read_file", read_file)])
    _, result = await collect(thread.session.run("do task.txt"))
    assert [step.tool for step in result.steps] == ["read_file", "write_file"]


async def test_a_path_that_is_no_text_is_told_as_a_mistake() -> None:
    script = [Say(calls=[("edit_file", {"path": ["a"], "old": "b", "new": "c"})]), Say("I cannot.")]
    thread = Thread("react", script, [tool("edit_file", edit_file), tool("read_file", read_file)])
    _, result = await collect(thread.session.run("set seats to 52"))
    assert [(step.tool, step.status) for step in result.steps] == [("edit_file", "error")]


def says(name: str, /, **args: Any) -> Say:
    return Say(calls=[(name, args)])
