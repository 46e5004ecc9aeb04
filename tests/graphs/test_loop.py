from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.errors import ContextOverflow, ModelServerError
from graphs.events import AnswerDelta, FormatError, PendingCall, ThoughtDelta, ToolFinished, as_json
from graphs.session import Decisions
from graphs.state import Protocol
from tests.fakes import Say, ScriptExhausted
from tests.graphs.threads import JsonSteps, Thread, assert_prompts_only_grow, collect, tool


async def echo(text: str) -> str:
    """Echo it."""
    return f"echo: {text}"


async def test_a_plain_answer_streams_and_ends_the_turn(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say("Hello there.")], [tool("echo", echo)])
    events, result = await collect(thread.session.run("hi"))
    assert "".join(e.text for e in events if isinstance(e, AnswerDelta)) == "Hello there."
    assert (result.answer, result.stop_reason, result.steps) == ("Hello there.", "answered", [])
    assert result.usage.model_calls == 1
    assert (result.usage.prompt_tokens, result.usage.cached_tokens, result.usage.completion_tokens) == (10, 8, 5)


async def test_a_tool_call_runs_and_its_result_reaches_the_model(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say(calls=[("echo", {"text": "a"})]), Say("done")], [tool("echo", echo)])
    events, result = await collect(thread.session.run("go"))
    kinds = [e.type for e in events if e.type not in ("thought_delta", "answer_delta")]
    assert kinds == ["turn_started", "tool_started", "tool_finished", "result"]
    (step,) = result.steps
    assert (step.tool, step.server, step.args, step.status, step.result) == (
        "echo",
        "test",
        {"text": "a"},
        "ok",
        "echo: a",
    )
    assert "echo: a" in str(thread.model.asked[1][-1].content)
    assert result.answer == "done"


async def test_the_thread_is_canonical_whatever_the_protocol(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say(calls=[("echo", {"text": "a"})]), Say("done")], [tool("echo", echo)])
    await collect(thread.session.run("go"))
    messages = await thread.messages()
    assert [type(m) for m in messages] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert messages[1].tool_calls[0]["name"] == "echo"
    assert messages[1].tool_calls[0]["id"] == messages[2].tool_call_id
    assert messages[3].content == "done"


async def test_thoughts_stream_and_stay_out_of_the_answer(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say("done", thought="I know this.")])
    events, result = await collect(thread.session.run("go"))
    assert "".join(e.text for e in events if isinstance(e, ThoughtDelta)) == "I know this."
    assert result.answer == "done"
    assert (await thread.messages())[-1].additional_kwargs["reasoning_content"] == "I know this."


async def test_a_prompt_only_grows(protocol: Protocol) -> None:
    script = [Say(calls=[("echo", {"text": "a"})]), Say(calls=[("echo", {"text": "b"})]), Say("one"), Say("two")]
    thread = Thread(protocol, script, [tool("echo", echo)])
    await collect(thread.session.run("first"))
    await collect(thread.session.run("second"))
    assert_prompts_only_grow(thread)


async def test_two_calls_of_one_reply_each_get_one_result(protocol: Protocol) -> None:
    script = [Say(calls=[("echo", {"text": "a"}), ("echo", {"text": "b"})]), Say("done")]
    thread = Thread(protocol, script, [tool("echo", echo)], bare=True)
    _, result = await collect(thread.session.run("go"))
    assert sorted(step.result for step in result.steps) == ["echo: a", "echo: b"]
    ids = [m.tool_call_id for m in await thread.messages() if isinstance(m, ToolMessage)]
    assert len(ids) == len(set(ids)) == 2


async def test_calls_whose_ids_the_server_repeats_each_get_their_own_result(protocol: Protocol) -> None:
    script = [
        Say(calls=[("echo", {"text": "a"}), ("echo", {"text": "b"})], ids=["functions.echo:0", "functions.echo:0"]),
        Say(calls=[("echo", {"text": "c"})], ids=["functions.echo:0"]),
        Say(calls=[("echo", {"text": "d"}), ("echo", {"text": "e"})], ids=["", None]),
        Say("done"),
    ]
    thread = Thread(protocol, script, [tool("echo", echo)], bare=True)
    _, result = await collect(thread.session.run("go"))
    assert sorted(step.result for step in result.steps) == [f"echo: {text}" for text in "abcde"]
    ids = [m.tool_call_id for m in await thread.messages() if isinstance(m, ToolMessage)]
    assert ids[:3] == ["functions.echo:0", "functions.echo:1", "functions.echo:2"]
    assert len(ids) == len(set(ids)) == 5 and all(ids)


