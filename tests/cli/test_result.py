"""`-p --output json`: one object of an exact form, and the exit code that belongs to it."""

import re
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.support import Place

LIST = {"calls": [["list_directory", {}]]}
WRITE = {"calls": [["write_file", {"path": "a.txt", "content": "new"}]]}
BAD = {"raw": "Thought: hm\nAction: list_directory\nAction Input: {bad"}


def ask(cli: Cli, *options: str) -> tuple[int, dict[str, Any]]:
    done = cli("-p", "go", "--output", "json", *options)
    return done.code, done.result()


def test_an_answer_after_a_call_is_told_whole(cli: Cli, place: Place) -> None:
    (place.workspace / "notes.txt").write_text("n")
    place.say(LIST, {"answer": "There is notes.txt."})
    code, result = ask(cli)
    assert (code, result["stop_reason"], result["error"], result["pending"]) == (0, "answered", None, [])
    assert result["answer"] == "There is notes.txt."
    assert result["thread_id"]
    assert (result["model"], result["backend"], result["protocol"]) == ("scripted-1", "scripted", "react")
    (step,) = result["steps"]
    assert (step["tool"], step["server"], step["args"], step["status"]) == ("list_directory", "a2ia", {}, "ok")
    assert "notes.txt" in step["result"]
    assert step["truncated"] is False
    assert step["ms"] >= 0
    assert result["usage"] == {"model_calls": 2, "prompt_tokens": 20, "cached_tokens": 16, "completion_tokens": 10}


def test_a_native_protocol_is_named(cli: Cli, place: Place) -> None:
    place.say(LIST, {"answer": "ok"}, protocol="native")
    code, result = ask(cli)
    assert (code, result["protocol"], result["answer"], len(result["steps"])) == (0, "native", "ok", 1)


def test_react_overrules_a_native_model(cli: Cli, place: Place) -> None:
    place.say({"raw": "Thought: so\nFinal Answer: ok"}, protocol="native")
    assert ask(cli, "--react")[1]["protocol"] == "react"


def test_a_long_tool_result_is_cut_to_4000_characters_and_says_so(cli: Cli, place: Place) -> None:
    (place.workspace / "long.txt").write_text("word " * 1200)
    place.say({"calls": [["read_file", {"path": "long.txt"}]]}, {"answer": "ok"}, window=32768)
    (step,) = ask(cli)[1]["steps"]
    assert len(step["result"]) == 4000
    assert step["truncated"] is True


def test_text_of_any_script_survives(cli: Cli, place: Place) -> None:
    answer = "Größe 北京 \U0001f600 \x1b[31m \u202e \x00 end"
    place.say({"answer": answer})
    assert ask(cli)[1]["answer"] == answer


def test_half_a_character_in_an_answer_is_escaped_as_json_does_it(cli: Cli, place: Place) -> None:
    place.say({"answer": "a\udc80b"})
    code, result = ask(cli)
    assert (code, result["answer"]) == (0, "a\udc80b")


def test_a_call_that_nobody_allowed_is_pending_and_ends_with_4(cli: Cli, place: Place) -> None:
    place.say(LIST, WRITE)
    done = cli("-p", "go", "--output", "json")
    result = done.result()
    assert (done.code, result["stop_reason"], result["error"]) == (4, "denied", None)
    (pending,) = result["pending"]
    assert (pending["tool"], pending["server"]) == ("write_file", "a2ia")
    assert pending["args"] == {"path": "a.txt", "content": "new"}
    assert [step["tool"] for step in result["steps"]] == ["list_directory"]
    assert "--allow write_file" in done.err
    assert not (place.workspace / "a.txt").exists()


@pytest.mark.parametrize(
    "option", [("--yes",), ("--allow", "write_file"), ("--allow", "a2ia:*"), ("--allow", "write_*")]
)
def test_an_allowed_call_runs(cli: Cli, place: Place, option: tuple[str, ...]) -> None:
    place.say(WRITE, {"answer": "Written."})
    code, result = ask(cli, *option)
    assert (code, result["steps"][0]["status"]) == (0, "ok")
    assert (place.workspace / "a.txt").read_text() == "new"


@pytest.mark.parametrize("pattern", ["Write_file", "other:*", "write", ""])
def test_a_pattern_that_does_not_match_allows_nothing(cli: Cli, place: Place, pattern: str) -> None:
    place.say(WRITE, {"answer": "Written."})
    assert ask(cli, "--allow", "read_file", "--allow", pattern)[0] == 4


def test_the_step_limit_ends_with_5_and_what_there_is(cli: Cli, place: Place) -> None:
    place.say(LIST, LIST, LIST)
    code, result = ask(cli, "--max-steps", "2")
    assert (code, result["stop_reason"], result["error"], len(result["steps"])) == (5, "step_limit", None, 2)
    assert "2 model calls" in result["answer"]


def test_unreadable_replies_end_with_5(cli: Cli, place: Place) -> None:
    place.say(LIST, BAD, BAD, BAD)
    code, result = ask(cli)
    assert (code, result["stop_reason"], len(result["steps"])) == (5, "format_errors", 1)
    assert "JSON" in result["error"]["message"]
    assert result["error"]["hint"]
    assert result["usage"]["model_calls"] == 4


def test_an_overflow_ends_with_5(cli: Cli, place: Place) -> None:
    place.say(LIST, {"fails": "overflow"}, {"fails": "overflow"})
    code, result = ask(cli)
    assert (code, result["stop_reason"], len(result["steps"])) == (5, "overflow", 1)
    assert "9000 tokens into 8192" in result["error"]["message"]


