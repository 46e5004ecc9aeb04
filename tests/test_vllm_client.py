"""The vLLM backend against an OpenAI door that answers in vLLM's form, event by event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from agent.backends.base import CountsTokens, ModelProfile
from agent.backends.vllm import VLLMBackend, create
from agent.config import Settings
from agent.errors import (
    A2IAError,
    ContextOverflow,
    ModelServerError,
    ToolCallUnreadable,
    UsageError,
    map_model_error,
)
from agent.react.model import ReActChatModel
from tests.servers.http import Asked, Reply, reply_json
from tests.servers.vllm import (
    CHARACTERS_OVERFLOW,
    DEAD_ENGINE,
    LONG_OVERFLOW,
    MODEL,
    NO_TOOL_PARSER,
    OLD_OVERFLOW,
    OVERFLOW,
    VLLM,
    card,
    refusal,
    said,
)


@tool
def read_file(path: str) -> str:
    """Read a text file of the workspace."""
    return path


@asynccontextmanager
async def opened(server: VLLM, **flags: Any) -> AsyncIterator[VLLMBackend]:
    """A backend on the server, closed at the end."""
    given: dict[str, Any] = {"vllm_url": f"{server.url}/v1", **flags}
    backend = create(Settings(**given), lambda _: None)
    try:
        yield backend
    finally:
        await backend.aclose()


async def profiled(server: VLLM, **flags: Any) -> ModelProfile:
    async with opened(server, **flags) as backend:
        return await backend.profile()


async def replied(reply: Reply) -> AIMessage:
    """Return what the chat model makes of a reply, or raise what the loop would."""
    with VLLM(reply) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            try:
                return await model.ainvoke([HumanMessage("go")])
            except Exception as error:
                raise map_model_error(error, "vllm") from error


async def test_the_served_model_and_its_window_are_what_vllm_says() -> None:
    with VLLM() as server:
        profile = await profiled(server)
    assert (profile.model, profile.window, profile.constraint) == (MODEL, 4096, "lark")


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_address_may_end_as_people_write_it(suffix: str) -> None:
    with VLLM() as server:
        assert (await profiled(server, vllm_url=server.url + suffix)).model == MODEL


async def test_an_adapter_is_a_model_too_and_has_the_window_of_its_base() -> None:
    with VLLM() as server:
        server.cards = [card("base", 8192), card("sql", None, parent="base")]
        assert (await profiled(server)).model == "base"
        profile = await profiled(server, model="sql")
    assert (profile.model, profile.window) == ("sql", 8192)


async def test_a_server_that_does_not_tell_its_window_gets_a_small_one() -> None:
    with VLLM() as server:
        server.cards = [{"id": "x", "object": "model"}]
        assert (await profiled(server)).window == 4096


async def test_only_a_call_that_came_back_makes_a_model_native() -> None:
    with VLLM() as server:
        profile = await profiled(server)
        assert not profile.native_tools and "made no call but wrote" in profile.evidence
        server.calls_tools = True
        profile = await profiled(server)
        assert profile.native_tools and "called it as it should" in profile.evidence
        server.tool_parser = False
        profile = await profiled(server)
        assert not profile.native_tools and "--enable-auto-tool-choice" in profile.evidence
        bodies = [body for body in server.posted("/v1/chat/completions") if "tools" in body]
        assert {(body["tool_choice"], body["temperature"], body["max_tokens"]) for body in bodies} == {("auto", 0, 64)}
        assert "--react" in (await profiled(server, react=True)).evidence
        assert len([body for body in server.posted("/v1/chat/completions") if "tools" in body]) == len(bodies)


async def test_a_server_that_ignores_the_grammar_is_not_trusted_with_one() -> None:
    with VLLM() as server:
        server.grammars = server.schemas = False
        assert (await profiled(server)).constraint is None


async def test_a_server_whose_grammars_are_others_is_held_by_a_schema() -> None:
    with VLLM() as server:
        server.grammars = False
        async with opened(server) as backend:
            assert (await backend.profile()).constraint == "json_schema"
            assert backend.constrain('{"type": "object"}') == {
                "extra_body": {"structured_outputs": {"json": {"type": "object"}}}
            }


@pytest.mark.parametrize("version", ["0.25.1", "0.9.2", "0.1.dev1+g12ab", ""])
async def test_a_vllm_that_a_grammar_may_kill_is_never_sent_one(version: str) -> None:
    with VLLM() as server:
        server.version = version
        assert (await profiled(server)).constraint == "json_schema"
        assert not [body for body in server.posted("/v1/chat/completions") if "grammar" in str(body)]


async def test_a_template_that_leaves_tools_out_rules_native_calls_out_unasked() -> None:
    with VLLM() as server:
        server.calls_tools, server.tools_in_prompt = True, False
        profile = await profiled(server)
        assert not any("tools" in body for body in server.posted("/v1/chat/completions"))
    assert not profile.native_tools
    assert profile.evidence == "The chat template takes no tools: the prompt has 2 tokens with and without one."


async def test_evidence_is_kept_until_the_server_starts_anew_or_its_template_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with VLLM() as server:

        async def asked() -> int:
            before = len(server.posted("/v1/chat/completions"))
            await profiled(server)
            return len(server.posted("/v1/chat/completions")) - before

        server.started = 1.5e9
        first = await profiled(server)
        assert await asked() == 0
        assert await profiled(server) == first
        server.started += 60
        assert await asked() == 2
        server.tools_in_prompt = False
        assert await asked() == 1
        server.started = 0
        assert await asked() == await asked() == 1


async def test_a_model_that_thinks_gets_room_for_it_before_it_is_judged() -> None:
    with VLLM() as server:
        server.thought, server.calls_tools = "The user wants the file.", True
        profile = await profiled(server)
    assert (profile.reasoning, profile.native_tools, profile.constraint) == (True, True, "lark")


async def test_thoughts_stream_and_go_back_with_the_history() -> None:
    with VLLM(said(["Tues", "day"], thoughts=["It is ", "Tuesday."]), said(["Yes"])) as server:
        server.thought = "So."
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            reply = await model.ainvoke([HumanMessage("When?")])
            await model.ainvoke([HumanMessage("When?"), reply, HumanMessage("Sure?")])
        sent = server.posted("/v1/chat/completions")[-1]["messages"]
    assert (reply.text, reply.additional_kwargs["reasoning_content"]) == ("Tuesday", "It is Tuesday.")
    assert [message.get("reasoning") for message in sent] == [None, "It is Tuesday.", None]


async def test_a_thought_of_the_models_own_is_shown_in_react_too() -> None:
    with VLLM(said(["Thought: Easy.\nFinal Answer: 4"], thoughts=["Two and two."])) as server:
        server.thought = "So."
        async with opened(server) as backend:
            inner = backend.chat_model(await backend.profile())
            reply = await ReActChatModel(inner=inner).ainvoke([HumanMessage("2 + 2?")])
    assert reply.text == "4"
    assert reply.additional_kwargs["reasoning_content"] == "Two and two.\n\nEasy."


async def test_a_template_that_refuses_the_system_role_is_noticed() -> None:
    with VLLM() as server:
        assert (await profiled(server)).system_role is True
        server.system_role = False
        assert (await profiled(server)).system_role is False
        server.tokenizes = False
        assert (await profiled(server)).system_role is False
        server.system_role = True
        assert (await profiled(server)).system_role is True


async def test_a_template_that_moves_the_system_text_to_the_end_gets_none() -> None:
    """Mistral v0.3's does, and no longer prompt would begin with a shorter one."""
    with VLLM() as server:
        server.appends = False
        assert (await profiled(server)).system_role is False


