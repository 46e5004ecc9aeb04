"""What the reader makes of replies that are not well formed, form by form."""

import html
from pathlib import Path
from typing import Any

import pytest

from agent.react.parser import Answer, Call, Malformed, parse
from benchmarks.react_corpus import is_right, read, tools_of

DATA = Path(__file__).parents[2] / "data"


def spec(name: str, *, read_only: bool = True, required: tuple[str, ...] = (), **types: str) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"function": {"name": name, "parameters": parameters}, "read_only": read_only}


WEATHER = spec("get_weather", city="string", days="integer", required=("city",))
WRITE = spec("write_file", read_only=False, path="string", content="string", required=("path", "content"))
LIST = spec("list_files")
TOOLS = [WEATHER, WRITE, LIST]
TOKYO = ("get_weather", {"city": "Tokyo"})


@pytest.mark.parametrize(
    ("name", "misread"),
    [
        ("react_corpus", ["rc283"]),  # an answer labelled as an observation: taken for an invented result
        ("react_forms", []),  # written by hand after the forms of some thirty families and frameworks
    ],
)
def test_a_corpus_is_read_as_it_was_meant(name: str, misread: list[str]) -> None:
    wrong = [row["id"] for row in read(DATA / f"{name}.jsonl") if not is_right(row, parse(row["text"], tools_of(row)))]
    assert wrong == misread


@pytest.mark.parametrize(
    "text",
    [
        "Thought: so\n**Action:** get_weather\n**Action Input:** {'city': 'Tokyo'}",
        'Action 2: `get_weather`\nAction 2 Input: {"city": "Tokyo",}',
        '行动: get_weather\n输入: {"city": "Tokyo"}',
        'Action: functions.get_weather\nArguments: {"city": "Tokyo"}',
        "Action: GetWeather\nAction Input: Tokyo",
        'Action: get\\_weather\nAction Input: {"city": "Tokyo"',
        'Thought: x\nAction: get_weather({"city": "Tokyo"})',
        "Action: get_weather[Tokyo]",
        "Action: get_weather: Tokyo\nPAUSE",
        "Action: `get_weather`: Tokyo",
        "I have to look. Action: get_weather\nAction Input: Tokyo",
        "```\nThought: x\nAction: get_weather\nAction Input: Tokyo\n```",
        "Tool: get_weather\nCity: Tokyo",
        '**get_weather**\n```json\n{"city": "Tokyo"}\n```',
        "<action>get_weather</action>\n<action_input>Tokyo</action_input>",
        '{"next_action": {"tool": "get_weather", "parameters": {"city": "Tokyo"}}}',
        '{"function": "get_weather(city=\'Tokyo\')"}',
        '```json\n{"name": "get_weather", "arguments": {"city": "Tokyo"}}\n```',
        'I will look.\n\n```json\n{"tool": "get_weather", "tool_input": {"city": "Tokyo"}}',
        '{"reason": "asked", "tool": "get_weather", "tool_input": {"city": "Tokyo"}}',
        '{{"name": "get_weather", "arguments": {{"city": "Tokyo"}}}}',
        '{"name": "get_weather", "arguments": "{\\"city\\": \\"Tokyo\\"}"}',
        '{"tool_calls": [{"type": "function", "function": {"name": "get_weather", "arguments": {"City": "Tokyo"}}}]}',
        "[{'name': 'get_weather', 'parameters': {'city': 'Tokyo'}}]",
        "[get_weather(city='Tokyo')]",
        '```python\nprint(get_weather("Tokyo"))\n```',
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Tokyo"}}</tool_call>',
        "<function=get_weather>\n<parameter=city>\nTokyo\n</parameter>\n</function>",
        '<invoke name="get_weather"><parameter name="city">Tokyo</parameter></invoke>',
        "<get_weather><city>Tokyo</city></get_weather>",
        '[TOOL_CALLS]get_weather{"city": "Tokyo"}',
        '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Tokyo"}}<|eom_id|>',
        '<think>Action: list_files</think>\nAction: get_weather\nAction Input: {"city": "Tokyo"}',
        'Action: get_weather\nAction Input: {"properties": {"city": {"type": "string", "default": "Tokyo"}}, '
        '"type": "object"}',
        'Action: get_weather\nAction Input: {"city": "Tokyo"}\nFinal Answer: It is sunny.',
        'Action: get_weather\nAction Input: {"city": "Tokyo"}\n  **Observation:** sunny\nFinal Answer: Sunny.',
    ],
)
def test_a_call_in_another_form_is_read_and_says_what_was_mended(text: str) -> None:
    step = parse(text, TOOLS)
    assert isinstance(step, Call) and (step.name, step.args) == TOKYO
    assert step.repairs


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather "
        '<|constrain|>json<|message|>{"city": "Tokyo"}<|call|>',
        'analysisHm.assistantcommentary to=functions.get_weather json{"city": "Tokyo"}',
        '<|tool_call>call:get_weather{city:<|"|>Tokyo<|"|>}<tool_call|>',
        "<start_function_call>call:get_weather{city:<escape>Tokyo<escape>}<end_function_call>",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Tokyo</arg_value>\n</tool_call>",
        "get_weather\n<arg_key>city</arg_key>\n<arg_value>Tokyo</arg_value>",
        '<|DSML|invoke name="get_weather"><|DSML|parameter name="city" string="true">Tokyo</|DSML|parameter>'.replace(
            "|", "\uff5c"
        ),
        '>>>get_weather\n{"city": "Tokyo"}',
        '<|from|>assistant\n<|recipient|>get_weather\n<|content|>{"city": "Tokyo"}',
        '✿FUNCTION✿: get_weather\n✿ARGS✿: {"city": "Tokyo"}\n✿RESULT✿',
        "get_weather\n```python\ntool_call(city='Tokyo')\n```",
        '<|python_tag|>get_weather.call(city="Tokyo")<|eom_id|>',
        '[TOOL_CALLS]get_weather[CALL_ID]Zx3kd82Pq[ARGS]{"city": "Tokyo"}',
        '[THINK]get_weather(city="Oslo")[/THINK][TOOL_CALLS]get_weather[ARGS]{"city": "Tokyo"}',
        '<function(get_weather)>{"city": "Tokyo"}</function>',
        "<tool_call>\nfunction: get_weather\nparameters:\n  city: Tokyo\n</tool_call>",
        '<tool_call name="get_weather" arguments=\'{"city": "Tokyo"}\'/>',
        html.escape('<tool_call>{"name": "get_weather", "arguments": {"city": "Tokyo"}}</tool_call>'),
    ],
)
def test_a_call_in_the_form_of_one_family_of_models_is_read(text: str) -> None:
    step = parse(text, TOOLS)
    assert isinstance(step, Call) and (step.name, step.args) == TOKYO and step.repairs


