"""How an interactive session begins, what its commands say, and the terminals it runs on."""

import subprocess
import sys

import pytest

from tests.cli.support import ROOT, Place
from tests.cli.terminal import CTRL_C, CTRL_D, Terminal

pytestmark = pytest.mark.timeout(300)  # each starts programs, on whatever machine


def test_the_prompt_is_there_while_the_servers_start_and_can_be_left_at_once(place: Place) -> None:
    place.say(hangs=True)
    with Terminal(place, "--mcp-config", str(place.faulty("hangs"))) as terminal:
        terminal.until(lambda: ">" in terminal.rows, "a prompt")
        terminal.expect("starting the scripted server, ")
        terminal.expect("starting MCP servers: faulty")
        terminal.enter("/mcp")
        terminal.expect("faulty             starting")
        terminal.enter("hello")
        terminal.expect("> hello")
        terminal.type(CTRL_C)
        terminal.expect("stopped")
        terminal.type(CTRL_D)
        assert terminal.leave() == 0
    assert "Traceback" not in terminal.raw


def test_nothing_heavy_is_imported_before_the_prompt(place: Place) -> None:
    code = "import cli.chat, cli.live_screen, cli.plain_screen, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT, check=True)
    assert not {"pydantic", "langchain_core", "langgraph", "mcp", "rich", "httpx"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("args", "script", "code", "told"),
    [
        (("--max-steps", "0"), {}, 2, "--max-steps cannot be 0"),
        (("--workspace", "nowhere"), {}, 2, "The workspace nowhere is not a folder."),
        ((), {"refuse": True}, 3, "The scripted server does not answer."),
    ],
)
def test_what_keeps_a_session_from_opening_ends_it(
    place: Place, args: tuple[str, ...], script: dict[str, object], code: int, told: str
) -> None:
    place.say(**script)
    with Terminal(place, *args) as terminal:
        terminal.expect(f"error: {told}")
        assert terminal.leave() == code
    assert "Traceback" not in terminal.raw


def test_the_projects_servers_are_asked_for_once_and_a_broken_one_is_a_warning(place: Place) -> None:
    project = place.workspace / ".mcp.json"
    project.write_bytes(place.faulty("dies").read_bytes())
    with Terminal(place) as terminal:
        terminal.expect("starts programs of this project.")
        terminal.expect("now and later? [y]es or [n]o")
        terminal.enter("y")
        terminal.expect("warning: MCP server 'faulty' stopped with exit code 1")
        terminal.ready()
        terminal.enter("/mcp")
        terminal.expect("faulty             failed")
        terminal.enter("hi")
        terminal.expect("Hello.")
        terminal.type(CTRL_D)
        assert terminal.leave() == 0
    with Terminal(place, "--no-builtin-tools") as terminal:
        terminal.expect("0 tools")
        assert "now and later" not in terminal.text


def test_commands_are_completed_and_do_what_they_say(place: Place) -> None:
    place.say({"answer": "First."}, {"answer": "Second."}, {"answer": "Third."})
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.type("/to")
        terminal.expect("the tools that the model can call")
        terminal.type("\t\r")
        terminal.expect("write_file         asks  a2ia: Create a file")
        terminal.expect("read_file          runs  a2ia: Read a text file")
        terminal.enter("/help")
        terminal.expect("Ctrl-R")
        terminal.enter("/mcp")
        terminal.expect("a2ia               ready    10 tools, up in")
        terminal.enter("/model")
        terminal.expect("The script says so.")
        terminal.enter("/nothing")
        terminal.expect("There is no command /nothing; /help lists them.")
        terminal.enter("one")
        terminal.expect("First.")
        terminal.enter("/model other-2")
        terminal.expect("other-2 on scripted")
        terminal.enter("/debug")
        terminal.expect("debug output on")
        terminal.enter("two")
        terminal.expect("workspace: none]\none")  # the conversation was kept
        terminal.enter("/clear")
        terminal.expect("A new conversation.")
        assert "First." not in "\n".join(terminal.rows)
        terminal.enter("/debug")
        terminal.expect("debug output off")
        terminal.enter("/quit")
        assert terminal.leave() == 0


