"""Every recorded exchange with a real Ollama, and what its user should see.

With `pytest --ollama URL` that server answers the same requests anew, as far as it has the model and the outcome does
not hang on what the recording did to the server; then words may differ, outcomes may not.
"""

from __future__ import annotations

import json

import httpx
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.backends import wire
from agent.backends.ollama import create
from agent.backends.vllm_chat import chat_model as openai_chat_model
from agent.config import Settings
from agent.errors import A2IAError, ContextOverflow, HistoryDropped, ModelServerError, UsageError, map_model_error
from agent.react.model import ReActChatModel
from tests.agent.backends.test_ollama import opened, profiled, reply_of
from tests.servers.http import Asked, LoopbackServer, Reply
from tests.servers.ollama import MODEL, Ollama, counted, recorded, recordings
from tests.servers.ollama import said as say

REFUSED = r"refused the request \(HTTP 400\): "

ANSWERS = {
    **{f"prefix_turn_{n}": f"{n} + {n} equals {2 * n}." for n in range(5)},
    "chat_plain_cold": "Hello!",
    "chat_plain_stream": "Red and blue.",
    "stop_string": "alpha",
    "calls_round_real": "Tuesday",
    "busy_0": "Variant 0",
    "busy_3": "Variant 3",
    "after_client_closes": "Okay.",
    "after_runner_killed": "Sure!",
}
"""Whole replies."""

PRINTED = {
    **dict.fromkeys(("tools_stream", "tools_nostream", "two_calls"), '```json\n{\n  "name": "read_file"'),
    **{
        f"call_parsed_{how}": '{"name": "read_file"' for how in ("jinja_stream", "jinja_whole", "go_stream", "go_whole")
    },
    "go_tools_stream": '{"name": "read_file"',
    "tool_result_round": '{{"name": "read_file"',
    "calls_stream": "To read the contents",
    "calls_whole": "To call the `read_file` function",
    "calls_two": '```json\n{"name": "read_file"',
    "calls_two_real": '```json\n{"name": "read_file"',
    "calls_unknown_tool": '{"name": "function"',
    "calls_after_text": "I will read the contents",
    "format_and_tools": '{\n  "action": "read_file"',
    "format_schema_thought_action": '{\n  "action": "read_file"',
    "format_schema_reason_tool": '{\n  "reason": "To read',
    "format_anyof": '{\n  "action": "read_file"',
    "format_json": '{\n  "thought": "To read',
    "go_format_order": '{\n  "thought": "I need',
}
"""Replies that begin so: calls printed as text, which is why the model is spoken to in ReAct, and JSON under a schema,
whose keys stand in alphabetical order where the model runs on its own template."""

CUT = {
    **dict.fromkeys(("two_threads_a1", "two_threads_b1", "two_threads_a2", "two_threads_b2"), "The quick brown"),
    **dict.fromkeys(("num_ctx_changed", "num_ctx_left_out"), "The quick brown"),
    **dict.fromkeys(("side_by_side_0", "side_by_side_1", "length"), "1, 2, 3,"),
    **dict.fromkeys(("generation_past_window", "generation_past_window_noshift"), "Once upon a time"),
    "logprobs": "Yes.",
    "logprobs_format_enum": '"',
    "role_unknown": "Qwen is a large",
    "option_unknown": "To view the",
    "format_cut": '{\n  "text": "A fox',
    "repeat_stops": "go go go",
}
"""Replies that the token limit cut, which the loop has written anew, shorter."""

CALLS = ("calls_stream_real", "calls_whole_real")