@pytest.mark.parametrize(
    "given",
    [
        '{"city"\uff1a"Tokyo"}',
        '{"city": \\"Tokyo\\"}',
        '{"city": \\n"Tokyo"\\n}',
        '{"city": "Tokyo",,}',
        '[{"city": "Tokyo"}, {"city": "Oslo"}]',
        '[{"name": "city", "value": "Tokyo"}]',
        '["Tokyo"]',
        '{"get_weather": {"city": "Tokyo"}}',
        '{"type": "object", "properties": {"city": "Tokyo"}}',
        'get_weather(city="Tokyo")',
        'The input is {"city": "Tokyo"}',
        '"Tokyo"\n\nPlease wait.',
        "Tokyo\n\n(Waiting for the observation)",
    ],
)
def test_arguments_in_another_shape_are_read(given: str) -> None:
    step = parse(f"Thought: x\nAction: get_weather\nAction Input: {given}", TOOLS)
    assert isinstance(step, Call) and (step.name, step.args) == TOKYO and step.repairs


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ('<tool_call>{"name": "get_weather", "arguments": {"city": "Tokyo"}\n</tool_call>', *TOKYO),
        ('Action: get_weather(city="Tokyo")\nAction Input: {}', *TOKYO),
        ('Action: I will use get_weather\nAction Input: {"city": "Tokyo"}', *TOKYO),
        ('Action: get_weather\nAction Input (JSON): {"city": "Tokyo"}', *TOKYO),
        ('I call get_weather with arguments: {"city": "Tokyo"}', *TOKYO),
        ('["get_weather(city=\\"Tokyo\\")"]', *TOKYO),
        ("Answer: [get_weather(city='Tokyo')]", *TOKYO),
        (
            '1. Action: get_weather\n   Action Input: {"city": "Tokyo"}\n2. Action: list_files\n   Action Input: {}',
            *TOKYO,
        ),
        ('{"get_weather": {"city": "Tokyo"}, "list_files": {}}', *TOKYO),
        ('Action: get_weather\nAction Input: "Tokyo", 2', "get_weather", {"city": "Tokyo", "days": 2}),
        ("Action: list_files (what is there)\nAction Input: {}", "list_files", {}),
        ("Action: list_files\nAction Input: No input needed", "list_files", {}),
        (
            'Action: write_file\nAction Input: ```json\n{"path": "a", "content": "```\\nx\\n```"}\n```',
            "write_file",
            {"path": "a", "content": "```\nx\n```"},
        ),
        (
            'Action: write_file\nAction Input: {"path": "C:\\Users\\me\\new.txt", "content": "x"}',
            "write_file",
            {"path": "C:\\Users\\me\\new.txt", "content": "x"},
        ),
        (
            '{"name": "write_file", "arguments": {"path": "a", "content": "<tool_call>x</tool_call>"}}',
            "write_file",
            {"path": "a", "content": "<tool_call>x</tool_call>"},
        ),
    ],
)
def test_a_call_is_read_out_of_what_stands_around_it(text: str, name: str, args: dict[str, Any]) -> None:
    step = parse(text, TOOLS)
    assert isinstance(step, Call) and (step.name, step.args) == (name, args)