async def test_a_yes_counts_for_the_one_call_that_it_was_given_to(protocol: Protocol) -> None:
    async def approve(calls: Sequence[PendingCall]) -> Decisions:
        return {call.id: {"decision": "approve" if call.args["text"] == "b" else "deny"} for call in calls}

    script = [Say(calls=[("echo", {"text": "a"}), ("echo", {"text": "b"})], ids=["call_0", "call_0"]), Say("done")]
    thread = Thread(protocol, script, [tool("echo", echo)], bare=True, needs_yes=lambda call: True, approve=approve)
    _, result = await collect(thread.session.run("go"))
    assert {step.args["text"]: step.status for step in result.steps} == {"a": "denied", "b": "ok"}


async def test_an_exception_in_one_of_two_calls_leaves_the_other_alone(protocol: Protocol) -> None:
    async def broken(text: str) -> str:
        """Break it."""
        raise RuntimeError(f"no {text}")

    script = [Say(calls=[("broken", {"text": "a"}), ("echo", {"text": "b"})]), Say("done")]
    thread = Thread(protocol, script, [tool("echo", echo), tool("broken", broken)], bare=True)
    _, result = await collect(thread.session.run("go"))
    by_tool = {step.tool: step for step in result.steps}
    assert (by_tool["broken"].status, by_tool["echo"].status) == ("error", "ok")
    assert "no a" in by_tool["broken"].result
    assert result.stop_reason == "answered"


async def test_an_unknown_tool_is_answered_with_the_known_ones(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say(calls=[("ecko", {})]), Say("done")], [tool("echo", echo)])
    _, result = await collect(thread.session.run("go"))
    assert result.steps[0].status == "error"
    assert "echo" in result.steps[0].result


async def test_the_step_limit_ends_with_a_partial_answer(protocol: Protocol) -> None:
    script = [Say(calls=[("echo", {"text": str(i)})]) for i in range(3)]
    thread = Thread(protocol, script, [tool("echo", echo)], max_steps=3)
    _, result = await collect(thread.session.run("go"))
    assert (result.stop_reason, result.usage.model_calls, len(result.steps)) == ("step_limit", 3, 3)
    assert "echo: 2" in result.answer


async def test_a_reply_cut_off_by_the_token_limit_is_never_run(protocol: Protocol) -> None:
    script = [Say(calls=[("echo", {"text": "a"})], finish="length"), Say("done")]
    thread = Thread(protocol, script, [tool("echo", echo)])
    events, result = await collect(thread.session.run("go"))
    assert result.steps == []
    assert [e for e in events if isinstance(e, FormatError)]
    assert "cut off" in str(thread.model.asked[1][-1].content)
    assert result.answer == "done"


async def test_three_unreadable_replies_end_the_turn_with_two_different_corrections(protocol: Protocol) -> None:
    script = [Say(malformed=("echo", "[{a")) for _ in range(3)]
    thread = Thread(protocol, script, [tool("echo", echo)])
    _, result = await collect(thread.session.run("go"))
    assert result.stop_reason == "format_errors"
    assert result.error is not None and "in a row could not be used" in result.error.message
    corrections = [m.content for m in await thread.messages() if isinstance(m, ToolMessage)]
    assert len(corrections) == 3 and len(set(corrections[:2])) == 2
    shown = '"tool_input":' if isinstance(protocol, JsonSteps) else "Action Input:"
    assert (shown in corrections[1]) == (protocol == "react")
    assert result.steps == []


async def test_a_good_reply_forgives_the_unreadable_ones_before(protocol: Protocol) -> None:
    bad = Say(malformed=("echo", "[{a"))
    script = [bad, bad, Say(calls=[("echo", {"text": "a"})]), bad, bad, Say("done")]
    _, result = await collect(Thread(protocol, script, [tool("echo", echo)]).session.run("go"))
    assert (result.stop_reason, result.answer) == ("answered", "done")