@pytest.mark.parametrize(
    ("metrics", "details", "other", "cached"),
    [(True, None, 0, 640), (True, 640, 0, 640), (False, 640, 0, 640), (False, None, 0, None), (True, None, 50, None)],
    ids=["counters", "both", "usage", "neither", "counters that others moved too"],
)
async def test_cached_tokens_are_told_where_they_can_be_known(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    metrics: bool,
    details: int | None,
    other: int,
    cached: int | None,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with VLLM(said(["ok"], cached=details)) as server:
        server.started, server.cached = float(metrics), 640
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            async for chunk in model.astream([HumanMessage("go")]):
                server.queries += other if chunk.text else 0
                if isinstance(chunk, AIMessageChunk) and chunk.usage_metadata:
                    found = chunk.usage_metadata.get("input_token_details", {}).get("cache_read")
    assert found == cached


async def test_counters_that_once_could_not_be_read_are_read_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with VLLM(said(["ok"]), said(["ok"])) as server:
        server.started, server.cached = 1.0, 640
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            told = []
            for server.lost_metrics in (99, 0):
                usage = (await model.ainvoke([HumanMessage("go")])).usage_metadata
                told.append(usage.get("input_token_details", {}).get("cache_read") if usage else None)
    assert told == [None, 640]


async def test_a_prompt_is_counted_by_the_server_tools_included() -> None:
    with VLLM() as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            assert isinstance(model, CountsTokens)
            plain = await model.prompt_tokens([HumanMessage("one two three")])
            tools = [convert_to_openai_tool(read_file)]
            assert (plain, await model.prompt_tokens([HumanMessage("one two three")], tools) > plain) == (4, True)
            react = ReActChatModel(inner=model)
            rendered = " ".join(message.text for message in react.prompt([HumanMessage("hi")], tools))
            assert await react.prompt_tokens([HumanMessage("hi")], tools) > len(rendered.split())


async def test_an_older_server_that_refuses_the_usual_reply_is_asked_for_a_shorter_one() -> None:
    with VLLM(refusal(OVERFLOW), said(["ok"]), refusal(OVERFLOW)) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            assert (await model.ainvoke([HumanMessage("word " * 3499)])).text == "ok"
            assert server.posted("/v1/chat/completions")[-1]["max_completion_tokens"] == 4096 - 3500
            with pytest.raises(ContextOverflow, match=r"\(4001 tokens into 4096\)"):
                await model.ainvoke([HumanMessage("word " * 4000)])


async def test_a_reply_streams_with_its_usage() -> None:
    with VLLM(said(["Red", " and", " blue"])) as server:
        async with opened(server, seed=7, temperature=0.5) as backend:
            model = backend.chat_model(await backend.profile())
            chunks = [chunk async for chunk in model.astream([HumanMessage("Name two colours.")])]
        (body,) = (body for body in server.posted("/v1/chat/completions") if body.get("stream"))
    assert [chunk.text for chunk in chunks if chunk.text] == ["Red", " and", " blue"]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk) and whole.usage_metadata
    assert (whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]) == (900, 12)
    assert (body["model"], body["seed"], body["temperature"]) == (MODEL, 7, 0.5)
    assert body["max_completion_tokens"] == 1024
    assert "tools" not in body


