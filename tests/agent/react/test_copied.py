"""Values that stand in the worked examples alone are left out of a call."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.react.model import ReActChatModel
from agent.react.replies import REACT_COPIED, REACT_REPAIRS
from tests.fakes import Say, ScriptedModel

POST = {
    "name": "post",
    "description": "Post a text, with mentions of people.",
    "parameters": {
        "type": "object",
        "properties": {
            "content": {"type": "string"},
            "mentions": {"type": "array", "items": {"type": "string"}},
            "copies": {"type": "integer"},
        },
        "required": ["content"],
    },
}
ASKED = HumanMessage("Post: all is well.")


async def call(messages: list[BaseMessage], **arguments: Any) -> tuple[dict[str, Any], AIMessage]:
    model = ReActChatModel(inner=ScriptedModel(script=[Say(calls=[("post", arguments)])], protocol="react"))
    message = await model.bind_tools([{"type": "function", "function": POST}]).ainvoke(messages)
    return message.tool_calls[0]["args"], message


async def test_an_optional_value_that_only_an_example_knows_is_left_out_and_told() -> None:
    made, message = await call([ASKED], content="all is well", mentions=["@AnnaBerg", "@TomLind"], copies=2)
    assert made == {"content": "all is well", "copies": 2}
    assert message.additional_kwargs[REACT_REPAIRS] == ["left out mentions, copied from an example"]


@pytest.mark.parametrize(
    "messages",
    [
        [HumanMessage("Post that all is well, for Anna Berg.")],
        [HumanMessage("请告诉Anna一切都好")],
        [
            ASKED,
            AIMessage("", tool_calls=[{"name": "post", "args": {"content": "x"}, "id": "1"}]),
            ToolMessage("Did you mean Anna?", tool_call_id="1"),
        ],
        [
            ASKED,
            AIMessage("", tool_calls=[{"name": "post", "args": {"content": "for Anna"}, "id": "1"}]),
            ToolMessage("ok", tool_call_id="1"),
        ],
    ],
    ids=["the user told it", "the user told it between other letters", "a result told it", "a call had it"],
)
async def test_a_value_that_the_thread_tells_stays(messages: list[BaseMessage]) -> None:
    made, message = await call(messages, content="all is well", mentions=["Anna"])
    assert made["mentions"] == ["Anna"] and REACT_REPAIRS not in message.additional_kwargs


async def test_required_values_and_new_ones_stay() -> None:
    made, message = await call([ASKED], content="Anna Berg", mentions=["Zoe"])
    assert made == {"content": "Anna Berg", "mentions": ["Zoe"]}
    assert message.additional_kwargs[REACT_COPIED] == ["content"]


async def test_a_copy_stays_one_however_often_it_is_made() -> None:
    _, first = await call([ASKED], content="Anna Berg")
    refused = ToolMessage("Not called.", tool_call_id=str(first.tool_calls[0]["id"]))
    answer = AIMessage("I need to find Anna Berg.")
    _, message = await call([ASKED, first, refused, answer, ASKED], content="Anna Berg")
    assert message.additional_kwargs[REACT_COPIED] == ["content"]


@pytest.mark.parametrize("content", ["Anna", "All is well, Anna Berg"])
async def test_one_word_and_a_text_with_words_of_its_own_are_no_copies(content: str) -> None:
    _, message = await call([ASKED], content=content)
    assert REACT_COPIED not in message.additional_kwargs
