"""A2IA on a real vLLM: `make test-vllm`. Each test prints its figures."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from agent.backends.base import ConstraintKind
from agent.backends.embedded import create as embedded
from agent.backends.weights_model import KNOWN
from agent.config import Settings
from agent.react.model import REACT_ERROR, ReActChatModel
from agent.react.parser import Malformed, parse
from agent.react.prompt import REACT_TEXT
from benchmarks.token_counts import compare
from tests.cli.support import line_with
from tests.real_vllm.server import ALIAS, BLOCK, HOME, MODEL, WINDOW, RealVLLM
from tests.real_vllm.support import (
    LIMIT,
    TOOLS,
    command,
    connections,
    finish,
    opened,
    queued,
    session_on,
    thread_of,
    turn,
    wait_until,
)

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(3600)]

RUNNING = "vllm:num_requests_running"
TALE = "Write a fairy tale of two thousand words."
"""The smallest model goes on until the token limit; numbers to write it ends after thirty."""


async def test_detection_says_react_with_its_evidence_and_asks_once(vllm: RealVLLM) -> None:
    async with opened(vllm) as (_, profile):
        pass
    print(f"\n{profile.evidence}")
    assert (profile.model, profile.window, profile.constraint) == (MODEL, WINDOW, "lark")
    assert (profile.native_tools, profile.system_role, profile.reasoning) == (False, True, False)
    assert "takes tools (a prompt of " in profile.evidence and "made no call but wrote" in profile.evidence
    before = vllm.metric("vllm:request_success_total")
    async with opened(vllm) as (_, again):
        assert again == profile
    async with opened(vllm, model=ALIAS) as (_, other):
        assert other.model == ALIAS
    assert vllm.metric("vllm:request_success_total") - before == 2, "only the other name was asked about"


@pytest.mark.parametrize(
    ("prompt", "tools", "found"),
    [
        ("What does notes.txt say? Read it.", {"read_file"}, "Tuesday"),
        ("Run the command `cat notes.txt`.", {"execute_command"}, "Tuesday"),
        ("What is two plus two?", set(), "our"),
    ],
)
def test_tasks_end_to_end(vllm: RealVLLM, tmp_path: Path, prompt: str, tools: set[str], found: str) -> None:
    """The tool runs and its result comes back; what the smallest model then says of it is its own affair."""
    (tmp_path / "notes.txt").write_text("The meeting is on Tuesday at nine.\n")
    begun = time.monotonic()
    code, result = finish(command(vllm, tmp_path, prompt, "--yes"))
    used = [step["tool"] for step in result["steps"]]
    print(f"\n{prompt} {time.monotonic() - begun:.0f} s, {used}, {result['usage']}, {result['answer'][:100]!r}")
    print(result["error"])
    assert (code, result["protocol"], result["backend"]) == (0, "react", "vllm")
    assert tools <= set(used)
    assert any(found in text for text in (result["answer"], *(step["result"] for step in result["steps"])))


async def test_every_reply_under_the_grammar_can_be_read(vllm: RealVLLM) -> None:
    """At temperature 1, where an unconstrained model of this size misses the form in most replies."""
    kind, replies = await replies_at_temperature_one(vllm, 100)
    assert kind == "lark"
    bad = [r for r in replies if isinstance(parse(r.additional_kwargs[REACT_TEXT]), Malformed)]
    for r in bad:
        print(r.response_metadata["finish_reason"], repr(r.additional_kwargs[REACT_TEXT][-200:]))
    assert not bad
    assert all(REACT_ERROR not in r.additional_kwargs for r in replies)


async def replies_at_temperature_one(vllm: RealVLLM, count: int) -> tuple[ConstraintKind | None, list[AIMessage]]:
    """Return how the server holds replies, and so many of them, eight at once, each with a seed of its own."""
    asked = ["Look up the key sun.", "Count the words of 'a b c'.", "Hello!", "What is 3 + 4?", "Look up x and y."]
    async with opened(vllm, temperature=1.0, react=True) as (backend, profile):
        kind = profile.constraint
        model = ReActChatModel(inner=backend.chat_model(profile), constrain=backend.constrain, kind=kind)
        bound, limit = model.bind_tools(TOOLS), asyncio.Semaphore(8)

        async def reply(number: int) -> AIMessage:
            async with limit:
                return await bound.bind(seed=number).ainvoke([HumanMessage(asked[number % len(asked)])])

        replies = await asyncio.gather(*map(reply, range(count)))
    cut = [r for r in replies if r.response_metadata["finish_reason"] == "length"]
    unread = [r for r in replies if REACT_ERROR in r.additional_kwargs]
    calls = sum(bool(r.tool_calls) for r in replies)
    print(f"\n{kind}: {count - len(unread)} of {count} are read: {calls} calls, {len(cut)} cut at the token limit")
    return kind, replies


async def test_a_server_with_another_grammar_parser_holds_replies_to_a_schema(vllm: RealVLLM) -> None:
    """Before 0.26 such a server ended at a grammar that its parser cannot read; this one refuses it."""
    options = ("--structured-outputs-config.backend", "xgrammar")
    with RealVLLM(HOME / "server-xgrammar.log", 8201, *options) as other:
        kind, replies = await replies_at_temperature_one(other, 20)
    assert kind == "json_schema"
    whole = [r for r in replies if r.response_metadata["finish_reason"] != "length"]
    assert whole and all(REACT_ERROR not in r.additional_kwargs for r in whole)


async def test_a_thread_of_ten_steps_is_read_from_the_cache(vllm: RealVLLM) -> None:
    had, possible, previous, counted = 0, 0, 0, []
    async with opened(vllm, react=True) as (backend, profile):
        model = ReActChatModel(inner=backend.chat_model(profile), constrain=backend.constrain).bind_tools(TOOLS)
        for messages in thread_of(10):
            reply = await model.bind(max_tokens=8).ainvoke(messages)
            assert reply.usage_metadata
            prompt, cached = (
                reply.usage_metadata["input_tokens"],
                reply.usage_metadata["input_token_details"]["cache_read"],
            )
            counted.append((prompt, cached))
            if previous:
                had, possible = had + cached, possible + previous // BLOCK * BLOCK
            previous = prompt
    print(f"\n{had} of {possible} cached tokens that blocks of {BLOCK} allow, {had / possible:.1%}")
    print(f"(prompt, cached): {counted}")
    assert had >= 0.95 * possible


def test_ctrl_c_ends_the_request_on_the_server_within_a_second(vllm: RealVLLM, tmp_path: Path) -> None:
    process = command(vllm, tmp_path, TALE, "--react", "--no-builtin-tools", output="stream-json")
    line_with(process.stdout, "_delta", LIMIT)
    wait_until(lambda: vllm.metric(RUNNING) == 1, LIMIT)
    held, starved = connections(vllm), queued(process)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    closed = wait_until(lambda: connections(vllm) < held, 30)
    starved = queued(process) - starved
    wait_until(lambda: vllm.metric(RUNNING) == 0, 30)
    seconds = time.monotonic() - begun
    code, result = finish(process)
    print(f"\nno request runs {seconds:.2f} s after Ctrl-C; {closed:.2f} s to close it, {starved:.2f} s without a core")
    assert seconds < 1
    assert (code, result["stop_reason"]) == (130, "interrupted")


async def test_a2ia_counts_prompts_as_the_server_does(vllm: RealVLLM) -> None:
    async with opened(vllm, react=True) as (backend, profile):
        chat = backend.chat_model(profile)
        pairs = [await compare(chat, number) for number in range(50)]
    print(f"\n{sum(a == b for a, b in pairs)} of {len(pairs)} alike, {min(pairs)[1]} to {max(pairs)[1]} tokens")
    assert all(predicted == told for predicted, told in pairs)


async def test_a_thread_goes_from_vllm_to_the_embedded_server_and_back(
    vllm: RealVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    if not KNOWN[MODEL].path().is_file():
        pytest.skip(f"NOT RUN: the weights of the embedded model are missing; a2ia-cli models pull {MODEL}")
    saver = InMemorySaver()
    own = embedded(Settings(model=MODEL, keep_alive=0), lambda step: None)
    try:
        embedded_profile = await own.profile()
        async with opened(vllm) as (backend, profile):
            there, here = (backend, profile), (own, embedded_profile)
            answers = []
            prompts = ["My name is Zora. Say hello.", "What is my name?", "Say my name once more."]
            for (speaks, its), prompt in zip((there, here, there), prompts, strict=True):
                result = await turn(session_on(speaks, its, saver, "t"), prompt)
                assert (result.stop_reason, result.error) == ("answered", None)
                answers.append((result.backend, result.answer))
            state = await session_on(*here, saver, "t")._graph.aget_state({"configurable": {"thread_id": "t"}})
    finally:
        await own.aclose()
    print(f"\n{answers}")
    messages: list[BaseMessage] = state.values["messages"]
    assert [message.type for message in messages] == ["human", "ai"] * 3
    assert all("Zora" in answer for _, answer in answers[1:])


async def test_a_killed_server_is_exit_3_and_the_thread_goes_on_after_its_restart(
    vllm: RealVLLM, tmp_path: Path
) -> None:
    if not vllm.ours:
        pytest.skip("NOT RUN: the server was up before the tests, so they do not kill it")
    async with opened(vllm, react=True) as (backend, profile):
        session = session_on(backend, profile, InMemorySaver(), "t")
        assert (await turn(session, "My name is Zora. Say hello.")).error is None
        process = command(vllm, tmp_path, TALE, "--react", "--no-builtin-tools", output="stream-json")
        await asyncio.to_thread(line_with, process.stdout, "_delta", LIMIT)
        broken = asyncio.create_task(turn(session, TALE))
        while vllm.metric(RUNNING) < 2:
            await asyncio.sleep(0.1)
        await asyncio.to_thread(vllm.stop, signal.SIGKILL)
        result = await asyncio.wait_for(broken, 60)
        code, said = await asyncio.to_thread(finish, process)
        print(f"\n{said['error']['message']}")
        assert result.error and result.error.exit_code == 3
        assert (code, said["error"]["type"], said["answer"]) == (3, "ModelServerError", "")
        await asyncio.to_thread(vllm.start)
        again = await turn(session, "What is my name?")
        print(f"after the restart: {again.answer!r}")
        assert again.error is None and "Zora" in again.answer
