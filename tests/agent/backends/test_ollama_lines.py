"""What an Ollama server, or what stands before it, sends in another form than the recorded one."""

import json
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.errors import A2IAError, ContextOverflow, ModelServerError, ToolCallUnreadable
from agent.react.model import ReActChatModel
from tests.agent.backends.test_ollama import opened, profiled, replied, reply_of
from tests.servers.http import Asked, Reply, reply_json
from tests.servers.ollama import MODEL, Ollama, recorded, said

FIRST, LAST = ({**json.loads(line), "prompt_eval_count": 21} for line in said(["Hello"]).lines)


def streamed(*lines: Any, kind: str = "application/x-ndjson", **ends: Any) -> Reply:
    """Return a reply of these lines: text as it is, all else as JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    return Reply(kind=kind, lines=texts, **ends)


def spoken(**fields: Any) -> dict[str, Any]:
    """Return a line with this message."""
    return {**FIRST, "message": fields}


def called(**function: Any) -> Reply:
    """Return a reply with one call of this form."""
    return streamed(spoken(role="assistant", content="", tool_calls=[{"function": function}]), LAST)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        pytest.param(streamed(FIRST, "", " ", LAST), "Hello", id="empty lines"),
        pytest.param(streamed(spoken(content="a\x85b\u2028c\x0b"), LAST), "a\x85b\u2028c\x0b", id="odd line ends"),
        pytest.param(streamed(spoken(content="é☃"), LAST, kind="text/plain; charset=latin-1"), "é☃", id="charset"),
        pytest.param(streamed(FIRST, LAST, kind="text/html"), "Hello", id="content type"),
        pytest.param(streamed(spoken(role="assistant", content=None), FIRST, LAST), "Hello", id="no content"),
        pytest.param(streamed(FIRST, {**LAST, "message": None}), "Hello", id="no message at the end"),
        pytest.param(streamed(FIRST, {**LAST, "done": "true"}), "Hello", id="done as text"),
        pytest.param(streamed({**FIRST, "new": {"x": [1]}}, {**LAST, "new": 2}), "Hello", id="unknown fields"),
        pytest.param(streamed(FIRST, LAST, cut=True), "Hello", id="a hang-up after the end"),
        pytest.param(streamed(FIRST, LAST, silent=True), "Hello", id="silence after the end"),
        pytest.param(streamed(FIRST, LAST, FIRST, {"error": "x"}), "Hello", id="more after the end"),
    ],
)
async def test_a_reply_is_read_by_its_words_alone(reply: Reply, text: str) -> None:
    assert (await replied(reply, timeout=5)).text == text


@pytest.mark.parametrize("counts", [{"prompt_eval_count": "21", "eval_count": "3"}, {"eval_count": 3.0}])
async def test_counts_may_be_text(counts: dict[str, Any]) -> None:
    usage = (await replied(streamed(FIRST, {**LAST, **counts}))).usage_metadata
    assert usage and (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (21, 3, 24)
    assert (await replied(streamed(FIRST, {**LAST, "eval_count": "many"}))).usage_metadata is None


@pytest.mark.parametrize("line", ["null", "[]", '"x"', "12", "<html>", '{"model": "x", "mess'])
async def test_a_line_that_is_no_object_is_said_by_name(line: str) -> None:
    with pytest.raises(ModelServerError, match="answer is broken: it has a line that is no JSON object"):
        await replied(streamed(FIRST, line, LAST))


async def test_a_last_line_that_was_cut_is_a_reply_that_was_cut() -> None:
    reply = streamed(FIRST, LAST)
    size = len("\n".join(reply.lines))
    assert (await replied(replace(reply, bytes=size))).text == "Hello"
    with pytest.raises(ModelServerError, match="ended its reply before it was complete"):
        await replied(replace(reply, bytes=size - 9))


@pytest.mark.parametrize("error", ["boom", {"message": "boom"}, {"error": {"message": "boom"}}, ["boom"], 5, True, ""])
async def test_an_error_inside_the_reply_is_said_whatever_its_form(error: Any) -> None:
    with pytest.raises(ModelServerError, match="failed in the middle of its reply: ") as caught:
        await replied(streamed(FIRST, {"error": error}, LAST))
    assert ("boom" in caught.value.message) is ("boom" in str(error)) and caught.value.hint


@pytest.mark.parametrize("body", ['"x"', "[]", "null", "12", "", '{"error": ["x"]}', '{"error": null}'])
async def test_a_refusal_is_said_whatever_its_form(body: str) -> None:
    for status, said_how in ((400, "refused the request"), (500, "failed")):
        with pytest.raises(ModelServerError, match=rf"{said_how} \(HTTP {status}\)"):
            await replied(Reply(status, lines=[body]))


@pytest.mark.parametrize("message", ["the request exceeds the available context size. try increasing it", "x: {size}"])
async def test_an_overflow_tells_both_numbers_wherever_they_stand(message: str) -> None:
    text = message.format(size="request (586 tokens) exceeds the available context size (512 tokens)")
    told = {"code": 400, "message": text, "n_prompt_tokens": 586, "n_ctx": 512}
    with pytest.raises(ContextOverflow, match=r"\(586 tokens into 512\)"):
        await replied(reply_json({"error": json.dumps({"error": told})}, 400))


UNREADABLE = [
    "error parsing tool call: raw='{\"path\": ', err=unexpected end of JSON input",
    'error parsing tool call: raw=\'{"text": "maximum context length\', err=unexpected end of JSON input',
    "XML syntax error on line 110: unexpected EOF",
    "element <parameter> closed by </function>",
    "expected element type <function> but have <parameter>",
    "failed to parse XML: XML syntax error on line 1: element <tool_call> closed by </arg_value>",
    "failed to parse JSON: unexpected end of JSON input",
    "invalid character ']' after object key:value pair",
    "Failed to parse input at pos 12: <tool_call>",
    "EOF",
]
"""How Ollama words that it cannot read its own model's call: ollama/ollama#12884, #14492, #14834, #14986, #17647."""


