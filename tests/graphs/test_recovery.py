"""A native model that writes its calls as text: what becomes a call, what stays text, and when ReAct takes over."""

import pytest

from agent.react.recover import RECOVERED
from graphs.events import AnswerDelta, ProtocolChanged
from tests.fakes import Say
from tests.graphs.threads import Thread, collect, tool

CALL = '```json\n{"name": "look", "arguments": {"name": "a"}}\n```'


async def look(name: str) -> str:
    """Look for it."""
    return f"{name} is here"


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"I look for it.\n\n{CALL}",
        '{"name": "look", "arguments": {"name": "a"}}',
        '<tool_call>{"name": "look", "arguments": {"name": "a"}}</tool_call>',
        'Thought: hm\nAction: look\nAction Input: {"name": "a"}',
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_a_call_written_as_text_is_made_and_not_shown(text: str, piece: int) -> None:
    thread = Thread("native", [Say(raw=text), Say("It is here.")], [tool("look", look)])
    thread.model.piece = piece
    events, result = await collect(thread.session.run("go"))
    assert [(step.tool, step.args, step.result) for step in result.steps] == [("look", {"name": "a"}, "a is here")]
    shown = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert shown.removeprefix("I look for it.\n\n") == "It is here." == result.answer
    assert (await thread.messages())[1].additional_kwargs[RECOVERED]


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "see", "arguments": {"name": "a"}}\n```',
        '```json\n{"name": "look", "arguments": {"who": "a"}}\n```',
        '```json\n{"total": 5}\n```\nThat is the total.',
        "```python\nprint(1)\n```\n`look` finds <b>names</b>.\n[1] a list",
        '{"name": "look", "arguments": {"name": "a',
        "Plain prose, in two lines.\nAction is needed.",
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_other_text_arrives_unchanged(text: str, piece: int) -> None:
    thread = Thread("native", [Say(raw=text)], [tool("look", look)])
    thread.model.piece = piece
    events, result = await collect(thread.session.run("go"))
    assert result.answer == text == "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert result.steps == []


async def test_a_call_that_the_token_limit_cut_off_is_not_made() -> None:
    script = [Say(raw=CALL, finish="length"), Say("Shorter.")]
    _, result = await collect(Thread("native", script, [tool("look", look)]).session.run("go"))
    assert result.steps == []


async def test_after_two_recoveries_the_thread_goes_on_in_react_and_says_so() -> None:
    script = [
        Say(raw=CALL),
        Say(raw=CALL.replace('"a"', '"b"')),
        Say(raw="Thought: done\nFinal Answer: Both are here."),
    ]
    thread = Thread("native", script, [tool("look", look)])
    events, result = await collect(thread.session.run("go"))
    changes = [event for event in events if isinstance(event, ProtocolChanged)]
    assert [change.protocol for change in changes] == ["react"] and "ReAct" in changes[0].message
    assert (result.answer, result.protocol, len(result.steps)) == ("Both are here.", "react", 2)
    assert 'Action: look\nAction Input: {"name": "b"}' in thread.model.asked[2][-2].text
