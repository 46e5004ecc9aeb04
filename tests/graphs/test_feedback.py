"""What a model is told of calls that cannot be made, and of calls that it makes again."""

from collections.abc import Sequence
from itertools import count
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import ToolException
from pydantic import Field

from graphs.events import PendingCall
from graphs.history import call_tasks
from graphs.session import Decisions
from graphs.state import CallStatus, Protocol, call_result
from tests.fakes import Say
from tests.graphs.threads import Thread, collect, tool


async def echo(text: str) -> str:
    """Echo it."""
    return f"echo: {text}"


def says(name: str, /, **args: Any) -> Say:
    return Say(calls=[(name, args)])


async def results(thread: Thread) -> list[str]:
    return [m.text for m in await thread.messages() if isinstance(m, ToolMessage)]


@pytest.mark.parametrize("bad", [("ecko", {"text": "a"}), ("echo", {"txt": "a"}), ("echo", {"text": ["a"]})])
async def test_three_calls_that_cannot_be_made_end_the_turn_each_told_more(
    protocol: Protocol, bad: tuple[str, dict[str, Any]]
) -> None:
    thread = Thread(protocol, [Say(calls=[bad])] * 3, [tool("echo", echo)], bare=True)
    _, result = await collect(thread.session.run("go"))
    assert (result.stop_reason, len(result.steps)) == ("format_errors", 3)
    assert result.error is not None and result.error.exit_code == 5
    first, second, third = await results(thread)
    assert "echo" in first and second.startswith(first) and len(second) > len(first)
    assert third.splitlines()[0] in result.error.message


async def test_a_call_that_can_be_made_forgives_those_before(protocol: Protocol) -> None:
    bad = says("echo", txt="a")
    script = [bad, bad, says("echo", text="a"), bad, bad, Say("done")]
    _, result = await collect(Thread(protocol, script, [tool("echo", echo)], bare=True).session.run("go"))
    assert (result.stop_reason, result.answer) == ("answered", "done")


async def test_unreadable_replies_and_wrong_arguments_count_together(protocol: Protocol) -> None:
    script = [says("echo", txt="a"), Say(malformed=("echo", "[{a")), says("ecko")]
    _, result = await collect(Thread(protocol, script, [tool("echo", echo)], bare=True).session.run("go"))
    assert (result.stop_reason, result.usage.model_calls) == ("format_errors", 3)


async def test_a_turn_that_failed_three_times_and_died_ends_when_it_is_resumed(protocol: Protocol) -> None:
    thread = Thread(protocol, [], [tool("echo", echo)], bare=True)
    wrong: list[Any] = [HumanMessage("go")]
    for number in range(3):
        call = ToolCall(name="ecko", args={}, id=str(number), type="tool_call")
        wrong += [AIMessage("", tool_calls=[call]), call_result(call, "no such tool", "error", format_error=True)]
    await thread.graph.aupdate_state(thread.config, {"messages": wrong}, as_node="tools")
    _, result = await collect(thread.session.resume())
    assert (result.stop_reason, result.steps, thread.model.asked) == ("format_errors", [], [])


class Counting:
    """A tool that says how often it was run."""

    def __init__(self) -> None:
        self.runs = count(1)

    async def look(self, name: str = "") -> str:
        """Look for it."""
        return f"{name} seen {next(self.runs)} times"


async def run(protocol: Protocol, script: list[Say], **metadata: Any) -> Any:
    looks = tool("look", Counting().look, **metadata)
    thread = Thread(protocol, [*script, Say("done")], [looks, tool("echo", echo)])
    return (await collect(thread.session.run("go")))[1]


async def test_a_reading_call_made_again_is_answered_from_the_first_and_then_the_run_concludes(
    protocol: Protocol,
) -> None:
    result = await run(protocol, [says("look", name="a")] * 3, read_only=True)
    first, second, third = [step.result for step in result.steps]
    assert first == "a seen 1 times" and second.endswith(first) and "same call before" in second
    assert "Give the Final Answer" in third
    assert [step.status for step in result.steps] == ["ok", "ok", "error"] and result.answer == "done"


async def test_reading_calls_that_take_turns_are_answered_from_the_first_too(protocol: Protocol) -> None:
    script = [says("look", name=name) for name in "abab"]
    result = await run(protocol, script, read_only=True)
    assert [step.result[-12:] for step in result.steps] == ["seen 1 times", "seen 2 times"] * 2


async def test_after_a_call_that_may_change_something_a_reading_call_runs_again(protocol: Protocol) -> None:
    script = [says("look", name="a"), says("echo", text="x"), says("look", name="a")]
    result = await run(protocol, script, read_only=True)
    assert [step.result for step in result.steps][-1] == "a seen 2 times"


@pytest.mark.parametrize("hints", [{}, {"read_only": True, "open_world": True}])
async def test_what_may_change_by_itself_is_asked_again(protocol: Protocol, hints: dict[str, bool]) -> None:
    result = await run(protocol, [says("look", name="a")] * 4, **hints)
    assert [step.result for step in result.steps] == [f"a seen {n} times" for n in range(1, 5)]


