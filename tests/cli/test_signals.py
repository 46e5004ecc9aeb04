"""Ctrl-C and SIGTERM: one result with every step that was settled, exit 130, no process left."""

import signal
import time

import pytest

from tests.agent.mcp.support import alive, lives
from tests.cli.support import Place, finish, line_with

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_turn_broken_off_in_a_call_keeps_its_steps(place: Place, number: signal.Signals) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"calls": [["wait", {"text": "x"}]]})
    config = place.faulty("ok")
    process = place.start("-p", "go", "--yes", "--output", "stream-json", "--mcp-config", str(config))
    line_with(process.stdout, '"tool": "wait"')
    process.send_signal(number)
    done = finish(process)
    (result,) = done.events()[-1:]
    assert (done.code, result["stop_reason"], result["error"]) == (130, "interrupted", None)
    assert [(step["tool"], step["status"]) for step in result["steps"]] == [
        ("list_directory", "ok"),
        ("wait", "interrupted"),
    ]
    assert "whether it took effect is unknown" in result["steps"][1]["result"]
    assert "Traceback" not in done.err and "never retrieved" not in done.err
    assert lives(place.root) and not alive(lives(place.root))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_turn_broken_off_while_the_model_speaks_is_one_object(place: Place, number: signal.Signals) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"answer": "I begin", "waits": True})
    process = place.start("-p", "go", "--output", "json")
    line_with(process.stderr, "list_directory()")
    process.send_signal(number)
    done = finish(process)
    result = done.result()
    assert (done.code, result["stop_reason"], result["error"]) == (130, "interrupted", None)
    assert [step["status"] for step in result["steps"]] == ["ok"]


def test_a_signal_before_the_session_is_there_is_answered_with_the_object_too(place: Place) -> None:
    place.say({"answer": "never", "waits": True})
    process = place.start("-p", "-", "--output", "json", stdin=-1)
    deadline = time.monotonic() + 20
    while not _handles_sigterm(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    assert (done.code, done.result()["stop_reason"]) == (130, "interrupted")


def test_a_second_signal_does_not_lose_the_result(place: Place) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"answer": "I begin", "waits": True})
    process = place.start("-p", "go", "--output", "json")
    line_with(process.stderr, "list_directory()")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    result = done.result()
    assert (done.code, result["stop_reason"]) == (130, "interrupted")
    assert [step["status"] for step in result["steps"]] == ["ok"]


def test_text_says_interrupted_and_keeps_what_was_said(place: Place) -> None:
    place.say({"answer": "I begin to say", "waits": True}, piece=40)
    process = place.start("-p", "go")
    assert process.stdout is not None
    assert process.stdout.read(3) == "I b"
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code == 130
    assert done.out.endswith("\n")
    assert done.err.splitlines().count("interrupted") == 1


def _handles_sigterm(pid: int) -> bool:
    """Tell whether the process blocks or catches SIGTERM by now (Linux); before, it is still Python that starts."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        masks = dict(line.split(":\t") for line in status if line.startswith(("SigBlk", "SigCgt")))
    return any(int(mask, 16) & (1 << (signal.SIGTERM - 1)) for mask in masks.values())