async def test_a_huge_result_is_cut_to_a_share_of_the_window(protocol: Protocol) -> None:
    async def flood() -> str:
        """Flood it."""
        return "x" * 5_000_000

    thread = Thread(protocol, [Say(calls=[("flood", {})]), Say("done")], [tool("flood", flood)], window=4096)
    _, result = await collect(thread.session.run("go"))
    assert result.steps[0].truncated and len(result.steps[0].result) <= 3072
    assert "left out" in result.steps[0].result
    assert len(as_json(result)["steps"][0]["result"]) <= 4000


async def test_a_failing_model_server_ends_the_turn_and_keeps_the_thread(protocol: Protocol) -> None:
    gone = ModelServerError("The server is gone.", "Start it.")
    script = [Say(calls=[("echo", {"text": "a"})]), Say(error=gone), Say("back again")]
    thread = Thread(protocol, script, [tool("echo", echo)])
    _, result = await collect(thread.session.run("go"))
    assert result.stop_reason == "error" and result.error is not None
    assert (result.error.type, result.error.hint) == ("ModelServerError", "Start it.")
    assert [step.result for step in result.steps] == ["echo: a"]
    _, again = await collect(thread.session.run("and now?"))
    assert again.answer == "back again"
    assert any("echo: a" in str(m.content) for m in thread.model.asked[-1])


async def test_an_overflow_is_tried_again_with_old_results_shortened(protocol: Protocol) -> None:
    async def long(text: str) -> str:
        """Long it."""
        return text * 2000

    full = ContextOverflow(9000, 8192)
    script = [Say(calls=[("long", {"text": c})]) for c in "ab"] + [Say(error=full), Say("done")]
    thread = Thread(protocol, script, [tool("long", long)])
    _, result = await collect(thread.session.run("go"))
    assert result.answer == "done"
    size = [sum(len(str(m.content)) for m in asked) for asked in thread.model.asked]
    assert size[3] < size[2] - 1000


async def test_an_overflow_that_nothing_shortens_is_named(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say(error=ContextOverflow(9000, 8192))])
    _, result = await collect(thread.session.run("x" * 30_000))
    assert result.stop_reason == "overflow" and result.error is not None
    assert "9000" in result.error.message and "8192" in result.error.message


@pytest.mark.parametrize("window", [2048])
async def test_events_and_result_are_json(protocol: Protocol, window: int) -> None:
    thread = Thread(protocol, [Say(calls=[("echo", {"text": "a"})]), Say("done")], [tool("echo", echo)], window=window)
    events, result = await collect(thread.session.run("go"))
    wire: list[dict[str, Any]] = [as_json(event) for event in events]
    assert all(next(iter(entry)) == "type" for entry in wire)
    assert list(wire[-1]) == [
        "type",
        "thread_id",
        "answer",
        "stop_reason",
        "error",
        "steps",
        "pending",
        "usage",
        "model",
        "backend",
        "protocol",
    ]
    assert list(wire[-1]["steps"][0]) == ["id", "tool", "server", "args", "status", "result", "truncated", "ms"]
    assert any(isinstance(event, ToolFinished) for event in events)
    assert result.protocol == protocol


async def test_tools_are_bound_natively_or_written_into_the_prompt(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say("done")], [tool("echo", echo)])
    await collect(thread.session.run("go"))
    bound = [given.name for given in thread.model.options[0].get("tools", [])]
    assert bound == (["echo"] if protocol == "native" else [])
    assert ("echo(text: string)" in thread.model.asked[0][0].text) == (protocol == "react")


@pytest.mark.parametrize("piece", [1, 3, 1000])
async def test_the_turn_is_the_same_however_the_reply_is_cut(protocol: Protocol, piece: int) -> None:
    thread = Thread(protocol, [Say(calls=[("echo", {"text": "a"})]), Say("It is done.")], [tool("echo", echo)])
    thread.model.piece = piece
    events, result = await collect(thread.session.run("go"))
    assert "".join(e.text for e in events if isinstance(e, AnswerDelta)) == result.answer == "It is done."
    assert [step.result for step in result.steps] == ["echo: a"]


async def test_a_script_that_ends_too_early_fails_loudly(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say(calls=[("echo", {"text": "a"})])], [tool("echo", echo)])
    with pytest.raises(ScriptExhausted, match="after 1 replies"):
        await collect(thread.session.run("go"))
