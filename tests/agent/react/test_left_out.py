"""A number that the request tells and the call leaves out is asked for, where an optional argument may take it."""

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.react.left_out import left_out
from agent.react.model import ReActChatModel
from agent.react.replies import REACT_REPAIRS
from tests.fakes import Say, ScriptedModel

BOOK = {
    "name": "book",
    "description": "Book a hotel.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "rooms": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "nights": {"type": "integer"},
            "note": {"type": "string"},
        },
        "required": ["city"],
    },
}
ASKED = HumanMessage("Book three hotel rooms in Oslo.")


class Booked:
    """The call that came of scripted ones, and what the model was held to."""

    def __init__(self, inner: ScriptedModel, message: AIMessage) -> None:
        self.args = message.tool_calls[0]["args"]
        self.message = message
        self.held_to = [options["held_to"] for options in inner.options]


async def booked(messages: list[BaseMessage], *calls: dict[str, Any] | Exception, tool: Any = BOOK) -> Booked:
    script = [Say(error=one) if isinstance(one, Exception) else Say(calls=[(tool["name"], one)]) for one in calls]
    inner = ScriptedModel(script=script, protocol="react")
    model = ReActChatModel(inner=inner, constrain=lambda constraint: {"held_to": constraint})
    return Booked(inner, await model.bind_tools([{"type": "function", "function": tool}]).ainvoke(messages))


async def test_the_argument_that_takes_the_number_is_added_and_told() -> None:
    seen = await booked([ASKED], {"city": "Oslo"}, {"city": "Oslo", "rooms": 3, "nights": 1})
    assert seen.args == {"city": "Oslo", "rooms": 3}
    assert seen.message.additional_kwargs[REACT_REPAIRS] == ["added rooms, of which the request tells"]


async def test_the_second_writing_is_held_to_the_first_with_all_numbers() -> None:
    seen = await booked([ASKED], {"city": "Oslo"}, {"city": "Oslo", "rooms": 3, "nights": 1})
    held = json.loads(seen.held_to[1].partition("%json ")[2].splitlines()[0])
    assert held["properties"]["city"] == {"const": "Oslo"} and held["required"] == ["city", "rooms", "nights"]


@pytest.mark.parametrize("second", [{"rooms": 2, "nights": 1}, {"rooms": 3, "nights": 3}], ids=["another", "twice"])
async def test_a_call_stays_where_no_one_argument_takes_the_number(second: dict[str, Any]) -> None:
    seen = await booked([ASKED], {"city": "Oslo"}, {"city": "Oslo", **second})
    assert seen.args == {"city": "Oslo"} and REACT_REPAIRS not in seen.message.additional_kwargs


async def test_a_call_stays_where_the_server_fails_at_the_second_writing() -> None:
    seen = await booked([ASKED], {"city": "Oslo"}, ConnectionError("gone"))
    assert seen.args == {"city": "Oslo"} and len(seen.held_to) == 2


@pytest.mark.parametrize(
    ("messages", "call"),
    [
        ([ASKED], {"city": "Oslo", "rooms": 3}),
        ([HumanMessage("Book a hotel in Oslo.")], {"city": "Oslo"}),
        ([HumanMessage("Book in Oslo: 3, 4, 5, 6")], {"city": "Oslo"}),
        ([ASKED], {"city": "Oslo", "note": "a room at the back, please. " * 12}),
        ([ASKED], {"city": "Oslo", "rooms": 1, "nights": 1}),
        (
            [
                ASKED,
                AIMessage("", tool_calls=[{"name": "book", "args": {"city": "Oslo"}, "id": "1"}]),
                ToolMessage("ok", tool_call_id="1", name="book"),
            ],
            {"city": "Oslo"},
        ),
    ],
    ids=[
        "nothing is left out",
        "no number is told",
        "many are told",
        "it is long",
        "no argument is open",
        "later in the turn",
    ],
)
async def test_nothing_is_asked_where_it_cannot_matter(messages: list[BaseMessage], call: dict[str, Any]) -> None:
    seen = await booked(messages, call)
    assert seen.args == call and len(seen.held_to) == 1


async def test_own_tools_are_left_alone() -> None:
    seen = await booked([HumanMessage("Read line 3 of a.txt")], {"path": "a.txt"}, tool={**BOOK, "name": "read_file"})
    assert seen.args == {"path": "a.txt"} and len(seen.held_to) == 1


@pytest.mark.parametrize(
    ("request_", "given", "numbers"),
    [
        ("at least a 4.5 star rating", {"city": "Oslo"}, {4.5}),
        ("5% of $12,000 over ten years", {"amount": 12000, "rate": 0.05}, {10}),
        ("for two people on 2024-05-17 at 10:30", {"date": "2024-05-17"}, {2}),
        ("open until 11 PM, in room B12", {}, set()),
        ("the 19th of April", {"date": "2023-04-19"}, set()),
        ("one of them", {}, set()),
        ("6 rooms in Köln", {"city": "Köln"}, {6}),
    ],
)
def test_numbers_count_as_told_or_used(request_: str, given: dict[str, Any], numbers: set[float]) -> None:
    assert left_out(request_, given) == numbers
