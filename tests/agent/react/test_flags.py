"""An optional flag that the user names has to be written."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from agent.react.flags import with_named_flags
from agent.react.model import ReActChatModel
from tests.fakes import Say, ScriptedModel

FLAG = {"type": "boolean"}
TEXT = {"type": "string"}


def records(**optional: Any) -> dict[str, Any]:
    properties = {**optional, "county": TEXT}
    parameters = {"type": "object", "properties": properties, "required": ["county"]}
    return {"name": "records", "description": "Get records.", "parameters": parameters}


@pytest.mark.parametrize(
    ("name", "request_", "named"),
    [
        ("include_owner", "Records of Santa Clara, with owners please.", True),
        ("includeOwner", "Who is the owner?", True),
        ("details", "a detailed report", True),
        ("include_stats", "Include its statistics.", True),
        ("avoid_tolls", "Avoid toll roads.", True),
        ("avoid_tolls", "Avoid ferries.", False),
        ("include_owner", "Include the taxes.", False),
        ("as_rate", "As a ratio.", False),
        ("include", "Include it.", False),
    ],
)
def test_a_flag_is_required_where_the_request_names_it(name: str, request_: str, named: bool) -> None:
    parameters = with_named_flags(records(**{name: FLAG}), request_)["parameters"]
    assert (name in parameters["required"]) is named
    if named:
        assert list(parameters["properties"]) == ["county", name]


def test_only_flags_are_required() -> None:
    function = records(owner=TEXT)
    assert with_named_flags(function, "of the owner") is function
    assert with_named_flags({"name": "look"}, "look") == {"name": "look"}


async def test_the_model_is_held_to_it_and_the_prompt_stays() -> None:
    inner = ScriptedModel(script=[Say("x"), Say("x")], protocol="react")
    model = ReActChatModel(inner=inner, constrain=lambda text: {"grammar": text})
    bound = model.bind_tools([{"type": "function", "function": records(owner=FLAG)}])
    for request in ("Records with the owner.", "Records."):
        await bound.ainvoke([HumanMessage(request)])
    first, second = (options["grammar"] for options in inner.options)
    assert '"required": ["county", "owner"]' in first and '"required": ["county"]' in second
    assert inner.asked[0][0] == inner.asked[1][0]