async def test_a_call_in_fragments_is_a_tool_call_and_its_result_goes_back() -> None:
    with VLLM(said([], calls=[("read_file", {"path": "notes.txt"})]), said(["Tuesday"])) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile()).bind_tools([read_file])
            reply = await model.ainvoke([HumanMessage("go")])
            (call,) = reply.tool_calls
            assert (call["name"], call["args"], call["id"]) == (
                "read_file",
                {"path": "notes.txt"},
                "chatcmpl-tool-0",
            )
            result = ToolMessage("The meeting is on Tuesday.", tool_call_id="chatcmpl-tool-0")
            assert (await model.ainvoke([HumanMessage("go"), reply, result])).text == "Tuesday"
        sent = server.posted("/v1/chat/completions")[-1]["messages"]
    assert sent[-2]["tool_calls"][0]["function"] == {"name": "read_file", "arguments": '{"path": "notes.txt"}'}
    assert sent[-1] == {
        "role": "tool",
        "tool_call_id": "chatcmpl-tool-0",
        "content": "The meeting is on Tuesday.",
    }


async def test_a_grammar_stands_at_the_top_of_the_request() -> None:
    with VLLM(said(["yes"])) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            await model.bind(**backend.constrain('%llguidance {}\nstart: "yes"\n')).ainvoke([HumanMessage("go")])
        body = server.posted("/v1/chat/completions")[-1]
    assert body["structured_outputs"] == {"grammar": '%llguidance {}\nstart: "yes"\n'}
    assert "extra_body" not in body


