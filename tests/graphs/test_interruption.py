import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from graphs.events import ApprovalRequested, PendingCall, Result
from graphs.session import Decisions
from graphs.state import Protocol
from tests.fakes import Say
from tests.graphs.killed import tools as journal_tools
from tests.graphs.threads import Thread, collect, tool

ROOT = Path(__file__).parents[2]


async def quick() -> str:
    """Quick it."""
    return "quick ran"


class Hanging:
    """A tool that says when it runs and then never ends."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.runs = 0

    async def hang(self) -> str:
        """Hang it."""
        self.runs += 1
        self.running.set()
        await asyncio.Event().wait()
        return "never"


async def cancel_when(thread: Thread, ready: asyncio.Event, finished: int = 0) -> list[Any]:
    """Run a turn; cancel it once `ready` is set and `finished` calls are committed. Return its events."""
    events: list[Any] = []

    async def consume() -> None:
        async for event in thread.session.run("go"):
            events.append(event)

    async with asyncio.timeout(10):
        turn = asyncio.create_task(consume())
        await ready.wait()
        while sum(bool(t.result) for t in (await thread.graph.aget_state(thread.config)).tasks) < finished:
            await asyncio.sleep(0)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
    return events


def assert_every_call_has_one_result(messages: Sequence[Any]) -> None:
    calls = [str(call["id"]) for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    results = [m.tool_call_id for m in messages if isinstance(m, ToolMessage)]
    assert sorted(calls) == sorted(results)


async def test_a_cancel_in_mid_call_settles_the_call_and_the_thread_goes_on(protocol: Protocol) -> None:
    hanging = Hanging()
    thread = Thread(protocol, [Say(calls=[("hang", {})]), Say("still here")], [tool("hang", hanging.hang)])
    events = await cancel_when(thread, hanging.running)
    result = events[-1]
    assert isinstance(result, Result) and result.stop_reason == "interrupted"
    assert [step.status for step in result.steps] == ["interrupted"]
    messages = await thread.messages()
    assert_every_call_has_one_result(messages)
    assert "unknown" in messages[-1].content
    _, again = await collect(thread.session.run("and now?"))
    assert again.answer == "still here" and hanging.runs == 1


async def test_a_cancel_keeps_what_a_sibling_call_had_finished(protocol: Protocol) -> None:
    hanging = Hanging()
    script = [Say(calls=[("quick", {}), ("hang", {})]), Say("ok")]
    thread = Thread(protocol, script, [tool("quick", quick), tool("hang", hanging.hang)], bare=True)
    events = await cancel_when(thread, hanging.running, finished=1)
    assert {step.tool: step.status for step in events[-1].steps} == {"quick": "ok", "hang": "interrupted"}
    await collect(thread.session.run("next"))
    messages = await thread.messages()
    assert_every_call_has_one_result(messages)
    assert "quick ran" in [m.content for m in messages if isinstance(m, ToolMessage)]
    assert [type(m) for m in messages[:4]] == [HumanMessage, AIMessage, ToolMessage, ToolMessage]


async def test_a_cancelled_model_call_leaves_a_usable_thread(protocol: Protocol) -> None:
    never = asyncio.Event()
    thread = Thread(protocol, [Say("slow words", wait=never), Say("fresh")])
    async with asyncio.timeout(10):
        started = asyncio.Event()

        async def consume() -> None:
            async for event in thread.session.run("go"):
                if event.type == "turn_started":
                    started.set()

        turn = asyncio.create_task(consume())
        await started.wait()
        await thread.model.called.wait()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
    _, result = await collect(thread.session.run("again"))
    assert result.answer == "fresh"


@pytest.fixture
def killed(tmp_path: Path, protocol: Protocol) -> tuple[str, Path]:
    """A database with a thread whose process was killed between two calls, and the journal of its tools."""
    database, journal = str(tmp_path / "threads.db"), tmp_path / "journal"
    command = [sys.executable, "-P", "-m", "tests.graphs.killed", database, protocol, str(journal)]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(set(journal.read_text(encoding="utf-8").split())) == ["look", "quick", "slow"]
    return database, journal


async def test_after_a_kill_only_what_may_run_again_does(protocol: Protocol, killed: tuple[str, Path]) -> None:
    database, journal = killed
    journal.unlink()
    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        thread = Thread(
            protocol,
            [Say("picked up")],
            journal_tools(journal),
            bare=True,
            saver=saver,
            may_rerun=lambda call: call["name"] == "look",
        )
        _, result = await collect(thread.session.resume())
        messages = await thread.messages()
    assert result.answer == "picked up"
    assert journal.read_text(encoding="utf-8").split() == ["look"]
    outcome = {m.name: m.artifact["status"] for m in messages if isinstance(m, ToolMessage)}
    assert outcome == {"quick": "ok", "slow": "interrupted", "look": "ok"}
    assert_every_call_has_one_result(messages)


async def test_after_a_kill_a_new_message_settles_all_calls(protocol: Protocol, killed: tuple[str, Path]) -> None:
    database, journal = killed
    journal.unlink()
    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        thread = Thread(protocol, [Say("hello again")], journal_tools(journal), bare=True, saver=saver)
        _, result = await collect(thread.session.run("what happened?"))
        messages = await thread.messages()
    assert result.answer == "hello again" and not journal.exists()
    assert_every_call_has_one_result(messages)
    assert [type(m) for m in messages[-2:]] == [HumanMessage, AIMessage]


async def test_a_server_without_a_session_settles_open_calls_before_the_new_message(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say("fine")], [tool("quick", quick)], bare=True)
    call = {"id": "c1", "name": "quick", "args": {}}
    history: list[AnyMessage] = [HumanMessage("go"), AIMessage("", tool_calls=[call]), HumanMessage("next")]
    state = await thread.graph.ainvoke({"messages": history}, thread.config)
    assert [type(m) for m in state["messages"]] == [HumanMessage, AIMessage, ToolMessage, HumanMessage, AIMessage]
    assert state["messages"][2].artifact["status"] == "interrupted"


async def test_a_server_without_a_session_keeps_what_a_sibling_call_had_finished(protocol: Protocol) -> None:
    hanging = Hanging()
    script = [Say(calls=[("hang", {}), ("quick", {})]), Say("ok")]
    thread = Thread(protocol, script, [tool("quick", quick), tool("hang", hanging.hang)], bare=True)
    async with asyncio.timeout(10):
        run = asyncio.create_task(thread.graph.ainvoke({"messages": [HumanMessage("go")]}, thread.config))
        await hanging.running.wait()
        while not any(task.result for task in (await thread.graph.aget_state(thread.config)).tasks):
            await asyncio.sleep(0)
        run.cancel()
        await asyncio.wait({run})
    state = await thread.graph.ainvoke({"messages": [HumanMessage("next")]}, thread.config)
    messages = state["messages"]
    assert [type(m) for m in messages] == [HumanMessage, AIMessage, ToolMessage, ToolMessage, HumanMessage, AIMessage]
    assert [m.artifact["status"] for m in messages[2:4]] == ["interrupted", "ok"]
    assert messages[3].content == "quick ran" and hanging.runs == 1


async def test_a_call_that_needs_a_yes_ends_a_run_without_a_terminal(protocol: Protocol) -> None:
    thread = Thread(protocol, [Say(calls=[("quick", {})])], [tool("quick", quick)], needs_yes=lambda call: True)
    events, result = await collect(thread.session.run("go"))
    assert (result.stop_reason, result.steps) == ("denied", [])
    assert [(call.tool, call.server, call.args) for call in result.pending] == [("quick", "test", {})]
    assert [e for e in events if isinstance(e, ApprovalRequested)]


@pytest.mark.parametrize(
    ("decision", "status", "text"),
    [
        ({"decision": "approve"}, "ok", "got a"),
        ({"decision": "edit", "args": {"text": "b"}}, "ok", "got b"),
        ({"decision": "deny", "reason": "too risky"}, "denied", "too risky"),
    ],
)
async def test_a_decision_is_obeyed(protocol: Protocol, decision: dict[str, Any], status: str, text: str) -> None:
    async def take(text: str) -> str:
        """Take it."""
        return f"got {text}"

    async def approve(calls: Sequence[PendingCall]) -> Decisions:
        return {call.id: decision for call in calls}

    script = [Say(calls=[("take", {"text": "a"})]), Say("done")]
    thread = Thread(protocol, script, [tool("take", take)], needs_yes=lambda call: True, approve=approve)
    _, result = await collect(thread.session.run("go"))
    assert result.stop_reason == "answered"
    assert [(step.status, text in step.result) for step in result.steps] == [(status, True)]
    assert text in str(thread.model.asked[1][-1].content)
    if decision["decision"] == "edit":
        sent = thread.model.asked[1][-2]
        said = sent.tool_calls[0]["args"] if protocol == "native" else sent.content  # type: ignore[attr-defined]
        assert "b" in str(said) and "'a'" not in str(said) and result.steps[0].args == {"text": "b"}


async def test_only_the_calls_that_need_a_yes_are_asked_for(protocol: Protocol) -> None:
    asked: list[str] = []

    async def approve(calls: Sequence[PendingCall]) -> Decisions:
        asked.extend(call.tool for call in calls)
        return {}

    async def other() -> str:
        """Other it."""
        return "other ran"

    script = [Say(calls=[("quick", {}), ("other", {})]), Say("done")]
    tools = [tool("quick", quick), tool("other", other)]
    thread = Thread(protocol, script, tools, bare=True, needs_yes=lambda call: call["name"] == "other", approve=approve)
    _, result = await collect(thread.session.run("go"))
    assert asked == ["other"]
    assert {step.tool: step.status for step in result.steps} == {"quick": "ok", "other": "denied"}


async def test_a_thread_can_change_its_protocol(protocol: Protocol) -> None:
    thread = Thread(
        "native",
        [Say(calls=[("quick", {})]), Say("one"), Say("Thought: x\nFinal Answer: two")],
        [tool("quick", quick)],
        bare=True,
    )
    await collect(thread.session.run("go"))
    state = await thread.graph.ainvoke({"messages": [HumanMessage("more")], "protocol": protocol}, thread.config)
    assert state["protocol"] == protocol and len(thread.model.asked) == 3
