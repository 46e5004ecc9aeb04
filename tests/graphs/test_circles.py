from itertools import count

from graphs.state import Protocol
from tests.fakes import Say
from tests.graphs.threads import Thread, collect, tool


async def look(name: str) -> str:
    """Look for it."""
    return f"there is no {name}"


def looks(*names: str) -> list[Say]:
    return [Say(calls=[("look", {"name": name})]) for name in names]


async def test_a_call_made_a_third_time_is_refused_and_the_next_reply_is_the_answer(protocol: Protocol) -> None:
    thread = Thread(protocol, [*looks("a", "a", "a"), Say("There is no a.")], [tool("look", look)])
    _, result = await collect(thread.session.run("go"))
    assert [step.status for step in result.steps] == ["ok", "ok", "error"]
    assert "made twice" in result.steps[-1].result and result.answer == "There is no a."


async def test_two_calls_that_take_turns_are_a_circle_too(protocol: Protocol) -> None:
    thread = Thread(protocol, [*looks("a", "b", "a", "b", "a"), Say("Neither.")], [tool("look", look)])
    _, result = await collect(thread.session.run("go"))
    assert [step.status for step in result.steps] == ["ok", "ok", "ok", "ok", "error"]


async def test_a_call_whose_result_changes_goes_on(protocol: Protocol) -> None:
    numbers = count()

    async def poll() -> str:
        """Say how far it is."""
        return f"{next(numbers)} percent"

    thread = Thread(protocol, [*[Say(calls=[("poll", {})])] * 5, Say("done")], [tool("poll", poll)])
    _, result = await collect(thread.session.run("go"))
    assert [step.status for step in result.steps] == ["ok"] * 5


async def test_a_new_turn_may_ask_again(protocol: Protocol) -> None:
    script = [*looks("a", "a"), Say("No."), *looks("a"), Say("Still no.")]
    thread = Thread(protocol, script, [tool("look", look)])
    await collect(thread.session.run("go"))
    _, result = await collect(thread.session.run("look again"))
    assert [step.status for step in result.steps] == ["ok"]


async def test_a_tool_that_keeps_failing_is_given_up(protocol: Protocol) -> None:
    async def seek(name: str) -> str:
        """Seek it."""
        raise ValueError(f"no {name}")

    calls = [Say(calls=[("seek", {"name": str(number)})]) for number in range(6)]
    thread = Thread(protocol, [*calls, Say("It is not there.")], [tool("seek", seek)])
    _, result = await collect(thread.session.run("go"))
    assert "no 4" in result.steps[4].result and "calls of this tool failed" in result.steps[5].result
    assert result.answer == "It is not there."
