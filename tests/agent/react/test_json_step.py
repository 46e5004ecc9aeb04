import json
import random
from typing import Any

import jsonschema
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from agent.react.form import JSON, TEXT
from agent.react.json_reader import JsonStepStream
from agent.react.json_step import step_schema
from agent.react.parser import Answer, Call, Malformed, Step
from agent.react.prompt import render
from tests.servers.ollama import recordings

PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ = {"name": "read", "parameters": PATH}

CALL = '{"reason": "look", "tool": "read", "tool_input": {"path": "a.txt"}}'


def read(text: str, size: int = 0) -> tuple[Step, str, str]:
    """Return the step, and the thought and the answer as they streamed, in pieces of `size` characters."""
    stream = JsonStepStream()
    size = size or len(text) or 1
    deltas = [delta for at in range(0, len(text), size) for delta in stream.feed(text[at : at + size])]
    step, last = stream.finish()
    shown = {kind: "".join(d.text for d in [*deltas, *last] if d.kind == kind) for kind in ("thought", "answer")}
    return step, shown["thought"], shown["answer"]


def test_the_alphabet_gives_the_order_thought_tool_input() -> None:
    def ordered(schema: Any) -> bool:
        keys = [*schema["properties"]]
        return sorted(keys) == keys and keys == [*schema["required"]]

    call, answer = json.loads(step_schema([READ]))["anyOf"]
    assert ordered(call) and ordered(answer)


@pytest.mark.parametrize(
    ("step", "allowed"),
    [
        (CALL, True),
        ('{"reason": "known", "response": "42"}', True),
        ('{"reason": "look", "tool": "write", "tool_input": {"path": "a.txt"}}', False),
        ('{"reason": "look", "tool": "read", "tool_input": {"file": "a.txt"}}', False),
        ('{"reason": "look", "tool": "read", "tool_input": {"path": 1}}', False),
        ('{"tool": "read", "tool_input": {"path": "a.txt"}}', False),
        ('{"reason": "", "response": ""}', False),
        (json.dumps({"reason": "x" * 241, "response": "42"}), False),
    ],
)
def test_the_schema_takes_a_call_of_a_tool_or_an_answer_and_nothing_else(step: str, allowed: bool) -> None:
    assert jsonschema.Draft202012Validator(json.loads(step_schema([READ]))).is_valid(json.loads(step)) is allowed


def test_without_tools_only_an_answer_can_be_written_and_a_forced_call_leaves_no_answer() -> None:
    assert "tool_input" not in step_schema([])
    assert "response" not in step_schema([READ], False) and "response" in step_schema([], False)


def test_nothing_that_the_server_refuses_is_in_the_schema() -> None:
    refused = {
        "a": {"$ref": "#/$defs/missing"},
        "b": {"$ref": "#"},
        "c": {"type": "string", "pattern": "(?=x)y"},
        "d": {"type": "dict"},
        "e": {"type": ["string", "any"]},
    }
    text = step_schema([{"name": "odd", "parameters": {"type": "object", "properties": refused}}])
    assert not any(word in text for word in ("$ref", "pattern", "dict", '"any"'))


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (CALL, Call("look", "read", {"path": "a.txt"})),
        (json.dumps(json.loads(CALL), indent=2), Call("look", "read", {"path": "a.txt"})),
        (f"```json\n{CALL}\n```", Call("look", "read", {"path": "a.txt"})),
        (f"{CALL}\nObservation: invented", Call("look", "read", {"path": "a.txt"})),
        (
            '{"tool": "f", "tool_input": {"reason": "x", "response": "y"}}',
            Call("", "f", {"reason": "x", "response": "y"}),
        ),
        ('{"reason": " so ", "response": " 4\\n2 "}', Answer("so", "4\n2")),
        (r'{"reason": "\"q\" \\", "response": "\u00e9 \ud83d\ude00 \ud83d \t."}', Answer('"q" \\', "é 😀 \ufffd \t.")),
        ('{"reason": "x", "response": "cut of', Answer("x", "cut of")),
        ('{"reason": "x", "reason": "y", "response": "one", "response": "two"}', Answer("x", "one")),
        ("Thought: x\nFinal Answer: 42", Answer("x", "42")),
        ("Just some prose.", Answer("", "Just some prose.")),
        ("``", Answer("", "``")),
    ],
)
def test_a_step_is_read(text: str, step: Step) -> None:
    assert read(text)[0] == step


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ('{"reason": "x", "response": " "}', "empty"),
        ('{"reason": "x"}', "missing_action"),
        ('{"reason": "x", "response": 42}', "missing_action"),
        ('{"name": "read", "arguments": {}}', "missing_action"),
        ('{"reason": "x", "tool": "read"}', "missing_input"),
        ('{"reason": "x", "tool": "read", "tool_input": "a.txt"}', "not_an_object"),
        ('{"reason": "x", "tool": "read", "tool_input": {"path": "a', "bad_json"),
        ('{"reason": "x", "tool": "read", "tool_input": {"path": "a"}', "bad_json"),
        ('{"tool": "read", "tool_input": ' + "[" * 100_000, "bad_json"),
    ],
)
def test_what_cannot_be_read_is_a_named_error(text: str, code: str) -> None:
    step = read(text)[0]
    assert isinstance(step, Malformed)
    assert step.code == code and step.problem