@pytest.mark.parametrize(("status", "runs"), [("denied", 1), ("interrupted", 1), ("ok", 0)])
def test_a_reading_call_that_was_not_run_to_its_end_is_run_when_it_is_made_again(status: CallStatus, runs: int) -> None:
    first, again = (ToolCall(name="look", args={}, id=identity, type="tool_call") for identity in "12")
    messages: list[Any] = [AIMessage("", tool_calls=[first]), call_result(first, "x", status)]
    (task,) = call_tasks([HumanMessage("go"), *messages, AIMessage("", tool_calls=[again])], {"look"})
    assert (task["known"] is None) is bool(runs)


async def test_a_new_turn_reads_anew(protocol: Protocol) -> None:
    looks = tool("look", Counting().look, read_only=True)
    script = [says("look", name="a"), Say("once"), says("look", name="a"), Say("twice")]
    thread = Thread(protocol, script, [looks])
    await collect(thread.session.run("go"))
    _, result = await collect(thread.session.run("again"))
    assert result.steps[0].result == "a seen 2 times"


@pytest.mark.parametrize("mended", [False, True])
async def test_a_call_that_failed_twice_alike_is_made_again_only_if_something_was_changed(
    protocol: Protocol, mended: bool
) -> None:
    looks = count()

    async def send(to: str) -> str:
        raise ToolException(f"Nobody is called {to}")

    async def look() -> str:
        return f"look {next(looks)}"

    between = ["look", "add"] if mended else ["look", "look"]
    script = [one for name in between for one in (says("send", to="Ann"), says(name))]
    tools = [tool("send", send), tool("look", look, read_only=True, open_world=True), tool("add", look)]
    thread = Thread(protocol, [*script, says("send", to="Ann"), Say("I cannot.")], tools)
    _, result = await collect(thread.session.run("go"))
    assert ("made twice" in result.steps[-1].result) is not mended


@pytest.mark.parametrize(("asked", "sent"), [("Report that all is well.", 0), ("Report to Tom Lind.", 1)])
async def test_nothing_is_changed_with_what_only_an_example_tells(asked: str, sent: int) -> None:
    got: list[str] = []

    async def send(to: str, text: str) -> str:
        got.append(to)
        return "sent"

    script = [says("send", to="Tom Lind", text="fine"), Say("Whom shall I tell?")]
    thread = Thread("react", script, [tool("send", send)])
    _, result = await collect(thread.session.run(asked))
    assert len(got) == sent and ("nothing said here tells its to" in result.steps[0].result) is (sent == 0)


NO_LAMP = "There is no lamp desk; list_lamps tells the codes."


def free(thread: Thread) -> list[bool]:
    """Return for each reply of a ReAct thread whether it was free to be an answer."""
    return ["| final" in options["constraint"] for options in thread.model.options]


@pytest.mark.parametrize(
    ("said", "error", "held"),
    [
        (NO_LAMP, False, True),
        (NO_LAMP, True, True),
        ("There is no lamp desk.", False, True),
        ("There is no lamp desk.", True, True),
        ("No lamp is on.", False, False),
        ("The lamps do not answer.", True, False),
        ("dim did not finish within 120 s; whether it took effect is unknown.", True, False),
        ("Dimmed. Bulb type: unknown.", False, False),
        ('[{"lamp": "L1", "name": "Unknown lamp"}]', False, False),
        (f"L1: {'a lamp, ' * 30} there is no other", False, False),
        ("The lamp is on; list_lamps tells the others.", False, False),
    ],
)
async def test_a_call_that_failed_with_a_way_out_is_followed_by_a_call(said: str, error: bool, held: bool) -> None:
    async def dim(lamp: str) -> str:
        if error:
            raise ToolException(said)
        return said

    async def list_lamps() -> str:
        return "L1 desk"

    script = [says("dim", lamp="desk"), says("list_lamps"), says("dim", lamp="L1"), Say("There is none.")]
    thread = Thread("react", script, [tool("dim", dim), tool("list_lamps", list_lamps)])
    await collect(thread.session.run("Dim the desk lamp."))
    assert free(thread) == [True, not held, True, True]


async def test_look_ups_that_no_result_names_are_asked_for_once() -> None:
    async def dim(lamp: str) -> str:
        return "There is no such lamp."

    async def list_lamps() -> str:
        return "There is no lamp."

    script = [says("dim", lamp="desk"), says("list_lamps"), says("dim", lamp="study"), Say("There is none.")]
    tools = [tool("dim", dim), tool("list_lamps", list_lamps), tool("find_lamps", echo)]
    thread = Thread("react", script, tools)
    await collect(thread.session.run("Dim the desk lamp."))
    assert free(thread) == [True, False, True, True]


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("lamp_by_room", True),
        ("room_by_name", False),
        ("lamp_price", False),
        ("list_lamps", True),
        ("list_airports", False),
    ],
)
async def test_a_look_up_is_about_the_call_or_gives_its_argument_from_another(name: str, held: bool) -> None:
    async def dim(lamp: str) -> str:
        return "There is no such lamp." if lamp == "desk" else "Dimmed."

    script = [says("dim", lamp="desk"), says(name, text="L1"), says("dim", lamp="L1"), Say("Done.")]
    thread = Thread("react", script, [tool("dim", dim), tool(name, echo)])
    await collect(thread.session.run("Dim the desk lamp."))
    assert free(thread) == [True, not held, True, True]
    assert ("Call dim again" in thread.model.asked[2][-1].text) is held