def test_a_tool_of_a_server_is_meant_by_the_last_part_of_its_name_alone() -> None:
    clock = spec("time__now", zone="string")
    step = parse("[now(zone='UTC')]", [clock, WEATHER])
    assert isinstance(step, Call) and step.name == "time__now"
    assert not isinstance(parse("[now(zone='UTC')]", [clock, spec("date__now", zone="string")]), Call)


@pytest.mark.parametrize(
    ("written", "read"), [("3", 3), ("1,500", 1500), ("1_500", 1500), ("1,5", "1,5"), ("1,2,3", "1,2,3")]
)
def test_numbers_and_lone_values_get_the_types_of_the_schema(written: str, read: Any) -> None:
    step = parse(f'{{"name": "get_weather", "arguments": {{"city": "Tokyo", "days": "{written}"}}}}', TOOLS)
    assert isinstance(step, Call) and step.args == {"city": "Tokyo", "days": read}


def test_what_is_written_twice_or_in_a_wrong_type_does_not_make_the_reader_raise() -> None:
    step = parse('Thought: x\nAction Input: the city\nAction: get_weather\nAction Input: {"city": "Tokyo"}', TOOLS)
    assert isinstance(step, Call) and (step.name, step.args) == TOKYO
    assert parse('{"name": "get_weather", "arguments": [{"name": {}, "value": 2}]}', TOOLS)
    assert parse("Action: b\nAction Input: some words", [spec("b", x="string", y="string", required=("z",))])


def test_a_well_formed_step_is_not_mended() -> None:
    step = parse('Thought: so\nAction: write_file\nAction Input: {"path": "a", "content": "it\'s {\'x\': 1,}"}', TOOLS)
    assert step == Call("so", "write_file", {"path": "a", "content": "it's {'x': 1,}"})


@pytest.mark.parametrize(
    "text",
    [
        "You could call get_weather(city='Tokyo') to find out.",
        "The call get_weather(city='<city>') needs a city, which you did not give.",
        "I need a city: get_weather() is the tool.",
        "The tool weather(city='Tokyo') helps.",
        "To make the file, write_file(path='a', content='b') is run by the assistant.",
        'Here it is: {"name": "write_file", "arguments": {"path": "a", "content": "b"}} and then more text follows.',
        "The word 'Action:' has 7 characters.",
        "The file holds:\n```yaml\nname: app\naction: deploy\n```",
        "In XML:\n<person><name>Bob</name><action>get up</action></person>",
        '{"total": 5}',
        "The call get_weather(city) needs a city.",
        "With server.GetWeather(city='Tokyo') the client asks for the weather.",
        'It runs write_file with arguments {"path": "a", "content": "b"} for you.',
        'write_file with arguments {"path": "a", "content": "b"} makes the file.',
        "Answer with: Answer: [write_file(path='a', content='b')]",
        "Use &quot; for a quote in HTML, and \\" + '" in JSON.'.replace('" in', '`" in'),
        'For example:\n("write_file", {"path": "a", "content": "b"})\nin a list.',
        "For example:\n[\"write_file(path='a', content='b')\"]",
        'gpt-oss writes to=functions.write_file {"path": "a", "content": "b"} there.',
        "It is 5. I will not use get_weather.",
        "It is 5. Let me know what you want me to do with get_weather.",
    ],
)
def test_prose_that_mentions_a_call_stays_an_answer(text: str) -> None:
    assert parse(text, TOOLS) == Answer("", text)