FAILS: dict[str, tuple[type[A2IAError], str]] = {
    "chat_load_only": (ModelServerError, "loaded the model but wrote no reply"),
    "unload": (ModelServerError, "loaded the model but wrote no reply"),
    "tools_refused": (UsageError, "takes no native tool calls: .*no-tools:latest does not support tools"),
    "args_as_string": (ModelServerError, REFUSED + "Value looks like object"),
    "think_refused": (ModelServerError, REFUSED + ".* does not support thinking"),
    "think_refused_jinja": (ModelServerError, REFUSED + ".* does not support thinking"),
    "model_missing": (UsageError, "no such model: model 'nope:1b' not found"),
    "body_broken": (ModelServerError, REFUSED + "unexpected EOF"),
    "body_empty": (ModelServerError, REFUSED + "missing request body"),
    "option_wrong_type": (ModelServerError, r"failed \(HTTP 500\): option \"num_predict\" must be of type integer"),
    **dict.fromkeys(("busy_1", "busy_2", "busy_4"), (ModelServerError, "is busy .*maximum pending requests exceeded")),
    "client_closes": (ModelServerError, "ended its reply before it was complete"),
    "runner_killed_midstream": (ModelServerError, "model died during its reply: .*unexpected EOF"),
    "runner_killed_whole": (ModelServerError, "model died during its reply: .*unexpected EOF"),
    "repeat_stops_go": (ModelServerError, "ended its reply before it was complete"),
    "repeat_whole_go": (ModelServerError, "ended its reply before it was complete"),
    "format_bad_string": (ModelServerError, r"failed \(HTTP 500\): invalid format"),
    "format_bad_schema": (ModelServerError, REFUSED + "Unable to generate parser"),
    "format_bad_pattern": (ModelServerError, REFUSED + "Unable to generate parser.*Pattern must start"),
    "format_recursive": (ModelServerError, REFUSED + "Unable to generate parser.*Unsupported ref"),
    "history_dropped": (HistoryDropped, "dropped a part of the conversation without a word: it read 138 tokens"),
    "history_truncate_false": (ContextOverflow, r"\(586 tokens into 512\)"),
    "history_truncate_false_stream": (ContextOverflow, r"\(586 tokens into 512\)"),
    "one_message_too_long": (ContextOverflow, r"\(1107 tokens into 512\)"),
    "one_message_truncate_false": (ContextOverflow, r"\(1107 tokens into 512\)"),
}

ELSEWHERE = {
    *("version", "tags", "ps_empty", "ps_loaded", "ps_after_change", "show_missing", "path_unknown"),
    *("show_jinja", "show_go-tools", "show_go-plain", "show_go-bare", "show_no-tools"),
    *("debug_render_tools", "tool_result_rendered", "debug_truncated"),
    *("v1_models", "v1_chat", "v1_chat_whole", "v1_missing_model", "v1_schema"),
}
"""Exchanges that are no chat of a user; the tests at the end of this file have their outcomes."""

DONE_TO_THE_SERVER = {
    *("busy_0", "busy_1", "busy_2", "busy_3", "busy_4", "client_closes", "runner_killed_midstream"),
    *("runner_killed_whole", "repeat_stops", "repeat_stops_go", "repeat_whole_go", "body_broken", "body_empty"),
}
"""Recorded while something was done to the server, or where chance decides: not to be had on demand."""


def test_every_recorded_exchange_has_an_outcome() -> None:
    known = [*ANSWERS, *PRINTED, *CUT, *CALLS, *FAILS, *ELSEWHERE]
    assert sorted(known) == sorted(recordings())


@pytest.fixture
def real(request: pytest.FixtureRequest) -> str | None:
    """The real server's address, where one is given."""
    url: str | None = request.config.getoption("--ollama")
    return url


def answer_to(name: str, real: str | None) -> Reply:
    """Return the recorded reply, or the real server's to the same request."""
    if real is None:
        return recorded(name)
    asked = recordings()[name]["request"]
    if name in DONE_TO_THE_SERVER:
        pytest.skip("what happened to the recorded server cannot be had on demand")
    with httpx.Client(base_url=real, timeout=300) as http:
        model = asked["body"]["model"]
        if name != "model_missing" and http.post("/api/show", json={"model": model}).status_code == 404:
            pytest.skip(f"the server has no {model}")
        response = http.request(asked["method"], asked["path"], json=asked["body"])
    kind = response.headers.get("content-type", "application/json")
    return Reply(response.status_code, kind, response.text.splitlines())