@pytest.mark.parametrize("how", ["fails", "breaks"])
def test_a_model_server_that_breaks_off_ends_with_3_and_keeps_the_steps(cli: Cli, place: Place, how: str) -> None:
    place.say(LIST, {"answer": "I was about to say", how: "transport"})
    code, result = ask(cli)
    assert (code, result["stop_reason"], result["error"]["type"]) == (3, "error", "ModelServerError")
    assert result["error"]["hint"]
    assert [step["status"] for step in result["steps"]] == ["ok"]


def test_a_model_server_that_is_not_there_ends_with_3(cli: Cli, place: Place) -> None:
    place.say(refuse=True)
    code, result = ask(cli)
    assert (code, result["error"]["message"]) == (3, "The scripted server does not answer.")


def test_a_bug_ends_with_1_and_loses_nothing(cli: Cli, place: Place) -> None:
    place.say(LIST, {"fails": "bug"})
    code, result = ask(cli)
    assert (code, result["stop_reason"], result["model"]) == (1, "error", "scripted-1")
    assert result["thread_id"]
    assert len(result["steps"]) == 1
    assert "--debug" in result["error"]["hint"]


def test_a_stream_is_one_object_a_line_and_the_result_last(cli: Cli, place: Place) -> None:
    place.say({**LIST, "thought": "Look."}, BAD, {"answer": "Two\nlines."})
    events = cli("-p", "go", "--output", "stream-json").events()
    kinds = [event["type"] for event in events]
    assert kinds[0] == "turn_started"
    assert [k for k in kinds if not k.endswith("_delta")] == [
        "turn_started",
        "tool_started",
        "tool_finished",
        "format_error",
        "result",
    ]
    answer = "".join(event["text"] for event in events if event["type"] == "answer_delta")
    assert answer == events[-1]["answer"] == "Two\nlines."
    assert "Look." in "".join(event["text"] for event in events if event["type"] == "thought_delta")
    started, finished = (next(e for e in events if e["type"] == f"tool_{when}") for when in ("started", "finished"))
    assert started["id"] == finished["id"] == events[-1]["steps"][0]["id"]
    assert {event.get("thread_id") for event in (events[0], events[-1])} == {events[-1]["thread_id"]}


def test_a_stream_tells_of_the_yes_that_is_missing(cli: Cli, place: Place) -> None:
    place.say(WRITE)
    done = cli("-p", "go", "--output", "stream-json")
    *_, asked, result = done.events()
    assert (done.code, asked["type"], asked["calls"]) == (4, "approval_requested", result["pending"])


def test_text_is_the_answer_alone_and_everything_else_is_on_standard_error(cli: Cli, place: Place) -> None:
    place.say({**LIST, "thought": "Look."}, {"answer": "Nothing\nhere."})
    done = cli("-p", "go")
    assert (done.code, done.out) == (0, "Nothing\nhere.\n")
    assert "list_directory()" in done.err
    assert "Look." not in done.out + done.err
    assert "\x1b" not in done.out + done.err


def test_text_shows_the_partial_answer_and_then_the_error(cli: Cli, place: Place) -> None:
    place.say({"answer": "I was about to say more.", "breaks": "transport"}, piece=40)
    done = cli("-p", "go")
    assert done.code == 3
    assert done.out.startswith("I was") and done.out.endswith("\n")
    assert re.search(r"^error: The scripted server broke off", done.err, re.M)


def test_text_of_a_step_limit_says_which_option_allows_more(cli: Cli, place: Place) -> None:
    place.say(LIST)
    done = cli("-p", "go", "--max-steps", "1")
    assert done.code == 5
    assert "1 model calls" in done.out
    assert "--max-steps" in done.err


def test_markup_and_control_characters_of_a_tool_do_not_reach_the_terminal(cli: Cli, place: Place) -> None:
    (place.workspace / "evil.txt").write_text("[bold red]\\[x] \x1b]0;title\x07 :boom: \u202e")
    place.say({"calls": [["read_file", {"path": "evil.txt"}]]}, {"answer": "ok"})
    done = cli("-p", "go")
    (line,) = [line for line in done.err.splitlines() if "read_file" in line]
    assert "[bold red]\\[x]" in line
    assert ":boom:" in line
    assert not {"\x1b", "\x07", "\u202e"} & set(line)


@pytest.mark.parametrize("output", ["json", "stream-json"])
def test_an_object_is_one_line_for_any_reader_of_lines(cli: Cli, place: Place, output: str) -> None:
    answer = "odd \u2028 line \u2029 ends \u0085 here"
    place.say({"answer": answer})
    done = cli("-p", "go", "--output", output)
    assert done.out.endswith("\n")
    assert done.events()[-1]["answer"] == answer


@pytest.mark.parametrize(
    ("first", "protocol"),
    [
        ({"answer": "I will look.", "calls": [["list_directory", {}]]}, "native"),
        ({"answer": "I will write.", "calls": [["write_file", {"path": "a", "content": "b"}]]}, "native"),
        ({"answer": "It is half", "finish": "length"}, "native"),
        ({"answer": "It is half", "finish": "length"}, "react"),
    ],
    ids=["before a call", "before a denied call", "cut, native", "cut, react"],
)
def test_a_text_that_was_no_answer_stays_out_of_the_output(
    cli: Cli, place: Place, first: dict[str, Any], protocol: str
) -> None:
    place.say(first, {"answer": "It is whole."}, protocol=protocol)
    done = cli("-p", "go", "--output", "text")
    assert done.out == ("" if done.code == 4 else "It is whole.\n")