def test_a_concrete_call_inside_prose_counts_where_nothing_can_be_changed() -> None:
    step = parse("This gives the answer: get_weather(city='Tokyo') and that is all.", TOOLS)
    assert isinstance(step, Call) and (step.name, step.args) == TOKYO and "a call inside prose" in step.repairs


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Thought: x\nAction: get_weather", "missing_input"),
        ('Thought: x\nAction: get_weather\nAction Input: {"city": "Tok', "bad_json"),
        ('{"name": "get_weather", "arguments": {', "unreadable_call"),
        ('{"name": "get_news", "arguments": {"city": "Tokyo"}}', "unknown_tool"),
        ("<tool_call>what now</tool_call>", "unreadable_call"),
        ("Thought: x\nAction: find out the weather\nAction Input: Tokyo", "unknown_tool"),
        ('Action: get_weather\nAction Input: {"city": find_city(user="me")}', "bad_json"),
        ("I will use get_weather now.", "missing_action"),
        ("$JSON_BLOB", "unreadable_call"),
        ("get_weather(city='Tok", "unreadable_call"),
        ("<function=get_weather>\n<parameter=ci", "bad_json"),
        ("Action: get_weather\nAction Inp", "missing_input"),
        ("[get_weather(city=city)]", "bad_json"),
        ('Action: get_weather\nAction Input: {"city": {"type": ["string", "null"]}}', "bad_json"),
        (
            '{"name": "get_weather", "description": "d", "parameters": {"type": "object", "properties": {"city": {}}}}',
            "bad_json",
        ),
        ("I will now use the get_weather tool. Please hold on.", "missing_action"),
        ("First, I'll write the file a.txt.", "missing_action"),
        ("[]", "unreadable_call"),
        ("<think>The user wants", "missing_action"),
        ("<think>hm, what</think>", "missing_action"),
    ],
)
def test_what_is_meant_as_a_call_and_is_none_is_a_named_error(text: str, code: str) -> None:
    step = parse(text, TOOLS)
    assert isinstance(step, Malformed) and step.code == code and step.problem


def test_a_name_that_two_tools_share_apart_from_case_is_not_guessed() -> None:
    step = parse("[getweather(city='Tokyo')]", [WEATHER, spec("GetWeather", city="string")])
    assert not isinstance(step, Call)


@pytest.mark.parametrize(
    "text",
    [
        "Action: Final Answer\nAction Input: 42",
        "Action: Final Answer: 42",
        'Action: finish\nAction Input: {"answer": "42"}',
        "Action: Finish[42]",
        "Action: None needed\nFinal Answer: 42",
        "<|START_RESPONSE|>42<|END_RESPONSE|>",
        '{"tool": "final_answer", "tool_input": "42"}',
        'So:\n{"action": "Final Answer", "action_input": "42"}\nThat is all.',
        'Thought: x\n```py\nfinal_answer("42")\n```<end_code>',
        "<final_answer>42</final_answer>",
        "Thought: I know. Final Answer: 42",
        "Thought: I know. Final answer: 42",
        "Action: -\nAction Input: -\nFinal Answer: 42",
        "Thought: I know.\n### Final Answer\n42",
        "Do I need to use a tool? No\n42",
        ">>>all\n42",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>42<|return|>",
        "analysisHm.assistantfinal42",
        "Final Answer: 42<|im_end|>\n<|im_start|>user\nNext",
        "Final Answer: 42\n\nQuestion: next\nThought: hm\nAction: list_files",
    ],
)
def test_an_answer_in_the_form_of_a_call_is_an_answer(text: str) -> None:
    step = parse(text, TOOLS)
    assert isinstance(step, Answer) and step.text == "42"


@pytest.mark.parametrize(
    "text",
    ['{"' * 3000, "[" * 20_000, " " * 20_000, "`" * 9000, "<think>" * 2000, "f(" * 3000, '{"a": "' + 'x" ' * 5000],
)
@pytest.mark.timeout(10)
def test_no_text_takes_long(text: str) -> None:
    assert parse(text, TOOLS)


@pytest.mark.parametrize(
    "schema", [True, {}, {"type": "array"}, {"type": ["array", "null"], "items": True}, {"anyOf": 1}]
)
@pytest.mark.parametrize(
    "text", ["f(x='a')", "f('a')", "Action: f\nAction Input: {'x': {'type': 'string', 'title': 'a'}}"]
)
def test_a_schema_that_says_little_or_nonsense_does_not_make_the_reader_raise(text: str, schema: Any) -> None:
    tools = [{"function": {"name": "f", "parameters": {"type": "object", "properties": {"x": schema}}}}]
    assert parse(text, tools)