def conversation(name: str) -> list[BaseMessage]:
    """Return the recorded request's messages."""
    turns: list[BaseMessage] = []
    for message in (recordings()[name]["request"].get("body") or {}).get("messages") or [
        {"role": "user", "content": "x"}
    ]:
        if message["role"] == "tool":
            turns.append(ToolMessage(message["content"], tool_call_id="c1"))
        elif message["role"] == "assistant":
            turns.append(AIMessage(message["content"]))
        else:
            turns.append((SystemMessage if message["role"] == "system" else HumanMessage)(message["content"]))
    return turns


async def outcome(name: str, real: str | None) -> AIMessage:
    """Return the reply that the chat model makes of an exchange; raises what the loop would."""
    reply = answer_to(name, real)
    with Ollama(*[reply] * (3 if reply.status == 503 else 1)) as server:
        body = recordings()[name]["request"].get("body") or {}
        server.window = (body.get("options") or {}).get("num_ctx")
        async with opened(server, react=True, timeout=0.5 if reply.status == 503 else 30) as backend:
            return await reply_of(backend.chat_model(await backend.profile()), *conversation(name))


@pytest.mark.parametrize("name", [*ANSWERS, *PRINTED])
async def test_a_whole_reply_is_the_answer(name: str, real: str | None) -> None:
    reply = await outcome(name, real)
    assert reply.response_metadata["done_reason"] == "stop"
    assert reply.usage_metadata and reply.usage_metadata["input_tokens"] > 0
    if real is None:
        assert reply.text == ANSWERS[name] if name in ANSWERS else reply.text.startswith(PRINTED[name])
    assert reply.tool_calls == []


@pytest.mark.parametrize("name", CUT)
async def test_a_reply_that_the_token_limit_cut_says_so(name: str, real: str | None) -> None:
    reply = await outcome(name, real)
    assert reply.response_metadata["done_reason"] == "length"
    assert real or reply.text.startswith(CUT[name])


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_is_a_call(name: str, real: str | None) -> None:
    (call,) = (await outcome(name, real)).tool_calls
    assert (call["name"], call["args"]) == ("read_file", {"path": "notes.txt"})


@pytest.mark.parametrize("name", FAILS)
async def test_a_failure_is_said_by_name(name: str, real: str | None) -> None:
    kind, sentence = FAILS[name]
    with pytest.raises(kind, match=sentence) as caught:
        await outcome(name, real)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["show_jinja", "show_go-tools", "show_go-plain", "show_go-bare", "show_no-tools"])
async def test_what_a_model_is_said_to_do_can_only_rule_native_calls_out(name: str) -> None:
    with Ollama(show=name, probe="calls_whole_real") as server:
        assert (await profiled(server)).native_tools is (name != "show_no-tools")
    with Ollama(show=name, probe="tools_nostream") as server:
        assert (await profiled(server)).native_tools is False


async def test_the_served_window_is_that_of_the_loaded_model() -> None:
    windows = {"ps_loaded": 4096, "ps_after_change": 2048}
    for name, window in windows.items():

        class Loaded(Ollama):
            shown = name

            def answer(self, asked: Asked) -> Reply:
                if asked.path == "/api/ps":
                    return recorded(self.shown if self.loaded else "ps_empty")
                return super().answer(asked)

        with Loaded() as server:
            assert (await profiled(server, react=True)).window == window


async def test_the_prompt_shows_what_the_template_makes_of_tools_and_what_the_server_dropped() -> None:
    def prompt(name: str) -> str:
        return str(json.loads(recorded(name).lines[0])["_debug_info"]["rendered_template"])

    assert '"name": "read_file"' in prompt("debug_render_tools") and "Tuesday" in prompt("tool_result_rendered")
    assert "My name is" not in prompt("debug_truncated")


