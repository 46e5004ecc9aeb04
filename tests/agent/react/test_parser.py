import json
import random
from pathlib import Path

import pytest

from agent.react.parser import Answer, Call, Malformed, StepStream, parse

ROOT = Path(__file__).parents[3]

CALL = 'Thought: look\nAction: read_file\nAction Input: {"path": "a.txt"}'


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (CALL, Call("look", "read_file", {"path": "a.txt"})),
        (f"{CALL}\nObservation: invented", Call("look", "read_file", {"path": "a.txt"})),
        (f"  {CALL}\n", Call("look", "read_file", {"path": "a.txt"})),
        ('Action: f\nAction Input: {"a": {"b": [1, "}"]}} and more', Call("", "f", {"a": {"b": [1, "}"]}})),
        ('Thought: x\nAction: f\nAction Input: {"a": "line\nbreak"}', Call("x", "f", {"a": "line\nbreak"})),
        ("Thought: a\nb\nFinal Answer: 42", Answer("a\nb", "42")),
        ("Final Answer: two\nlines\nAction: none", Answer("", "two\nlines\nAction: none")),
        ("Thought: x\nFinal Answer: yes\nObservation: no", Answer("x", "yes")),
        ("Just some prose.", Answer("", "Just some prose.")),
    ],
)
def test_a_step_is_read(text: str, step: object) -> None:
    assert parse(text) == step


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("Observation: invented from the start", "empty"),
        ("Thought: hm\nFinal Answer:  ", "empty"),
        ("Thought: only thinking", "missing_action"),
        ("Thought: x\nAction: f", "missing_input"),
        ("Thought: x\nAction: f\nAction Input: {bad", "bad_json"),
        ('Thought: x\nAction: f\nAction Input: {"cut": "of', "bad_json"),
        ("Thought: x\nAction: f\nAction Input: [1]", "not_an_object"),
        ("Thought: x\nAction: f\nAction Input: " + "[" * 100_000, "bad_json"),
    ],
)
def test_what_cannot_be_read_is_a_named_error(text: str, code: str) -> None:
    step = parse(text)
    assert isinstance(step, Malformed)
    assert step.code == code and step.problem


def _texts() -> list[str]:
    """Return the corpus of real outputs, and pieces of ReAct text put together at random."""
    corpus = ROOT / "tests" / "data" / "react_corpus.jsonl"
    texts = [json.loads(line)["text"] for line in corpus.read_text(encoding="utf-8").splitlines()]
    chance = random.Random(7)
    pieces = [
        "Thought:", " so", "\n", " ", "Action:", " f", "\nAction Input:", ' {"a": 1}', "\nFinal Answer:", " done",
        "\nObservation", ":", "Action", "Final", "\t", "{", "é", "\x00", "\nThought: again", "\nObservations made",
    ]  # fmt: skip
    return texts + ["".join(chance.choices(pieces, k=chance.randint(1, 14))) for _ in range(3000)]


def test_the_streaming_reader_agrees_with_the_whole_text_for_every_chunking() -> None:
    chance = random.Random(11)
    for text in _texts():
        for size in (1, 2, 3, 7, chance.randint(8, 60), len(text) or 1):
            stream = StepStream()
            deltas = [d for at in range(0, len(text), size) for d in stream.feed(text[at : at + size])]
            step, last = stream.finish()
            deltas += last
            assert step == parse(text)
            assert "".join(d.text for d in deltas if d.kind == "thought") == step.thought, (text, size)
            answer = step.text if isinstance(step, Answer) else ""
            assert "".join(d.text for d in deltas if d.kind == "answer") == answer, (text, size)


def test_no_text_makes_the_reader_raise() -> None:
    chance = random.Random(3)
    for _ in range(500):
        text = bytes(chance.randrange(256) for _ in range(chance.randrange(200))).decode("latin-1")
        for opening in ("", "Thought: x\nAction: f\nAction Input: ", "Final Answer: "):
            assert isinstance(parse(opening + text), Call | Answer | Malformed)