@pytest.mark.parametrize("words", UNREADABLE)
async def test_a_call_that_ollama_cannot_read_is_known_by_its_words(words: str) -> None:
    wrong_key = {"error parsing tool call": "invalid character 'c'"}  # ollama/ollama#11781
    for reply in (reply_json({"error": words}, 500), streamed(FIRST, {"error": words}), streamed(FIRST, wrong_key)):
        with pytest.raises(ToolCallUnreadable):
            await replied(reply)
    with pytest.raises(A2IAError) as caught:
        await replied(reply_json({"error": words}, 400))
    assert not isinstance(caught.value, ToolCallUnreadable)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ({"name": "f", "arguments": '{"a": "1"}'}, {"a": "1"}),
        ({"name": "f", "arguments": None}, {}),
        ({"name": "f"}, {}),
        ({"name": "f", "arguments": {"a": "[1]"}, "index": "0", "new": 1}, {"a": "[1]"}),
    ],
)
async def test_a_calls_arguments_are_an_object(function: dict[str, Any], args: dict[str, Any]) -> None:
    (call,) = (await replied(called(**function))).tool_calls
    assert (call["name"], call["args"]) == ("f", args)


@pytest.mark.parametrize(
    "function",
    [{"name": "f", "arguments": [1]}, {"name": "f", "arguments": '{"a"'}, {"name": 5}, {"arguments": {}}, {}],
)
async def test_a_call_in_another_form_is_not_made(function: dict[str, Any]) -> None:
    with pytest.raises(ToolCallUnreadable, match="sent a tool call that cannot be read"):
        await replied(called(**function))


