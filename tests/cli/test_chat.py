"""The interactive session, at a real terminal: what is asked, answered, stopped, and how it ends."""

import signal

import pytest

from tests.agent.mcp.support import alive, lives
from tests.cli.support import Place
from tests.cli.terminal import CTRL_C, CTRL_D, Terminal

pytestmark = pytest.mark.timeout(300)  # each starts programs, on whatever machine

WRITE = {"calls": [["write_file", {"path": "a.txt", "content": "new\n"}]], "thought": "I write it."}
EDIT = {"calls": [["edit_file", {"path": "a.txt", "old": "new", "new": "newer"}]]}


def run(command: str) -> dict[str, object]:
    return {"calls": [["execute_command", {"command": command}]]}


def test_a_turn_shows_the_dimmed_thought_the_call_its_result_and_the_answer_as_markdown(place: Place) -> None:
    place.workspace.joinpath("a.txt").write_text("first line\nsecond\nthird\n")
    answer = "# Title\n\nIt is **bold**, see:\n\n- one\n- two\n\n```python\nx = 1\n```\n\nThe end of it."
    place.say({"calls": [["read_file", {"path": "a.txt"}]], "thought": "I look."}, {"answer": answer})
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect("The end of it.")
        terminal.expect("window 15/8192")
        shown = [row for row in terminal.rows if row]
        assert shown[1:6] == [
            "> hi",
            "  I look.",
            '✓ read_file(path="a.txt") 0.0 s',
            "  first line (+2 lines)",
            "  so",
        ]
        assert shown[6:8] == ["Title", "It is bold, see:"]
        assert shown[8:10] == [" • one", " • two"]
        assert "scripted-1 · scripted · react · window 15/8192" in shown[-1] and "cache 80%" in shown[-1]
        assert "\x1b[2m  I look.\x1b[0m" in terminal.raw
        assert terminal.style_of("bold, see") == "bold default"
        assert terminal.style_of("✓") == "green"
        assert "**" not in terminal.text and "```" not in terminal.text
        terminal.type(CTRL_D)
        assert terminal.leave() == 0
    assert "Traceback" not in terminal.raw
    assert terminal.raw.rindex("\x1b[?2004l") > terminal.raw.rindex("\x1b[?2004h")  # as it was before


def test_a_change_is_shown_as_a_diff_before_the_yes_and_a_no_tells_the_model_why(place: Place) -> None:
    place.say(
        WRITE, EDIT, {"answer": "As you like."}, {"calls": [["edit_file", {"path": "b", "old": "x", "new": "y"}]]}
    )
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.enter("write it")
        terminal.expect("Run it? [y]es, [a]lways write_file in this session")
        terminal.expect("  --- /dev/null\n  +++ a.txt\n  @@ -0,0 +1 @@\n  +new\n")
        terminal.type("\r")  # Enter alone is no answer
        terminal.enter("y")
        terminal.expect("Created a.txt (1 line).")
        terminal.expect("  --- a.txt\n  +++ a.txt\n  @@ -1 +1 @@\n  -new\n  +newer\n")
        assert terminal.style_of("+newer") == "green"
        assert place.workspace.joinpath("a.txt").read_text() == "new\n"
        terminal.expect("?")
        terminal.enter("no, leave it")
        terminal.expect("The user did not allow edit_file: leave it")
        terminal.expect("As you like.")
        terminal.enter("again")
        terminal.expect("It would fail: 'b' does not exist.")
        terminal.type(CTRL_D)
        terminal.expect("The user did not allow edit_file.")
    assert place.workspace.joinpath("a.txt").read_text() == "new\n"


def test_always_covers_a_tool_and_of_the_shell_one_command(place: Place) -> None:
    place.say(
        run("echo one; echo two"), run("echo one; echo two"), run("echo three"), WRITE, WRITE, {"answer": "Done."}
    )
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.enter("go")
        terminal.expect("  $ echo one; echo two")
        terminal.expect("[a]lways this command in this session")
        terminal.enter("a")
        terminal.expect("exit code 0 (+2 lines)", times=2)
        terminal.expect("  $ echo three")
        terminal.enter("n")
        terminal.expect("The user did not allow execute_command.")
        terminal.expect("[a]lways write_file")
        terminal.enter("always")
        terminal.expect("Done.")
        assert terminal.text.count("$ echo one") == 1
        assert terminal.text.count("+new") == 1


