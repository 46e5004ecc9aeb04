import json
from typing import Any

import pytest

from agent.react.grammar import plain_schema, step_grammar
from agent.react.prompt import tool_line

PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def test_every_tool_has_a_rule_and_the_answer_is_always_open() -> None:
    grammar = step_grammar([{"name": "read", "parameters": PATH}, {"name": "list", "parameters": {}}])
    lines = grammar.splitlines()
    assert lines[0] == "%llguidance {}"
    assert "(call_0 | call_1 | final)" in lines[1]
    assert lines[3].startswith('call_0: "Action: read\\nAction Input: " %json {')


def test_without_tools_only_an_answer_can_be_written() -> None:
    assert "(final)" in step_grammar([]) and "Action" not in step_grammar([])


def test_a_model_cannot_invent_arguments() -> None:
    assert plain_schema(PATH)["additionalProperties"] is False


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        ({"type": "string", "format": "uri", "pattern": "(?=x)", "not": {}}, {"type": "string"}),
        ({"enum": ["a", 1]}, {"enum": ["a", 1]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"$ref": "#/$defs/color"}, {"type": "string", "enum": ["red"]}),
        ({"$ref": "#/$defs/missing"}, {}),
        ({"type": "array", "items": {"type": "number"}}, {"type": "array", "items": {"type": "number"}}),
    ],
)
def test_only_what_engines_take_is_kept(schema: dict[str, Any], plain: dict[str, Any]) -> None:
    root = {"type": "object", "properties": {"x": schema}, "$defs": {"color": {"type": "string", "enum": ["red"]}}}
    assert plain_schema(root)["properties"]["x"] == plain


def test_a_recursive_schema_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    grammar = step_grammar([{"name": "walk", "parameters": {**node, "$defs": {"node": node}}}])
    assert len(grammar) < 3000 and "$ref" not in grammar


def test_an_unbounded_integer_is_bounded() -> None:
    schema = plain_schema({"type": "object", "properties": {"n": {"type": "integer"}}})
    assert schema["properties"]["n"]["maximum"] == 10**15
    assert json.dumps(schema)


def test_optional_arguments_can_be_written_behind_the_required_ones_as_the_prompt_names_them() -> None:
    properties = {"rate": {"type": "number"}, "weight": {"type": "number"}, "decay": {"type": "number"}}
    schema = {"type": "object", "properties": properties, "required": ["rate", "decay"]}
    assert list(plain_schema(schema)["properties"]) == ["rate", "decay", "weight"]
    shown = tool_line({"name": "neuron", "parameters": schema})
    assert shown.index("rate") < shown.index("decay") < shown.index("weight")