@pytest.mark.parametrize("protocol", ["native", "react"])
def test_debug_shows_what_the_model_is_sent_in_both_protocols(place: Place, protocol: str) -> None:
    place.say({"calls": [["list_directory", {"path": "."}]]}, {"answer": "Seen."}, protocol=protocol)
    with Terminal(place, "--debug") as terminal:
        terminal.ready()
        terminal.enter("look around")
        terminal.expect("Seen.")
        terminal.expect("sent to the model:", times=2)
        terminal.expect("--- user\nlook around" if protocol == "native" else "none]\nlook around", times=2)
        terminal.expect("list_directory: List the files" if protocol == "native" else "Action Input:")
        terminal.expect("(empty folder)", times=2)


def test_prompts_are_remembered_across_sessions_and_answers_to_questions_are_not(place: Place) -> None:
    place.say({"calls": [["write_file", {"path": "a", "content": ""}]]}, {"answer": "First."})
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.enter("a question of yesterday")
        terminal.expect("Run it?")
        terminal.enter("because")
        terminal.expect("First.")
        terminal.type(CTRL_D)
        assert terminal.leave() == 0
    assert (place.root / "home/state/a2ia/history").stat().st_mode & 0o077 == 0
    place.env["XDG_STATE_HOME"] = str(place.root / "home/state")
    with Terminal(place) as terminal:
        terminal.ready()
        terminal.type("\x1b[A")
        terminal.expect("> a question of yesterday")


def test_a_history_that_cannot_be_kept_is_a_warning(place: Place) -> None:
    place.env["XDG_STATE_HOME"] = "/dev/null"
    with Terminal(place) as terminal:
        terminal.expect("cannot be written (Not a directory)")
        terminal.ready()
        terminal.type(CTRL_D)
        assert terminal.leave() == 0


def test_no_color_means_no_colour_bold_or_dim(place: Place) -> None:
    place.say({"answer": "It is **bold** and `code`\n\n```python\nx = 1\n```\n\nRed \x1b[31mor not.", "thought": "Hm."})
    with Terminal(place, NO_COLOR="1") as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect("Red  [31mor not.")
        for text in ("Hm.", "bold", "x = 1", "Red"):
            assert terminal.style_of(text) == "default"
    with Terminal(place, "-p", "hi", NO_COLOR="1") as terminal:
        assert terminal.leave() == 0
        assert "Red  [31mor not." in terminal.raw
        assert "\x1b" not in terminal.raw


def test_a_dumb_terminal_gets_lines_and_no_escape_sequence(place: Place) -> None:
    write = {"calls": [["write_file", {"path": "a.txt", "content": "new\n"}]], "thought": "I write it."}
    place.say({"answer": "Hello **there**."}, write, {"answer": "Written."}, {"answer": "No", "waits": True}, piece=200)
    with Terminal(place, TERM="dumb") as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect("so\nHello **there**.\n")
        terminal.enter("write")
        terminal.expect("  +new\nRun it? [y]es")
        terminal.enter("y")
        terminal.expect("✓ write_file(")
        terminal.expect("Written.")
        terminal.enter("on")
        terminal.expect("\nNo")
        terminal.type(CTRL_C)
        terminal.expect("stopped; the conversation goes on")
        terminal.type(CTRL_D)
        assert terminal.leave() == 0
    assert "\x1b" not in terminal.raw
    assert "Traceback" not in terminal.raw


@pytest.mark.parametrize("utf8_mode", ["0", "1"])
def test_a_locale_without_unicode_gets_ascii_signs(place: Place, utf8_mode: str) -> None:
    place.say({"calls": [["list_directory", {"path": "."}]]}, {"answer": "- an item\n\nGrüße"})
    with Terminal(place, LC_ALL="C", PYTHONUTF8=utf8_mode) as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect('+ list_directory(path=".")')
        terminal.expect(" * an item")
        terminal.expect("Gr??e" if utf8_mode == "0" else "Grüße")
        terminal.expect("scripted | react | window")
        terminal.type(CTRL_D)
        assert terminal.leave() == 0
    assert "Traceback" not in terminal.raw


def test_a_long_answer_streams_at_forty_columns_and_survives_a_change_of_size(place: Place) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    place.say({"answer": f"{words}\n\n{words} so far", "waits": False}, {"answer": "Again."})
    with Terminal(place, columns=40, rows=10) as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect("so far")
        assert max(map(len, terminal.rows)) <= 40
        terminal.resize(100, 30)
        terminal.enter("again")
        terminal.expect("Again.")
        terminal.expect("cache 80%")
