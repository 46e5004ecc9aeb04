import json
from typing import Any

import pytest

from agent.react.grammar import plain_schema, step_grammar
from agent.react.seen import quotable
from agent.react.signature import tool_line

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
        ({"type": "string", "anyOf": [{"format": "date"}, {"pattern": "x"}]}, {"type": "string"}),
        ({"type": "integer", "enum": ["1", "2"], "minimum": 3}, {"enum": ["1", "2"]}),
        ({"type": "integer", "enum": []}, {"type": "integer", "minimum": -9 * 10**18, "maximum": 9 * 10**18}),
        (
            {"type": "integer", "minimum": -(2**63), "maximum": 9},
            {"type": "integer", "minimum": -9 * 10**18, "maximum": 9},
        ),
        ({"type": "number", "maximum": 1e300}, {"type": "number"}),
    ],
)
def test_only_what_engines_take_is_kept(schema: dict[str, Any], plain: dict[str, Any]) -> None:
    root = {"type": "object", "properties": {"x": schema}, "$defs": {"color": {"type": "string", "enum": ["red"]}}}
    assert plain_schema(root)["properties"]["x"] == plain


def test_one_of_two_arguments_leaves_both_open() -> None:
    either = {"anyOf": [{"required": ["id"]}, {"required": ["key"]}]}
    parameters = {"type": "object", "properties": {"id": {"type": "string"}, "key": {"type": "string"}}, **either}
    assert list(plain_schema(parameters)["properties"]) == ["id", "key"]
    assert tool_line({"name": "get", "parameters": {"properties": {"it": parameters}}}).endswith(
        "{id: string, key: string}"
    )


@pytest.mark.parametrize(
    ("parameters", "plain", "shown"),
    [
        ({"additionalProperties": True}, {"type": "object"}, "any arguments"),
        ({"additionalProperties": {"type": "string"}}, {"type": "object"}, "any arguments"),
        ({"anyOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}]}, {"type": "object"}, "{a: string}"),
        ({}, {"type": "object", "properties": {}, "required": [], "additionalProperties": False}, ""),
    ],
)
def test_a_tool_that_names_no_argument_takes_any_or_none(
    parameters: dict[str, Any], plain: dict[str, Any], shown: str
) -> None:
    schema = {"type": "object", "properties": {}, **parameters}
    assert plain_schema(schema) == plain
    assert tool_line({"name": "do", "description": "It.", "parameters": schema}) == f"do({shown}) - It."


def test_a_recursive_schema_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    grammar = step_grammar([{"name": "walk", "parameters": {**node, "$defs": {"node": node}}}])
    assert len(grammar) < 3000 and "$ref" not in grammar


def test_an_unbounded_integer_is_bounded() -> None:
    schema = plain_schema({"type": "object", "properties": {"n": {"type": "integer"}}})
    assert schema["properties"]["n"]["maximum"] == 9 * 10**18
    assert json.dumps(schema)


def test_optional_arguments_can_be_written_behind_the_required_ones_as_the_prompt_names_them() -> None:
    properties = {"rate": {"type": "number"}, "weight": {"type": "number"}, "decay": {"type": "number"}}
    schema = {"type": "object", "properties": properties, "required": ["rate", "decay"]}
    assert list(plain_schema(schema)["properties"]) == ["rate", "decay", "weight"]
    shown = tool_line({"name": "neuron", "parameters": schema})
    assert shown.index("rate") < shown.index("decay") < shown.index("weight")


EDIT = {
    "name": "edit_file",
    "parameters": {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("path", "old", "new")},
        "required": ["path", "old", "new"],
    },
}


def test_an_edit_of_a_file_that_was_seen_can_quote_only_its_lines() -> None:
    grammar = step_grammar([EDIT], True, {"trip.md": 'leave: "Monday"\n  at 9:00\n', "long.log": None})
    assert 'PATH_0: "\\"trip.md\\""' in grammar and "long.log" not in grammar
    chunks = ['leave: \\"Monday\\"', "\\n", "  ", "at 9:00", "\\n"]
    assert f"OLD_0: %regex {json.dumps({'substring_chunks': chunks})}" in grammar
    assert 'ANOTHER: STRING & ~("\\"trip.md\\"")' in grammar


@pytest.mark.parametrize(
    "tool", [{**EDIT, "name": "replace"}, {**EDIT, "parameters": PATH}], ids=["another tool", "other arguments"]
)
def test_only_the_edits_of_a2ia_are_held_to_quotations(tool: dict[str, Any]) -> None:
    assert step_grammar([tool], True, {"a": "text"}) == step_grammar([tool])


def test_the_pieces_of_a_quotation_are_lines_and_in_long_lines_words() -> None:
    assert quotable("\tif x:  \n\nend") == ["\t", "if x:", "  \n", "\n", "end"]
    assert quotable(long := "so it goes, " * 20)[:4] == ["so", " ", "it", " "]
    assert "".join(quotable(long)) == long
