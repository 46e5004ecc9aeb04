"""The Ollama backend against what a real Ollama sent."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from agent.backends.base import ModelProfile
from agent.backends.ollama import DEFAULT_MODEL, OllamaBackend, create
from agent.backends.ollama_window import ROOMY, TASK, num_ctx
from agent.config import Settings
from agent.errors import (
    ContextOverflow,
    HistoryDropped,
    ModelMissing,
    ModelServerError,
    ServerBusy,
    UsageError,
    map_model_error,
)
from tests.servers.http import Reply, reply_json
from tests.servers.ollama import MODEL, Ollama, counted, recorded, said


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


async def replied(*replies: Reply, **flags: Any) -> AIMessage:
    """Return what the chat model makes of a reply, or of several to the same request."""
    with Ollama(*replies) as server:
        async with opened(server, **flags) as backend:
            return await reply_of(backend.chat_model(await backend.profile()), HumanMessage("go"))


async def test_the_served_window_is_what_ollama_says_once_the_model_is_loaded() -> None:
    with Ollama() as server:
        profile = await profiled(server)
        assert (profile.model, profile.window, profile.constraint) == (MODEL, 4096, "json_schema")
        sizes = {body["options"]["num_ctx"] for body in server.posted("/api/chat")}
    assert len(sizes) == 1 and sizes <= {TASK, ROOMY}


GIB = 2**30


def described(layers: int = 28, pairs: int = 4, trained: int = 32768, parameters: str = "") -> dict[str, Any]:
    """Return what /api/show says of a model with heads of 128 numbers (Qwen2.5-7B has 28 layers of 4 pairs)."""
    of = {"block_count": layers, "context_length": trained, "embedding_length": 3584, "attention.head_count": 28}
    info = {f"qwen2.{key}": value for key, value in {**of, "attention.head_count_kv": pairs}.items()}
    return {"model_info": {"general.architecture": "qwen2", **info}, "parameters": parameters}


@pytest.mark.parametrize(
    ("shown", "loaded", "memory", "window"),
    [
        (described(), None, 24 * GIB, ROOMY),
        (described(), None, 8 * GIB, TASK),
        (described(), None, 1 * GIB, TASK // 2),
        (described(layers=80, pairs=8), None, 16 * GIB, TASK),
        (described(), None, None, TASK),
        ({}, None, 24 * GIB, TASK),
        (described(trained=2048), None, 24 * GIB, 2048),
        (described(), 4096, 24 * GIB, ROOMY),
        (described(), TASK, 24 * GIB, TASK),
        (described(), 32768, 24 * GIB, 32768),
        (described(trained=2048), 2048, 24 * GIB, 2048),
        (described(parameters="num_ctx    20000"), TASK, 24 * GIB, 20000),
    ],
)
def test_the_window_is_what_the_task_needs_within_the_memory(
    shown: dict[str, Any], loaded: int | None, memory: int | None, window: int
) -> None:
    assert num_ctx(shown, loaded, memory) == window


async def test_a_roomy_window_that_pushes_the_model_off_the_card_is_given_up_once() -> None:
    class Spilling(Ollama):
        served = 0

        def answer(self, asked: Any) -> Reply:
            if asked.path == "/api/show":
                return reply_json({**described(layers=1, pairs=1), "capabilities": ["completion"]})
            if asked.path == "/api/ps" and self.served:
                entry = {"name": MODEL, "size": 9, "size_vram": 9 if self.served == TASK else 7}
                return reply_json({"models": [{**entry, "context_length": self.served}]})
            if asked.path == "/api/chat":
                self.served = asked.body["options"]["num_ctx"]
            return super().answer(asked)

    with Spilling() as server:
        assert (await profiled(server)).window == TASK
        sizes = [body["options"]["num_ctx"] for body in server.posted("/api/chat")]
        assert sizes[0] == ROOMY and set(sizes[1:]) == {TASK}


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
            await reply_of(model, HumanMessage("b"), stop=["\nObservation"], frequency_penalty=0.2)
        bodies = server.posted("/api/chat")
    assert len({body["options"]["num_ctx"] for body in bodies}) == 1
    assert [body["truncate"] for body in bodies] == [False] * len(bodies)
    options = bodies[-1]["options"]
    assert (options["seed"], options["temperature"], options["stop"]) == (7, 0.5, ["\nObservation"])
    assert (options["num_predict"], options["frequency_penalty"]) == (1024, 0.2)


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


@pytest.mark.parametrize(
    ("show", "flag", "evidence"),
    [
        ("show_no-tools", "", "takes no tools: completion"),
        ("show_jinja", "drops_tools", "the same prompt with tools as without"),
        ("show_go-tools", "drops_results", "leaves a tool's result out"),
    ],
)
async def test_a_prompt_without_tools_rules_native_calls_out_before_the_model_is_asked(
    show: str, flag: str, evidence: str
) -> None:
    with Ollama(probe="calls_whole_real", show=show) as server:
        if flag:
            setattr(server, flag, True)
        profile = await profiled(server)
        asked = [body for body in server.posted("/api/chat") if body.get("tools") and "_debug_render_only" not in body]
    assert (profile.native_tools, asked) == (False, [])
    assert evidence in profile.evidence


@pytest.mark.parametrize("flag", ["drops_system", "folds_system", "refuses_roles", "moves_system"])
async def test_a_template_that_does_not_write_the_system_message_as_its_own_turn_has_no_system_role(flag: str) -> None:
    with Ollama() as server:
        assert (await profiled(server)).system_role is True
        setattr(server, flag, True)
        assert (await profiled(server)).system_role is False


async def test_a_model_that_thinks_is_asked_for_a_call_without_a_thought_and_with_one_where_it_thinks_anyway() -> None:
    class Thinking(Ollama):
        stubborn = False

        def answer(self, asked: Any) -> Reply:
            if asked.path == "/api/show":
                return reply_json({"capabilities": ["completion", "tools", "thinking"]})
            body = asked.body
            if body.get("tools") and "_debug_render_only" not in body and self.stubborn and "think" in body:
                cut = json.loads(recorded("calls_whole_real").lines[0])
                return reply_json({**cut, "done_reason": "length", "message": {"content": "", "thinking": "Hm. " * 20}})
            return super().answer(asked)

    with Thinking(probe="calls_whole_real") as server:
        profile = await profiled(server)
        assert (profile.native_tools, profile.reasoning) == (True, True)
        server.stubborn = True
        assert (await profiled(server)).native_tools is True
        asked = [body for body in server.posted("/api/chat") if body.get("tools") and "_debug_render_only" not in body]
    assert [body.get("think") for body in asked] == [False, False, None]
    assert asked[-1]["options"]["num_predict"] > 64


async def test_a_model_that_only_embeds_is_refused() -> None:
    class Embeds(Ollama):
        def answer(self, asked: Any) -> Reply:
            if asked.path == "/api/show":
                return reply_json({"capabilities": ["embedding"]})
            return super().answer(asked)

    with Embeds() as server, pytest.raises(UsageError, match="does not chat: embedding"):
        await profiled(server)


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


async def test_a_connection_that_breaks_in_the_middle_is_said_by_name() -> None:
    whole = recorded("chat_plain_stream")
    with pytest.raises(ModelServerError, match="broke off"):
        await replied(Reply(200, whole.kind, whole.lines[:3], cut=True))
    with pytest.raises(ModelServerError, match="answer is broken"):
        await replied(Reply(200, whole.kind, [*whole.lines[:2], whole.lines[2][:40]]))


async def test_a_server_that_hangs_up_before_its_answer_is_said_by_name() -> None:
    with pytest.raises(ModelServerError, match="hung up before its answer began"):
        await replied(Reply(0))


async def test_a_busy_server_is_asked_again_and_in_the_end_named() -> None:
    busy = recorded("busy_2")
    assert (await replied(busy, busy, recorded("chat_plain_stream"))).text == "Red and blue."
    with pytest.raises(ServerBusy, match=r"turned the request away 3 times: .* maximum pending requests exceeded"):
        await replied(*[busy] * 3, timeout=0.5)


@pytest.mark.parametrize(
    ("counts", "more", "dropped"),
    [
        ((700, 900), 200, False),
        ((700, 840), 200, True),
        ((400, 380), 20, False),
        ((900, 905), 0, False),
        ((900, 880), 0, True),
    ],
)
async def test_history_that_was_dropped_shows_in_a_count_that_does_not_grow(
    counts: tuple[int, int], more: int, dropped: bool
) -> None:
    first, second = (counted(said(["ok"]), read) for read in counts)
    with Ollama(first, second) as server:
        server.window = 1000
        async with opened(server, react=True) as backend:
            model = backend.chat_model(await backend.profile())
            asked = [SystemMessage("Be brief."), HumanMessage("go")]
            thread = [*asked, await reply_of(model, *asked), HumanMessage("word " * more)]
            try:
                assert (await reply_of(model, *thread)).text == "ok" and not dropped
            except HistoryDropped as error:
                assert dropped and f"it read {counts[1]} tokens" in error.message


async def test_a_reply_that_ran_past_the_window_is_an_overflow() -> None:
    """Ollama shifts the window then: 307 tokens and a reply of 400 in a window of 512 (recorded)."""
    for read, fits in ((900, True), (995, False)):
        with Ollama(counted(said(["ok"]), read)) as server:
            server.window = 1000
            async with opened(server, react=True) as backend:
                model = backend.chat_model(await backend.profile())
                with nullcontext() if fits else pytest.raises(ContextOverflow, match=r"\(1\d{3} tokens into 1000\)"):
                    assert (await reply_of(model, HumanMessage("go"))).text == "ok"


async def test_a_server_that_is_busy_while_the_model_is_asked_for_is_waited_for_too() -> None:
    class Busy(Ollama):
        turned_away = 0

        def answer(self, asked: Any) -> Reply:
            if asked.path == "/api/chat" and self.turned_away < 2:
                self.turned_away += 1
                return recorded("busy_1")
            return super().answer(asked)

    with Busy() as server:
        assert (await profiled(server)).model == MODEL


async def test_text_that_looks_like_json_stays_text_in_an_argument() -> None:
    given = {"path": '{"a": [1]}', "lines": "[1, 2]", "functionName": "read_file", "deep": {"x": "{}"}, "n": 1}
    reply = await replied(said([], calls=[("read_file", given), ("read_file", {})]))
    assert [call["args"] for call in reply.tool_calls] == [given, {}]
    assert len({call["id"] for call in reply.tool_calls}) == 2


async def test_a_reply_that_only_loaded_the_model_is_said_by_name() -> None:
    with pytest.raises(ModelServerError, match="loaded the model but wrote no reply"):
        await replied(recorded("chat_load_only"))


async def test_a_tool_choice_that_ollama_cannot_force_is_no_error() -> None:
    with Ollama(recorded("calls_stream_real")) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile()).bind_tools([read_file], tool_choice="any")
            assert (await reply_of(model, HumanMessage("go"))).tool_calls  # type: ignore[arg-type]
        assert "tool_choice" not in server.posted("/api/chat")[-1]


async def test_what_a_model_thinks_comes_in_a_field_of_its_own() -> None:
    class Thinking(Ollama):
        def answer(self, asked: Any) -> Reply:
            if asked.path == "/api/show":
                return reply_json({"capabilities": ["completion", "thinking"]})
            return super().answer(asked)

    with Thinking(said(["Four", "."], thinking=("Two and ", "two."))) as server:
        async with opened(server) as backend:
            reply = await reply_of(backend.chat_model(await backend.profile()), HumanMessage("2+2?"))
        assert server.posted("/api/chat")[-1]["think"] is True
    assert (reply.text, reply.additional_kwargs["reasoning_content"]) == ("Four.", "Two and two.")


async def test_a_reply_that_the_token_limit_cut_says_so() -> None:
    assert (await replied(recorded("length"))).response_metadata["done_reason"] == "length"


async def test_an_unknown_model_is_answered_with_the_installed_ones_that_fit() -> None:
    class Stocked(Ollama):
        stock: ClassVar[list[dict[str, Any]]] = [
            {"name": "small:1b", "size": 10**9, "capabilities": ["completion"]},
            {"name": "big:7b", "size": 5 * 10**9},
            {"name": "huge:405b", "size": 10**15},
            {"name": "embed:1b", "size": 10**9, "capabilities": ["embedding"]},
        ]

        def answer(self, asked: Any) -> Reply:
            return reply_json({"models": self.stock}) if asked.path == "/api/tags" else super().answer(asked)

    with Stocked() as server:
        server.models = [entry["name"] for entry in server.stock]
        with pytest.raises(ModelMissing, match=r"has no model 'c'") as caught:
            await profiled(server, model="c")
        assert caught.value.choices == ("big:7b", "small:1b")
        assert "--model NAME: big:7b, small:1b." in caught.value.hint
        with pytest.raises(ModelMissing, match=f"has no model '{DEFAULT_MODEL}'") as caught:
            await profiled(server, model=None)
        assert f"ollama create {DEFAULT_MODEL} -f Modelfile" in caught.value.hint
        server.stock[:] = server.stock[2:3]
        with pytest.raises(ModelMissing, match="fit") as caught:
            await profiled(server, model=None)
        server.stock[:] = []
        with pytest.raises(ModelMissing) as caught:
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