async def test_the_key_is_sent_and_a_missing_or_wrong_one_is_a_usage_error() -> None:
    with VLLM(said(["ok"])) as server:
        server.key = "secret"
        async with opened(server, api_key="secret") as backend:
            model = backend.chat_model(await backend.profile())
            assert (await model.ainvoke([HumanMessage("go")])).text == "ok"
        for flags in ({}, {"api_key": "wrong"}):
            with pytest.raises(UsageError, match="asks for another API key") as caught:
                await profiled(server, **flags)
            assert "--api-key" in caught.value.hint and "A2IA_API_KEY" in caught.value.hint
    assert "secret" not in repr(Settings(api_key="secret"))


async def test_a_model_that_is_not_served_is_answered_with_those_that_are() -> None:
    with VLLM() as server:
        server.cards = [card("TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ"), card("sql", None)]
        with pytest.raises(UsageError, match=f"does not serve '{MODEL}'") as caught:
            await profiled(server, model=MODEL)
    assert "TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ, sql" in caught.value.hint


@pytest.mark.parametrize(
    ("reply", "kind", "sentence"),
    [
        (refusal(NO_TOOL_PARSER), UsageError, "takes no native tool calls: .*--enable-auto-tool-choice"),
        (refusal("The model `x` does not exist.", 404, "NotFoundError"), UsageError, "no such model: The model `x`"),
        (refusal("bad grammar"), ModelServerError, r"refused the request \(HTTP 400\): bad grammar"),
        (refusal("EngineCore died", 500, "InternalServerError"), ModelServerError, r"failed \(HTTP 500\): EngineCore"),
        (Reply(503), ModelServerError, "is busy, or its model is down"),
        (reply_json({"detail": "Not Found"}, 404), ModelServerError, "does not know this address .*: Not Found"),
        (
            said(["Thought"], finish=None, error="EngineCore died"),
            ModelServerError,
            "in the middle of its reply: EngineCore died",
        ),
        (said(["Thought"], finish=None, error=DEAD_ENGINE), ModelServerError, "model died during its reply"),
        (said(["Thought"], finish=None, cut=True), ModelServerError, "broke off"),
        (said(["Thought"], finish=None), ModelServerError, "ended its reply before it was complete"),
        (said(["Thought"], finish="abort"), ModelServerError, r"before it was complete \(abort\)"),
        (Reply(200, "text/event-stream", ['data: {"id": "x", "cho', ""]), ModelServerError, "answer is broken"),
    ],
)
async def test_what_goes_wrong_is_said_by_name(reply: Reply, kind: type[A2IAError], sentence: str) -> None:
    with pytest.raises(kind, match=sentence) as caught:
        await replied(reply)
    assert type(caught.value) is kind
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        (OVERFLOW, " (3500 tokens into 4096)"),
        (OLD_OVERFLOW, " (4000 tokens into 4096)"),
        (LONG_OVERFLOW, " (4097 tokens into 4096)"),
        (CHARACTERS_OVERFLOW, ""),
    ],
)
async def test_every_wording_of_an_overflow_is_one(text: str, sizes: str) -> None:
    with VLLM(refusal(text)) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            server.tokenizes = False
            with pytest.raises(ContextOverflow) as caught:
                await model.ainvoke([HumanMessage("go")])
    assert caught.value.message == f"The conversation no longer fits the model's window{sizes}."