def test_ctrl_c_stops_an_answer_a_question_or_a_call_and_the_session_goes_on(place: Place) -> None:
    place.say(
        {"answer": "I begin to speak for ever.", "waits": True},
        WRITE,
        {"calls": [["wait", {}]], "thought": "Now I wait."},
        {"fails": "bug"},
        {"answer": "Still here."},
        piece=200,
    )
    with Terminal(place, "--allow", "wait", "--mcp-config", str(place.faulty("ok"))) as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect("I begin")
        terminal.type(CTRL_C)
        terminal.expect("stopped; the conversation goes on")
        terminal.expect("Ctrl-C again leaves")
        terminal.enter("write")
        terminal.expect("Run it?")
        terminal.type(CTRL_C)
        terminal.expect("stopped; the conversation goes on", times=2)
        terminal.enter("wait")
        terminal.expect("wait() ")
        terminal.interrupt(signal.SIGINT)
        terminal.expect("stopped; the conversation goes on", times=3)
        terminal.expect("whether it took effect is unknown")
        terminal.enter("fail")
        terminal.expect("error: A bug in A2IA: ZeroDivisionError")
        terminal.enter("there?")
        terminal.expect("Still here.")
        terminal.enter("/exit")
        assert terminal.leave() == 0
    assert not place.workspace.joinpath("a.txt").exists()
    assert "Traceback" not in terminal.raw
    assert lives(place.root) and not alive(lives(place.root))


def test_bytes_that_are_no_text_do_not_reach_the_model(place: Place) -> None:
    place.say({"answer": "It is."})
    with Terminal(place, "--debug") as terminal:
        terminal.ready()
        terminal.enter("caf\udce9 is open")
        terminal.expect("caf\ufffd is open")
        terminal.expect("It is.")
        terminal.type(CTRL_D)
        assert terminal.leave() == 0
    assert "bug in A2IA" not in terminal.raw


def test_ctrl_c_twice_leaves_whether_a_turn_runs_or_not(place: Place) -> None:
    place.say({"answer": "I begin to speak for ever.", "waits": True}, piece=200)
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect("I begin")
        terminal.type(CTRL_C + CTRL_C)
        assert terminal.leave() == 130
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.type("half a line" + CTRL_C)
        terminal.expect("Ctrl-C again leaves")
        assert "half" not in terminal.text
        terminal.type("x")
        terminal.until(lambda: "Ctrl-C again leaves" not in terminal.text, "the usual status line")
        terminal.type(CTRL_C + CTRL_C)
        assert terminal.leave() == 130
    assert "Traceback" not in terminal.raw


def test_what_is_typed_ahead_waits_its_turn_and_comes_back_after_ctrl_c(place: Place) -> None:
    place.say({"answer": "I begin to speak for ever.", "waits": True}, {"answer": "Second."}, WRITE, piece=200)
    with Terminal(place) as terminal:
        terminal.enter("hi")  # before anything is loaded
        terminal.expect("I begin")
        terminal.enter("second question")
        terminal.expect("  next: second question")
        terminal.type("half")
        terminal.type(CTRL_C)
        terminal.until(lambda: "> second question" in terminal.rows and "half" in terminal.text, "the line again")
        terminal.type("\x7f" * 5 + "\r")
        terminal.expect("Second.")
        terminal.type("half a prompt")
        terminal.expect("> half a prompt")
        terminal.enter("")
        terminal.expect("Run it?")
        terminal.type(CTRL_D)
        terminal.expect("The user did not allow write_file.")


def test_a_signal_ends_the_session_and_leaves_no_server(place: Place) -> None:
    place.say({"calls": [["wait", {}]]})
    for number in (signal.SIGTERM, signal.SIGHUP):
        with Terminal(place, "--yes", "--mcp-config", str(place.faulty("ok"))) as terminal:
            terminal.ready()
            terminal.enter("go")
            terminal.expect("wait() ")
            terminal.interrupt(number)
            assert terminal.leave() == 130
        assert "Traceback" not in terminal.raw
        assert lives(place.root) and not alive(lives(place.root))


def test_after_an_always_a_call_that_changes_something_is_not_made_twice_for_nothing(place: Place) -> None:
    buy = {"calls": [["buy", {"text": "x"}]]}
    place.say(buy, buy, {"answer": "Bought once."})
    with Terminal(place, "--mcp-config", str(place.faulty("ok"))) as terminal:
        terminal.ready()
        terminal.enter("buy")
        terminal.expect("Run it?")
        terminal.enter("a")
        terminal.expect("Bought once.")
        terminal.enter("/exit")
        assert terminal.leave() == 0
    assert (place.root / "calls").read_text().count("buy") == 1