async def test_an_unknown_path_and_a_missing_model_are_said_by_name() -> None:
    with pytest.raises(ModelServerError, match=r"does not know this address \(HTTP 404\): 404 page not found"):
        await outcome("path_unknown", None)
    with Ollama() as server:
        server.models = [MODEL]
        with pytest.raises(UsageError, match="has no model 'nope:1b'"):
            await profiled(server, model="nope:1b")
        server.models = None
        with pytest.raises(UsageError, match="a2ia-qwen") as caught:
            server.models = ["qwen2.5-coder:0.5b"] * 2
            await profiled(server, model=None)
    assert "qwen2.5-coder:0.5b" in caught.value.hint


class OpenAIDoor(LoopbackServer):
    """Ollama's /v1 routes as they were recorded; `chat` names the answer to a chat."""

    chat = "v1_chat"

    def answer(self, asked: Asked) -> Reply:
        return recorded("v1_models" if asked.path == "/v1/models" else self.chat)


async def test_ollamas_openai_door_streams_whole_replies_and_names_what_it_lacks() -> None:
    with Ollama() as other:
        profile = await profiled(other, react=True)
    with OpenAIDoor() as server:
        async with wire.client(server.url, 10) as http:
            model = openai_chat_model(http, f"{server.url}/v1", None, profile, Settings())
            assert (await model.ainvoke([HumanMessage("Say ok.")])).text == "Sure!"
            server.chat = "v1_missing_model"
            with pytest.raises(UsageError, match="no such model: model 'nope' not found"):
                try:
                    await model.ainvoke([HumanMessage("x")])
                except Exception as error:
                    raise map_model_error(error, "vllm") from error
            models = await wire.ask(http.get("/v1/models"), "vllm")
            server.chat = "v1_chat_whole"
            whole = await wire.ask(http.post("/v1/chat/completions", json={}), "vllm")
            server.chat = "v1_schema"
            sorted_keys = await wire.ask(http.post("/v1/chat/completions", json={}), "vllm")
    assert "max_model_len" not in models["data"][0]
    assert whole["choices"][0]["message"]["content"] == "Sure!"
    assert [*json.loads(sorted_keys["choices"][0]["message"]["content"])] == ["alpha", "zeta"]


async def test_the_server_answers_with_its_version() -> None:
    with Ollama() as server:
        backend = create(Settings(ollama_url=server.url), lambda _: None)
        assert await backend.health()
        await backend.aclose()


STEP = '{"reason": "I look.", "tool": "read_file", "tool_input": {"path": "notes.txt"}}'


@pytest.mark.parametrize("protocol", ["native", "react"])
@pytest.mark.parametrize("ends", ["cut", "clean"])
async def test_a_reply_that_is_cut_at_any_byte_is_no_reply(protocol: str, ends: str) -> None:
    native = protocol == "native"
    whole = recorded("calls_stream_real") if native else counted(say([STEP[:20], STEP[20:60], STEP[60:]]), 9000)
    data = "".join(f"{line}\n" for line in whole.lines).encode()
    with Ollama() as server:
        async with opened(server, react=True, timeout=10) as backend:
            chat = backend.chat_model(await backend.profile())
            model = chat if native else ReActChatModel(inner=chat, kind="json_schema")
            for size in sorted({*range(0, len(data), 1 if native else 5), len(data) - 1}):
                server.replies = [Reply(200, whole.kind, whole.lines, cut=ends == "cut", bytes=size)]
                complete = ends == "clean" and size == len(data) - 1
                try:
                    reply = await reply_of(model, HumanMessage("go"))
                except ModelServerError as error:
                    assert not complete and error.hint, size
                else:
                    assert complete and reply.tool_calls, size
