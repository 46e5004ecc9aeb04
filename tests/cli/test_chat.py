"""The interactive session, at a real terminal."""

import signal

from tests.agent.mcp.support import alive, lives
from tests.cli.support import Place, Terminal

WRITE = {"calls": [["write_file", {"path": "a.txt", "content": "new"}]], "thought": "I write it."}


def test_prompts_are_answered_and_calls_run_only_after_a_yes(place: Place) -> None:
    place.say(
        {"answer": "Hello \x1b[31mthere."}, WRITE, {"answer": "Written."}, WRITE, {"answer": "As you like."}, piece=200
    )
    with Terminal(place) as terminal:
        terminal.prompt()
        terminal.type("hi\r")
        terminal.expect("Hello  [31mthere.")
        terminal.prompt()
        terminal.type("write it\r")
        terminal.expect("I write it.")
        terminal.expect('write_file(path="a.txt", content="new")')
        terminal.prompt()
        terminal.expect("Run it?")
        assert not (place.workspace / "a.txt").exists()
        terminal.type("y\r")
        terminal.expect("Written.")
        assert (place.workspace / "a.txt").read_text() == "new"
        terminal.type("again\r")
        terminal.prompt()
        terminal.expect("Run it?")
        terminal.type("not today\r")
        terminal.expect("not allow write_file: not today")
        terminal.expect("As you like.")
        terminal.prompt()
        terminal.type("\x04")
        assert terminal.leave() == 0
    assert "\x1b[2mI write it." in terminal.shown
    assert "Traceback" not in terminal.shown


def test_ctrl_c_stops_an_answer_or_a_question_and_the_conversation_goes_on(place: Place) -> None:
    place.say(
        {"answer": "I begin to speak for ever.", "waits": True},
        WRITE,
        {"calls": [["wait", {}]]},
        {"fails": "bug"},
        {"answer": "Still here."},
        piece=200,
    )
    with Terminal(place, "--allow", "wait", "--mcp-config", str(place.faulty("ok"))) as terminal:
        terminal.prompt()
        terminal.type("hi\r")
        terminal.expect("I begin")
        terminal.type("\x03")
        terminal.expect("stopped; the conversation goes on")
        terminal.prompt()
        terminal.type("write\r")
        terminal.prompt()
        terminal.expect("Run it?")
        terminal.type("\x03")
        terminal.expect("stopped; the conversation goes on")
        terminal.prompt()
        terminal.type("wait\r")
        terminal.expect("so")
        terminal.type("\x03")
        terminal.expect("stopped; the conversation goes on")
        terminal.prompt()
        terminal.type("\x03")
        terminal.type("fail\r")
        terminal.expect("A bug in A2IA: ZeroDivisionError")
        terminal.prompt()
        terminal.type("there?\r")
        terminal.expect("Still here.")
        terminal.prompt()
        terminal.type("/exit\r")
        assert terminal.leave() == 0
    assert not (place.workspace / "a.txt").exists()
    assert "Traceback" not in terminal.shown
    assert lives(place.root) and not alive(lives(place.root))


def test_the_projects_servers_are_asked_for_and_a_broken_one_is_a_warning(place: Place) -> None:
    project = place.workspace / ".mcp.json"
    project.write_bytes(place.faulty("dies").read_bytes())
    with Terminal(place) as terminal:
        terminal.prompt()
        terminal.expect("starts programs of this project. Use it, now and later?")
        terminal.type("y\r")
        terminal.expect("'faulty' stopped with exit code 1")
        terminal.prompt()
        terminal.type("hi\r")
        terminal.expect("Hello.")
        terminal.prompt()
        terminal.interrupt(signal.SIGTERM)
        assert terminal.leave() == 130
        assert "\x1b[?2004l" in terminal.shown.rpartition("\x1b[?2004h")[2]  # the terminal is as it was
    with Terminal(place, "--no-builtin-tools") as terminal:
        terminal.expect("0 tools")
        terminal.prompt()
        assert "Use it, now and later" not in terminal.shown
        terminal.type("/quit\r")
        assert terminal.leave() == 0


def test_a_terminal_that_wants_no_colours_gets_no_escape_sequence(place: Place) -> None:
    place.say({"answer": "Red \x1b[31mor not."}, piece=200)
    place.env["NO_COLOR"] = "1"
    with Terminal(place, "-p", "hi") as terminal:
        assert terminal.leave() == 0
        assert "Red  [31mor not." in terminal.shown
        assert "\x1b" not in terminal.shown


def test_a_history_that_cannot_be_kept_is_a_warning(place: Place) -> None:
    place.env["XDG_STATE_HOME"] = "/dev/null"
    with Terminal(place) as terminal:
        terminal.expect("your prompts are kept for this session only")
        terminal.prompt()
        terminal.type("\x04")
        assert terminal.leave() == 0