async def test_a_tool_that_gives_what_an_argument_is_comes_before_other_look_ups() -> None:
    async def distance(from_: Annotated[str, Field(description="The zip code of the place")]) -> str:
        return "There is no such place."

    script = [says("distance", from_="Oslo"), says("code_based_on_city", text="Oslo"), Say("There is none.")]
    tools = [tool("distance", distance), tool("code_based_on_city", echo), tool("find_shop", echo)]
    thread = Thread("react", script, tools)
    await collect(thread.session.run("How far is Oslo?"))
    held = thread.model.options[1]["constraint"]
    assert "Action: code_based_on_city" in held and "Action: find_shop" not in held and "| final" not in held
    assert "Call distance again" in thread.model.asked[2][-1].text


async def test_a_call_with_wrong_arguments_is_free_to_be_made_again() -> None:
    async def dim(lamp: int) -> str:
        return "Dimmed."

    tools = [tool("dim", dim), tool("list_lamps", echo)]
    thread = Thread("react", [says("dim", lamp="no such lamp"), says("dim", lamp=1), Say("Done.")], tools)
    await collect(thread.session.run("Dim lamp 1."))
    assert free(thread) == [True, True, True]


async def test_an_edit_that_failed_is_tried_once_more() -> None:
    async def edit_file(path: str, old: str, new: str) -> str:
        raise ToolException("The text old is not in 'a'. Only its spaces differ. Call edit_file again with old: b=1")

    wrong = says("edit_file", path="a", old="b = 1", new="b = 2")
    thread = Thread("react", [wrong, wrong, Say("There is no b.")], [tool("edit_file", edit_file, builtin=True)])
    await collect(thread.session.run("Set b to 2."))
    assert free(thread) == [True, False, True]


async def test_a_reply_after_a_call_that_was_refused_is_held_to_an_answer() -> None:
    thread = Thread("react", [*[says("look", name="a")] * 3, Say("a")], [tool("look", Counting().look, read_only=True)])
    await collect(thread.session.run("go"))
    assert ["call_0" in options["constraint"] for options in thread.model.options] == [True, True, True, False]


async def pay(amount: int) -> str:
    """Pay it."""
    return f"paid {amount}"


async def allow_all(waiting: Sequence[PendingCall]) -> Decisions:
    return {call.id: {"decision": "approve"} for call in waiting}


async def statuses(protocol: Protocol, script: list[Say], needs_yes: bool = False, **metadata: Any) -> list[str]:
    tools = [tool("pay", pay, **metadata), tool("echo", echo)]
    thread = Thread(protocol, [*script, Say("done")], tools, needs_yes=lambda call: needs_yes, approve=allow_all)
    _, result = await collect(thread.session.run("go"))
    assert result.answer == "done"
    return [step.result[:10] for step in result.steps]


async def test_a_call_that_changes_something_is_made_again_only_if_the_model_says_so_twice(protocol: Protocol) -> None:
    assert await statuses(protocol, [says("pay", amount=5)] * 3) == ["paid 5", "This same ", "paid 5"]


async def test_it_is_made_no_third_time_and_the_next_reply_is_the_answer(protocol: Protocol) -> None:
    thread = Thread(protocol, [*[says("pay", amount=5)] * 4, Say("Paid.")], [tool("pay", pay)])
    _, result = await collect(thread.session.run("go"))
    assert [step.status for step in result.steps] == ["ok", "error", "ok", "error"]
    assert "Give the Final Answer" in result.steps[-1].result and result.answer == "Paid."


@pytest.mark.parametrize(
    "between", [says("pay", amount=7), says("echo", text="x")], ids=["another amount", "another change"]
)
async def test_after_another_change_it_is_made_again(protocol: Protocol, between: Say) -> None:
    made = await statuses(protocol, [says("pay", amount=5), between, says("pay", amount=5)])
    assert made[0] == made[2] == "paid 5"


@pytest.mark.parametrize("hints", [{"idempotent": True}, {"builtin": True}, {"read_only": True, "open_world": True}])
async def test_a_call_that_may_be_made_again_is(protocol: Protocol, hints: dict[str, bool]) -> None:
    assert await statuses(protocol, [says("pay", amount=5)] * 2, **hints) == ["paid 5", "paid 5"]


async def test_a_call_that_a_person_allowed_again_is_made(protocol: Protocol) -> None:
    assert await statuses(protocol, [says("pay", amount=5)] * 2, needs_yes=True) == ["paid 5", "paid 5"]
