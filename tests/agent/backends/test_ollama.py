"""The Ollama backend against what a real Ollama sent."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from agent.backends.base import ModelProfile
from agent.backends.ollama import DEFAULT_MODEL, OllamaBackend, create
from agent.config import Settings
from agent.errors import A2IAError, ContextOverflow, ModelServerError, UsageError, map_model_error
from tests.servers.http import Reply, reply_json
from tests.servers.ollama import MODEL, Ollama, recorded, said


@tool
def read_file(path: str) -> str:
    """Read a text file of the workspace."""
    return path


@asynccontextmanager
async def opened(server: Ollama, **flags: Any) -> AsyncIterator[OllamaBackend]:
    """A backend on the server, closed at the end."""
    given: dict[str, Any] = {"model": MODEL, "ollama_url": server.url, **flags}
    backend = create(Settings(**given), lambda _: None)
    try:
        yield backend
    finally:
        await backend.aclose()


async def profiled(server: Ollama, **flags: Any) -> ModelProfile:
    async with opened(server, **flags) as backend:
        return await backend.profile()


async def reply_of(model: BaseChatModel, *messages: Any, **kwargs: Any) -> AIMessage:
    """Return the reply, or raise what the loop would."""
    try:
        reply = await model.ainvoke([*messages], **kwargs)
    except Exception as error:
        raise map_model_error(error, "ollama") from error
    return reply


async def replied(reply: Reply) -> AIMessage:
    """Return what the chat model makes of a reply."""
    with Ollama(reply) as server:
        async with opened(server) as backend:
            return await reply_of(backend.chat_model(await backend.profile()), HumanMessage("go"))


async def test_the_served_window_is_what_ollama_says_once_the_model_is_loaded() -> None:
    with Ollama() as server:
        profile = await profiled(server)
        assert (profile.model, profile.window, profile.constraint) == (MODEL, 4096, "json_schema")
        sizes = {body["options"]["num_ctx"] for body in server.posted("/api/chat")}
    assert sizes == {8192}


async def test_a_model_that_is_loaded_with_more_is_not_loaded_anew() -> None:
    class Loaded(Ollama):
        def answer(self, asked: Any) -> Reply:
            if asked.path == "/api/ps":
                return reply_json({"models": [{"name": MODEL, "context_length": 16384}]})
            return super().answer(asked)

    with Loaded() as server:
        assert (await profiled(server)).window == 16384
        assert {body["options"]["num_ctx"] for body in server.posted("/api/chat")} == {16384}


async def test_a_modelfiles_own_window_is_kept_and_a_small_models_is_not_passed() -> None:
    class Shown(Ollama):
        more: dict[str, Any]

        def answer(self, asked: Any) -> Reply:
            reply = super().answer(asked)
            if asked.path != "/api/show":
                return reply
            return reply_json({**json.loads(reply.lines[0]), **self.more})

    for more, window in (
        ({"parameters": 'num_ctx                        20000\nstop    "x"'}, 20000),
        ({"model_info": {"llama.context_length": 2048}}, 2048),
    ):
        with Shown() as server:
            server.more = more
            await profiled(server)
            assert {body["options"]["num_ctx"] for body in server.posted("/api/chat")} == {window}


async def test_every_request_of_a_run_carries_the_same_window_and_is_never_truncated() -> None:
    with Ollama(recorded("chat_plain_stream"), recorded("chat_plain_stream")) as server:
        async with opened(server, seed=7, temperature=0.5) as backend:
            model = backend.chat_model(await backend.profile())
            await reply_of(model, HumanMessage("a"))
            await reply_of(model, HumanMessage("b"), stop=["\nObservation"])
        bodies = server.posted("/api/chat")
    assert {body["options"]["num_ctx"] for body in bodies} == {8192}
    assert [body["truncate"] for body in bodies] == [False] * len(bodies)
    options = bodies[-1]["options"]
    assert (options["seed"], options["temperature"], options["stop"]) == (7, 0.5, ["\nObservation"])
    assert options["num_predict"] == 1024


@pytest.mark.parametrize(
    ("probe", "native", "evidence"),
    [
        ("tools_nostream", False, "made no call but wrote"),
        ("calls_whole_real", True, "the model called it as it should"),
        ("tools_refused", False, "refused (HTTP 400)"),
        ("runner_killed_whole", False, "refused (HTTP 500)"),
    ],
)
async def test_only_a_call_that_came_back_makes_a_model_native(probe: str, native: bool, evidence: str) -> None:
    with Ollama(probe=probe) as server:
        profile = await profiled(server)
    assert profile.native_tools is native
    assert evidence in profile.evidence


@pytest.mark.parametrize(("react", "said_why"), [(True, "--react was given"), (False, "--no-react was given")])
async def test_a_user_who_chose_the_protocol_does_not_wait_for_the_question(react: bool, said_why: str) -> None:
    with Ollama() as server:
        profile = await profiled(server, react=react)
        assert not any(body.get("tools") for body in server.posted("/api/chat"))
    assert said_why in profile.evidence


async def test_a_template_that_drops_the_system_message_is_noticed() -> None:
    with Ollama() as server:
        assert (await profiled(server)).system_role is True
        server.drops_system = True
        assert (await profiled(server)).system_role is False


async def test_a_reply_streams_with_its_usage() -> None:
    with Ollama(recorded("chat_plain_stream")) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            chunks = [chunk async for chunk in model.astream([HumanMessage("Name two colours.")])]
    assert [chunk.text for chunk in chunks if chunk.text] == ["Red", " and", " blue", "."]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk) and whole.usage_metadata
    assert (whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]) == (21, 5)
    assert whole.response_metadata["done_reason"] == "stop"


async def test_a_native_call_is_a_tool_call_and_its_result_goes_back() -> None:
    with Ollama(recorded("calls_stream_real"), recorded("calls_round_real")) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile()).bind_tools([read_file])
            asked = [SystemMessage("Be brief."), HumanMessage("What does notes.txt say?")]
            reply = await model.ainvoke(asked)
            (call,) = reply.tool_calls
            assert (call["name"], call["args"]) == ("read_file", {"path": "notes.txt"})
            result = ToolMessage("The meeting is on Tuesday.", tool_call_id=call["id"] or "")
            assert (await model.ainvoke([*asked, reply, result])).text == "Tuesday"
        sent = server.posted("/api/chat")[-1]["messages"]
    assert sent[-2]["tool_calls"][0]["function"]["arguments"] == {"path": "notes.txt"}
    assert (sent[-1]["role"], sent[-1]["content"]) == ("tool", "The meeting is on Tuesday.")


async def test_a_model_that_must_not_call_sees_no_tools() -> None:
    with Ollama(said(["ok"])) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile()).bind_tools([read_file]).bind(tool_choice="none")
            assert (await model.ainvoke([HumanMessage("go")])).text == "ok"
        assert not server.posted("/api/chat")[-1].get("tools")


def test_a_json_schema_is_handed_on_as_format() -> None:
    assert create(Settings(), lambda _: None).constrain('{"type": "object"}') == {"format": {"type": "object"}}


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("history_truncate_false_stream", ContextOverflow, r"\(586 tokens into 512\)"),
        ("one_message_truncate_false", ContextOverflow, r"\(1107 tokens into 512\)"),
        ("model_missing", UsageError, "The ollama server has no such model: model 'nope:1b' not found"),
        ("tools_refused", UsageError, "takes no native tool calls: .*no-tools:latest does not support tools"),
        ("busy_2", ModelServerError, "is busy.* maximum pending requests exceeded"),
        ("runner_killed_midstream", ModelServerError, "broke off.* unexpected EOF"),
        ("runner_killed_whole", ModelServerError, r"failed \(HTTP 500\): .*unexpected EOF"),
        ("repeat_stops_go", ModelServerError, "ended its reply before it was complete"),
        ("repeat_whole_go", ModelServerError, "ended its reply before it was complete"),
        ("think_refused", ModelServerError, r"refused the request \(HTTP 400\): .* does not support thinking"),
        ("format_bad_schema", ModelServerError, r"refused the request \(HTTP 400\): Unable to generate parser"),
        ("option_wrong_type", ModelServerError, r"failed \(HTTP 500\): option \"num_predict\" must be of type integer"),
        ("path_unknown", ModelServerError, r"does not know this address \(HTTP 404\): 404 page not found"),
    ],
)
async def test_what_goes_wrong_is_said_by_name(name: str, kind: type[A2IAError], sentence: str) -> None:
    with pytest.raises(kind, match=sentence) as caught:
        await replied(recorded(name))
    assert type(caught.value) is kind
    assert caught.value.hint


async def test_a_connection_that_breaks_in_the_middle_is_said_by_name() -> None:
    whole = recorded("chat_plain_stream")
    with pytest.raises(ModelServerError, match="broke off"):
        await replied(Reply(200, whole.kind, whole.lines[:3], cut=True))
    with pytest.raises(ModelServerError, match="answer is broken"):
        await replied(Reply(200, whole.kind, [*whole.lines[:2], whole.lines[2][:40]]))


async def test_a_reply_that_the_token_limit_cut_says_so() -> None:
    assert (await replied(recorded("length"))).response_metadata["done_reason"] == "length"


async def test_an_unknown_model_is_answered_with_the_installed_ones() -> None:
    with Ollama() as server:
        server.models = ["a:1b", "b:7b"]
        with pytest.raises(UsageError, match=r"has no model 'c'") as caught:
            await profiled(server, model="c")
        assert "a:1b, b:7b" in caught.value.hint
        with pytest.raises(UsageError, match=f"has no model '{DEFAULT_MODEL}'"):
            await profiled(server, model=None)
        server.models = []
        with pytest.raises(UsageError) as caught:
            await profiled(server, model=None)
        assert "ollama pull" in caught.value.hint


async def test_the_one_model_that_is_there_is_used_where_none_is_named() -> None:
    with Ollama() as server:
        server.models = ["only:1b"]
        assert (await profiled(server, model=None)).model == "only:1b"


async def test_the_default_address_is_ollamas_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with Ollama() as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url.removeprefix("http://"))
        backend = create(Settings(), lambda _: None)
        assert await backend.health()
        await backend.aclose()


async def test_a_server_that_is_not_there_is_named_with_its_address_and_how_to_start_it() -> None:
    with Ollama() as server:
        pass
    async with opened(server) as backend:
        assert not await backend.health()
        with pytest.raises(ModelServerError, match=f"cannot be reached at {server.url}") as caught:
            await backend.profile()
    assert "ollama serve" in caught.value.hint and "--ollama-url" in caught.value.hint


async def test_something_else_at_the_address_is_not_taken_for_ollama() -> None:
    class Other(Ollama):
        def answer(self, asked: Any) -> Reply:
            return Reply(200, "text/html", ["<html>hello</html>"])

    with Other() as server:
        async with opened(server) as backend:
            assert not await backend.health()
            with pytest.raises(ModelServerError, match="answer is broken"):
                await backend.profile()
