"""Ctrl-C and SIGTERM: one result with every step that was settled, exit 130, no process left."""

import os
import pty
import signal
import subprocess

from tests.agent.mcp.support import alive, lives
from tests.cli.support import Place, finish, line_with


def test_a_turn_broken_off_in_a_call_keeps_its_steps(place: Place) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"calls": [["wait", {"text": "x"}]]})
    config = place.faulty("ok")
    process = place.start("-p", "go", "--yes", "--output", "stream-json", "--mcp-config", str(config))
    line_with(process.stdout, '"tool": "wait"')
    process.send_signal(signal.SIGINT)
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


def test_a_turn_broken_off_while_the_model_speaks_is_one_object(place: Place) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"answer": "I begin", "waits": True})
    process = place.start("-p", "go", "--output", "json")
    line_with(process.stderr, "list_directory()")
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    result = done.result()
    assert (done.code, result["stop_reason"], result["error"]) == (130, "interrupted", None)
    assert [step["status"] for step in result["steps"]] == ["ok"]


def test_a_signal_while_the_prompt_is_read_is_answered_with_the_object_too(place: Place) -> None:
    process = place.start("-p", "-", "--output", "json", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write("x" * 1_000_000)  # more than a pipe holds: it comes back when the program reads
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    assert (done.code, done.result()["stop_reason"]) == (130, "interrupted")


def test_a_signal_while_the_servers_start_is_answered_with_the_object_too(place: Place) -> None:
    place.say(hangs=True)
    config = place.faulty("ok")
    process = place.start("-p", "go", "--output", "json", "--mcp-config", str(config))
    line_with(process.stderr, "starting the scripted server")
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert (done.code, done.result()["stop_reason"]) == (130, "interrupted")
    assert not alive(lives(place.root))


def test_a_second_signal_does_not_lose_the_result(place: Place) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"answer": "I begin", "waits": True})
    process = place.start("-p", "go", "--output", "stream-json")
    line_with(process.stdout, '"tool_finished"')
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    (result,) = done.events()[-1:]
    assert (done.code, result["stop_reason"]) == (130, "interrupted")
    assert [step["status"] for step in result["steps"]] == ["ok"]


def test_text_says_interrupted_and_keeps_what_was_said(place: Place) -> None:
    place.say({"answer": "I begin to say", "waits": True}, piece=40)
    reading, terminal = pty.openpty()
    process = place.start("-p", "go", stdout=terminal)
    os.close(terminal)
    said = os.read(reading, 3)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    said += os.read(reading, 100)
    os.close(reading)
    assert (done.code, said) == (130, b"I begin to say\r\n")
    assert done.err.splitlines().count("interrupted") == 1
