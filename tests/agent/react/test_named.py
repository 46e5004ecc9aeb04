"""An optional argument that the user names has to be written."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from agent.react.model import ReActChatModel
from agent.react.named import with_named_options
from tests.fakes import Say, ScriptedModel

FLAG = {"type": "boolean"}
TEXT = {"type": "string"}
SORTS = {"type": "string", "enum": ["popularity", "price"]}
LIST = {"type": "array", "items": {"type": "string", "enum": ["Points", "Rebounds"]}}


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
    parameters = with_named_options(records(**{name: FLAG}), request_)["parameters"]
    assert (name in parameters["required"]) is named
    if named:
        assert list(parameters["properties"]) == ["county", name]


@pytest.mark.parametrize(
    ("schema", "request_", "named"),
    [
        (SORTS, "Sort by popularity, please.", True),
        (SORTS, "Is it popular?", False),
        (SORTS, "By price or by popularity?", False),
        ({"anyOf": [SORTS, {"type": "null"}]}, "by price", True),
        ({"$ref": "#/$defs/Sort"}, "by price", True),
        (LIST, "Look up point and rebound stats.", True),
        (LIST, "Look up his stats.", False),
        ({"type": "array"}, "a list", False),
        ({"type": "string", "description": "E.g. 'IPR', 'Patent' or \"Trade Mark\"."}, "a patent lawsuit", True),
        ({"type": "string", "description": "E.g. 'IPR', 'Patent' or \"Trade Mark\"."}, "of a trade mark", True),
        ({"type": "string", "description": "It's the owner's name, or a company's."}, "the owner", False),
        ({"type": "integer", "enum": [1, 2]}, "1 of them", False),
        ({"type": "string", "enum": ["to", "by"]}, "by me", False),
        (True, "anything", False),
    ],
)
def test_an_option_is_required_where_the_request_tells_one_of_its_values(
    schema: Any, request_: str, named: bool
) -> None:
    function = records(option=schema)
    function["parameters"]["$defs"] = {"Sort": SORTS}
    parameters = with_named_options(function, request_)["parameters"]
    assert ("option" in parameters["required"]) is named


def test_an_option_without_values_is_not_required_by_its_name() -> None:
    function = records(owner=TEXT)
    assert with_named_options(function, "of the owner") is function
    assert with_named_options({"name": "look"}, "look") == {"name": "look"}


def test_a_tool_that_takes_one_of_two_arguments_or_of_two_objects_stays_as_it_is() -> None:
    either = {"anyOf": [{"required": ["owner"]}, {"required": ["county"]}]}
    for properties in ({"owner": TEXT, "county": TEXT}, {}):
        function = {"name": "look", "parameters": {"type": "object", "properties": properties, **either}}
        assert with_named_options(function, "of the owner") is function


async def test_the_model_is_held_to_it_and_the_prompt_stays() -> None:
    inner = ScriptedModel(script=[Say("x"), Say("x")], protocol="react")
    model = ReActChatModel(inner=inner, constrain=lambda text: {"grammar": text})
    bound = model.bind_tools([{"type": "function", "function": records(owner=FLAG)}])
    for request in ("Records with the owner.", "Records."):
        await bound.ainvoke([HumanMessage(request)])
    first, second = (options["grammar"] for options in inner.options)
    assert '"required": ["county", "owner"]' in first and '"required": ["county"]' in second
    assert inner.asked[0][0] == inner.asked[1][0]