class Closing(VLLM):
    """Closes a connection as the second request comes on it, as uvicorn may after 5 idle seconds."""

    def answer(self, asked: Asked) -> Reply:
        return Reply(0) if asked.kept else super().answer(asked)


async def test_a_request_on_a_connection_that_the_server_was_closing_is_sent_again() -> None:
    with Closing(said(["one"]), said(["two"])) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            texts = [(await model.ainvoke([HumanMessage("go")])).text for _ in range(2)]
            hung_up = [asked for asked in server.asked if asked.kept]
    assert texts == ["one", "two"]
    assert hung_up


async def test_a_hang_up_on_a_new_connection_is_an_error_at_once() -> None:
    class Rude(VLLM):
        def answer(self, asked: Asked) -> Reply:
            return Reply(0)

    with Rude() as server:
        async with opened(server) as backend:
            with pytest.raises(ModelServerError, match="hung up before its answer began"):
                await backend.profile()
    assert len(server.asked) == 1


async def test_a_cancel_always_ends_a_reply_that_streams() -> None:
    with VLLM(*[said(["word "] * 300)] * 20) as server:
        async with opened(server) as backend:
            model = backend.chat_model(await backend.profile())
            for _ in range(20):
                begun = asyncio.Event()

                async def read(begun: asyncio.Event = begun) -> None:
                    async for chunk in model.astream([HumanMessage("go")]):
                        if chunk.text:
                            begun.set()

                reading = asyncio.create_task(read())
                await asyncio.wait_for(begun.wait(), 10)
                reading.cancel()
                await asyncio.wait({reading}, timeout=10)
                assert reading.cancelled()


async def test_a_call_whose_arguments_just_end_is_not_made() -> None:
    whole = said([], calls=[("read_file", {"path": "notes.txt"})])
    with pytest.raises(ToolCallUnreadable, match="arguments just end"):
        await replied(replace(whole, lines=[line for line in whole.lines if "otes.txt" not in line]))
    assert (await replied(said([], calls=[("now", {})]))).tool_calls[0]["args"] == {}


@pytest.mark.parametrize("choices", [None, [], [{}], [{"message": None}], [{"message": {"tool_calls": [None]}}]])
async def test_a_probe_answered_in_another_form_is_a_no(choices: Any) -> None:
    class Odd(VLLM):
        def answer(self, asked: Asked) -> Reply:
            if asked.path == "/tokenize":
                return reply_json({"tokens": []})
            return reply_json({"choices": choices}) if asked.path.endswith("completions") else super().answer(asked)

    with Odd() as server:
        server.cards = [{"id": MODEL, "max_model_len": "8192"}, {"object": "model"}]
        profile = await profiled(server)
    assert (profile.native_tools, profile.constraint, profile.window) == (False, None, 8192)


async def test_a_reply_that_the_token_limit_cut_says_so() -> None:
    assert (await replied(said(["Thou"], finish="length"))).response_metadata["finish_reason"] == "length"


async def test_a_server_that_is_not_there_is_named_with_its_address_and_how_to_start_it() -> None:
    with VLLM() as server:
        pass
    async with opened(server) as backend:
        assert not await backend.health()
        with pytest.raises(ModelServerError, match=f"cannot be reached at {server.url}") as caught:
            await backend.profile()
    assert "vllm serve" in caught.value.hint and "--vllm-url" in caught.value.hint


async def test_a_server_that_serves_nothing_or_is_something_else_is_named() -> None:
    class Other(VLLM):
        def answer(self, asked: Any) -> Reply:
            return reply_json(["no", "object"])

    with VLLM() as server:
        server.cards = []
        with pytest.raises(ModelServerError, match="serves no model"):
            await profiled(server)
    with Other() as server:
        async with opened(server) as backend:
            assert not await backend.health()
            with pytest.raises(ModelServerError, match="is no vllm server"):
                await backend.profile()