class Odd(Ollama):
    """Answers `path` with `reply`."""

    def __init__(self, path: str, reply: Reply, *replies: Reply) -> None:
        super().__init__(*replies)
        self.path, self.reply = path, reply

    def answer(self, asked: Asked) -> Reply:
        return self.reply if asked.path == self.path else super().answer(asked)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/api/show", {"capabilities": None, "model_info": []}),
        ("/api/show", {"model_info": {"x.context_length": "32768", "y.context_length": 0, "z.context_length": None}}),
        ("/api/ps", {"models": [{"model": MODEL, "context_length": "4096", "size": None, "size_vram": None}]}),
        ("/api/ps", {"models": None}),
    ],
)
async def test_what_is_told_of_a_model_may_be_missing_or_text(path: str, value: dict[str, Any]) -> None:
    with Odd(path, reply_json(value)) as server:
        assert (await profiled(server, react=True)).window >= 4096


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_conversation_goes_to_no_other_server_and_the_place_is_told(status: int) -> None:
    for to in ("https://elsewhere.invalid/api", "/api/show" if status > 302 else "/api/other"):
        said_where = pytest.raises(ModelServerError, match=f"sends its clients on to {to} ")
        with Odd("/api/show", Reply(status, to=to)) as server, said_where as caught:
            await profiled(server)
        assert "--ollama-url" in caught.value.hint
    with pytest.raises(ModelServerError, match="sends its clients on to https://elsewhere"):
        await replied(Reply(status, to="https://elsewhere.invalid/api/chat"))


async def test_a_server_may_send_a_request_on_to_itself() -> None:
    assert (await replied(Reply(307, to="/api/chat"), recorded("chat_plain_stream"))).text == "Red and blue."


async def test_a_503_to_a_question_that_ollama_always_answers_means_that_it_is_not_there() -> None:
    with Odd("/api/version", Reply(503, "text/html", ["<html>"])) as server:
        async with opened(server) as backend:
            assert await backend.health() is False


@pytest.mark.parametrize(
    "refusal", ["format_bad_pattern", "format_bad_schema", "format_recursive", "format_bad_string"]
)
async def test_a_schema_that_the_server_refuses_is_relaxed_to_json(refusal: str) -> None:
    step = '{"reason": "I look.", "tool": "look", "tool_input": {"at": "a"}}'
    tool = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {}}}
    with Ollama(recorded(refusal), said([step]), recorded(refusal), recorded(refusal)) as server:
        async with opened(server, react=True) as backend:
            inner = backend.chat_model(await backend.profile())
            model = ReActChatModel(inner=inner, constrain=backend.constrain, kind="json_schema").bind_tools([tool])
            reply = await reply_of(model, HumanMessage("go"))  # type: ignore[arg-type]
            assert [call["args"] for call in reply.tool_calls] == [{"at": "a"}]
            with pytest.raises(ModelServerError, match="HTTP"):
                await reply_of(model, HumanMessage("go"))  # type: ignore[arg-type]
        first, second, *_ = (body["format"] for body in server.posted("/api/chat") if "format" in body)
    assert (first["anyOf"][0]["type"], second) == ("object", "json")


async def test_tools_and_results_are_sent_as_they_are() -> None:
    deep = {"type": "object", "properties": {"to": {"type": "object", "properties": {"x": {"type": "integer"}}}}}
    tool = {"type": "function", "function": {"name": "move", "description": "Move.", "parameters": deep}}
    call = {"name": "move", "args": {"to": {"x": 1}}, "id": "1"}
    thread = [HumanMessage("go"), AIMessage("", tool_calls=[call]), ToolMessage("moved", tool_call_id="1")]
    with Ollama(said(["ok"])) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile()).bind_tools([tool])
            await reply_of(model, *thread)  # type: ignore[arg-type]
        sent = server.posted("/api/chat")[-1]
    assert sent["tools"] == [tool]
    assert sent["messages"][1:] == [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "move", "arguments": call["args"]}}]},
        {"role": "tool", "content": "moved", "tool_name": "move"},
    ]
