"""A call that repeats itself until the token limit is asked for once more, with repeats made dear."""

from langchain_core.messages import AIMessage, HumanMessage

from agent.react.model import REACT_ERROR, ReActChatModel
from tests.fakes import Say, ScriptedModel

MEAN = {
    "name": "mean",
    "description": "Compute a mean.",
    "parameters": {
        "type": "object",
        "properties": {"numbers": {"type": "array", "items": {"type": "number"}}},
        "required": ["numbers"],
    },
}
OPENING = 'Thought: so\nAction: mean\nAction Input: {"numbers": ['
ROUND = Say(raw=OPENING + "5000, 3000, 2000, " * 20, finish="length")
RIGHT = Say(calls=[("mean", {"numbers": [5000, 3000, 2000]})])


async def asked(*script: Say) -> tuple[ScriptedModel, AIMessage]:
    inner = ScriptedModel(script=list(script), protocol="react")
    model = ReActChatModel(inner=inner).bind_tools([{"type": "function", "function": MEAN}])
    return inner, await model.ainvoke([HumanMessage("What is the mean of 5000, 3000 and 2000?")])


async def test_the_same_prompt_is_asked_again_with_a_penalty() -> None:
    inner, message = await asked(ROUND, RIGHT)
    assert [call["args"] for call in message.tool_calls] == [{"numbers": [5000, 3000, 2000]}]
    first, second = ([turn.text for turn in turns] for turns in inner.asked)
    assert first == second and "mean(numbers: list[number])" in first[0]
    assert [options.get("frequency_penalty") for options in inner.options] == [None, 0.2]


async def test_a_second_one_that_goes_round_is_told_as_cut_off() -> None:
    inner, message = await asked(ROUND, ROUND)
    assert len(inner.asked) == 2 and "cut off" in message.additional_kwargs[REACT_ERROR]


async def test_a_call_that_is_only_long_is_not_asked_again() -> None:
    long = Say(raw=OPENING + ", ".join(map(str, range(200))), finish="length")
    inner, message = await asked(long)
    assert len(inner.asked) == 1 and message.invalid_tool_calls


async def test_an_answer_that_was_shown_is_not_asked_again() -> None:
    inner, message = await asked(Say(raw="Thought: so\nFinal Answer: " + "no, " * 50, finish="length"))
    assert len(inner.asked) == 1 and message.text.startswith("no, no, ")
