"""A thread's first call is made only if the model, asked apart from the thread, thinks that it is needed."""

import math
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.backends.vllm import create
from agent.config import Settings
from agent.react.calibration import Thresholds, learn, pairs, remember, thresholds
from agent.react.judge import Judge
from agent.react.model import JUDGED, ReActChatModel
from agent.react.toolset import OVERWRITES, READ_ONLY
from tests.fakes import Say, ScriptedModel
from tests.servers.vllm import VLLM

LOOK: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look", "description": "Look at the sky.", "parameters": {"type": "object", "properties": {}}},
}
CALL = Say(calls=[("look", {})])
ASKED = HumanMessage("Is it raining?")
BEGUN = [
    ASKED,
    AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}]),
    ToolMessage("no", tool_call_id="1"),
]


async def reply(script: list[Say], messages: list[BaseMessage], threshold: float = 0) -> tuple[Any, ScriptedModel]:
    inner = ScriptedModel(script=script, protocol="react")
    judge = Judge(inner, {"max_tokens": 1}, threshold=threshold)
    model = ReActChatModel(inner=inner, constrain=lambda text: {"grammar": text}, judge=judge)
    return await model.bind_tools([LOOK]).ainvoke(messages), inner


async def test_a_call_that_is_needed_is_made() -> None:
    message, inner = await reply([CALL, Say(odds=1.5)], [ASKED])
    assert [call["name"] for call in message.tool_calls] == ["look"]
    assert message.response_metadata[JUDGED]["odds"] == pytest.approx(1.5, abs=0.05)
    assert inner.options[1] == {"max_tokens": 1}
    assert "Look at the sky." in inner.asked[1][-1].text and "Is it raining?" in inner.asked[1][-1].text


async def test_a_call_that_is_not_needed_becomes_an_answer_from_the_same_prompt() -> None:
    script = [CALL, Say(odds=-2.0), Say(answer="I cannot see the sky.")]
    message, inner = await reply(script, [SystemMessage("Files: none"), ASKED])
    assert message.tool_calls == [] and message.text == "I cannot see the sky."
    assert inner.asked[0] == inner.asked[2]
    assert "call_0" not in inner.options[2]["grammar"]
    assert message.usage_metadata["output_tokens"] == 5


@pytest.mark.parametrize(
    "messages",
    [BEGUN, [HumanMessage("hi"), AIMessage("Hello."), ASKED], [HumanMessage("Please look.")]],
    ids=["in the middle of work", "in a conversation that goes on", "the user named the tool"],
)
async def test_the_judge_is_not_asked_where_it_cannot_know_better(messages: list[BaseMessage]) -> None:
    message, inner = await reply([CALL], messages)
    assert message.tool_calls and len(inner.asked) == 1


async def test_a_tool_that_overwrites_is_judged_in_the_middle_of_work_too() -> None:
    inner = ScriptedModel(script=[CALL, Say(odds=-2.0), Say(answer="It says no.")], protocol="react")
    model = ReActChatModel(inner=inner, constrain=lambda text: {"grammar": text}, judge=Judge(inner, {}, threshold=0))
    message = await model.bind(tools=[LOOK | {OVERWRITES: True}]).ainvoke(BEGUN)
    assert message.tool_calls == [] and message.text == "It says no."


READ = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Read a text file.",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}


@pytest.mark.parametrize(
    ("request_", "path", "read_only", "asked"),
    [
        ("worker.py imports TIMEOUT. What is it?", "worker.py", True, 1),
        ("What does src/app say?", "./src/app", True, 1),
        ("What does my_worker.py import?", "worker.py", True, 2),
        ("What is Jonas's number?", "contacts/jonas.txt", True, 2),
        ("Read it.", ".", True, 2),
        ("worker.py imports TIMEOUT. What is it?", "worker.py", False, 2),
    ],
)
async def test_the_judge_is_not_asked_whether_to_read_what_the_user_named(
    request_: str, path: str, read_only: bool, asked: int
) -> None:
    script = [Say(calls=[("read_file", {"path": path})]), Say(odds=5.0)]
    inner = ScriptedModel(script=script, protocol="react")
    model = ReActChatModel(inner=inner, constrain=lambda text: {"grammar": text}, judge=Judge(inner, {}, threshold=0))
    message = await model.bind(tools=[READ | {READ_ONLY: read_only}]).ainvoke([HumanMessage(request_)])
    assert message.tool_calls and len(inner.asked) == asked


async def test_vllm_is_asked_for_one_token_and_its_odds() -> None:
    with VLLM() as server:
        backend = create(Settings(vllm_url=server.url), lambda _: None)
        judge = Judge(backend.chat_model(await backend.profile()), backend.odds())
        odds = await judge.log_odds("Is it raining?", LOOK["function"])
        await backend.aclose()
        body = server.posted("/v1/chat/completions")[-1]
    assert odds is not None and odds > 10
    assert (body.get("stream"), body["logprobs"]) == (False, True)


async def test_a_server_that_tells_no_probabilities_declines_nothing() -> None:
    message, _ = await reply([CALL, Say(answer="yes")], [ASKED], threshold=math.inf)
    assert message.tool_calls


def test_thresholds_are_learned_kept_and_preferred_to_the_shipped_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    learned = learn([{**pair, "odds": 2.0 if pair["fit"] else -2.0} for pair in pairs()])
    assert learned == Thresholds(1.75, 1.75)
    shipped = thresholds("qwen2.5-coder-1.5b")
    assert shipped and shipped.other < 1
    assert thresholds("another") is None
    file = remember("another", learned)
    assert thresholds("another") == learned
    file.write_text("garbage")
    assert thresholds("another") is None and thresholds("qwen2.5-coder-1.5b") == shipped
