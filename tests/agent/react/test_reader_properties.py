"""What holds for every text: the reader never raises, and reads a stream as it reads the whole."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.react.parser import Answer, Call, Malformed, StepStream, parse
from benchmarks.react_corpus import read, tools_of

DATA = Path(__file__).parents[2] / "data"
ROWS = [row for name in ("react_corpus", "react_forms") for row in read(DATA / f"{name}.jsonl")]

TOOLS = tools_of(
    {
        "tools": [
            {"name": "f", "parameters": {"a": "integer", "b": "string"}},
            {"name": "read_file", "parameters": {"path": "string"}},
            {"name": "Say Hi", "parameters": {}},
        ]
    }
)
PIECES = [
    "Thought:", "Thought: so", "\n", " ", "   ", "Action:", "**Action:** ", "Action 1: ", " f", "read_file",
    "Say Hi", "\nAction Input:", "\nInput: ", ' {"a": 1}', '{"name": "f", "arguments": {"a": "1"}}', "{'path': 'x'}",
    "```", "```json\n", "f(a=1)", "f(", "\nFinal Answer:", "Answer: ", " done", "\nObservation", ":", "Action",
    "Final", "\t", "{", "}", "[", "]", '"', "'", "é", "\x00", "\nThought: again", "<think>", "</think>",
    "<tool_call>", "</tool_call>", "<function=f>", "<parameter=a>", "[TOOL_CALLS]", "<|im_end|>", "\\_",
    "read\\_file", "I'll use ", "思考: ", "行动: ", "\nObserv", "None", "\\", "<", "=", ",", "$JSON",
    ". Final Answer: ", "\n### Final Answer\n", "\nQuestion: ", "<|im_start|>", "<|channel|>final<|message|>", ">>>f\n",
    "<|start|>assistant to=f<|message|>", "Assistant: ", "finish(", '\\"', "&quot;", "f with arguments ",
    "f: x", ". Action: f\n", ". Final answer: ", "<name>f</name>", "<action>f</action>", "<|START_RESPONSE|>",
    "f\n<arg_key>a", "<|END_RESPONSE|>", "**f**\n", "-\n",
]  # fmt: skip

texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=16).map("".join),
    st.text(max_size=120),
    st.sampled_from([row["text"] for row in ROWS if len(row["text"]) < 800]),
    st.tuples(st.sampled_from([row["text"] for row in ROWS]), st.integers(0, 600)).map(lambda pair: pair[0][: pair[1]]),
)
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(texts, st.lists(st.integers(1, 30), min_size=1, max_size=8), st.sampled_from([TOOLS, []]))
def test_the_streaming_reader_agrees_with_the_whole_text_for_every_chunking(
    text: str, sizes: list[int], tools: list[dict[str, Any]]
) -> None:
    stream, deltas, at, turn = StepStream(tools), [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        deltas += stream.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    step, last = stream.finish()
    deltas += last
    assert step == parse(text, tools)
    assert "".join(delta.text for delta in deltas if delta.kind == "thought") == step.thought
    answer = step.text if isinstance(step, Answer) else ""
    assert "".join(delta.text for delta in deltas if delta.kind == "answer") == answer


@relaxed
@given(
    st.binary(max_size=400),
    st.sampled_from(["", "Thought: x\nAction: f\nAction Input: ", "<tool_call>", "Action: f[", "f("]),
)
def test_no_bytes_make_the_reader_raise(data: bytes, opening: str) -> None:
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace"), data.decode("utf-8", "surrogateescape")):
        assert isinstance(parse(opening + text, TOOLS), Call | Answer | Malformed)


@relaxed
@given(texts)
def test_what_is_mended_is_a_call_of_a_known_tool_that_can_be_sent_as_json(text: str) -> None:
    step = parse(text, TOOLS)
    if isinstance(step, Call):
        assert step.name in {tool["function"]["name"] for tool in TOOLS} or not step.repairs
        json.dumps(step.args)