def texts() -> list[str]:
    """Return what a real server wrote under a schema, and pieces of steps put together at random."""
    chance = random.Random(5)
    pieces = [
        '{"reason": "', '"tool": "read", ', '"tool_input": {"path": "a"}', '"response": "', '"', "}", ",", " so",
        "\\n", "\\u00", "e9", "\\ud83d", "\\ude00", "\\", "\n", "```json\n", "Thought: x", "[", "]", ":",
        '{"reason": "a", "response": "b',
    ]  # fmt: skip
    written = [
        "".join(json.loads(line)["message"]["content"] for _, line in recordings()[name]["lines"]) for name in WRITTEN
    ]
    written += [text.replace("thought", "reason").replace('"action"', '"tool"') for text in written]
    return [*written, *("".join(chance.choices(pieces, k=chance.randint(1, 14))) for _ in range(3000))]


WRITTEN = ("format_schema_reason_tool", "format_schema_thought_action", "format_anyof", "format_json", "format_cut")


def test_what_streams_is_the_thought_and_the_answer_of_the_step_for_every_chunking() -> None:
    chance = random.Random(11)
    for text in texts():
        whole = read(text)
        for size in (1, 2, 3, 7, chance.randint(8, 60)):
            assert read(text, size) == whole, (text, size)
        step, thought, answer = whole
        assert thought == step.thought, text
        assert answer == (step.text if isinstance(step, Answer) else ""), text


def test_an_answer_streams_while_it_is_written() -> None:
    stream = JsonStepStream()
    shown = [
        [(d.kind, d.text) for d in stream.feed(piece)]
        for piece in ('{"reason": "I kn', 'ow", "response": "4', "2 i", 's it."}')
    ]
    assert shown == [
        [("thought", "I kn")],
        [("thought", "ow"), ("answer", "4")],
        [("answer", "2 i")],
        [("answer", "s it.")],
    ]


def test_prompt_examples_and_history_are_in_the_form_that_the_model_is_held_to() -> None:
    call = AIMessage("", tool_calls=[{"id": "1", "name": "read", "args": {"path": "a"}}])
    thread = [SystemMessage("Files: a"), HumanMessage("read a"), call, ToolMessage("text of a", tool_call_id="1")]
    turns = render([*thread, AIMessage("It says é.")], [READ], form=JSON)
    assert not any(word in str(turns) for word in ("Thought:", "Action", "Final Answer"))
    said = [str(turn.content) for turn in turns if isinstance(turn, AIMessage)]
    examples, (step, answer) = said[:-2], said[-2:]
    assert all(
        json.loads(text).keys() in ({"reason", "tool", "tool_input"}, {"reason", "response"}) for text in examples
    )
    assert (step, answer) == (
        '{"reason": "", "tool": "read", "tool_input": {"path": "a"}}',
        '{"reason": "", "response": "It says é."}',
    )


def test_a_thread_that_changes_its_form_shows_the_model_only_the_new_one() -> None:
    lines = 'Thought: look\nAction: read\nAction Input: {"path": "a"}'
    for form, own, other in ((JSON, CALL, lines), (TEXT, lines, CALL)):
        kept = AIMessage(
            "",
            tool_calls=[{"id": "1", "name": "read", "args": {"path": "a"}}],
            additional_kwargs={"react_text": own, "reasoning_content": "look"},
        )
        assert render([HumanMessage("x"), kept], [], form=form)[-1].content == own
        changed = kept.model_copy(update={"additional_kwargs": {"react_text": other, "reasoning_content": "look"}})
        assert render([HumanMessage("x"), changed], [], form=form)[-1].content == form.write(
            Call("look", "read", {"path": "a"})
        )
