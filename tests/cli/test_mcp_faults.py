"""MCP servers that fail under a headless run: one sentence with the way out, the right exit code, no process left."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agent.mcp.support import alive, lives
from tests.cli.conftest import Cli
from tests.cli.support import Done, Place


def ask(cli: Cli, *options: str) -> tuple[Done, dict[str, Any]]:
    done = cli("-p", "go", "--output", "json", *options)
    return done, done.result()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"mcpServers": {\n"a": {\n"comand": "x"}}}', "servers.json, line 2, key mcpServers.a.command: is missing"),
        ('{"mcpServers": {\n"a": {"command": 3}}}', "servers.json, line 2, key mcpServers.a.command: must be"),
        ('{"mcpServers":\n\n}', "servers.json, line 3"),
        ("", "servers.json, line 1"),
        ("[]", "servers.json"),
        ("\x00\x01", "servers.json"),
    ],
)
def test_a_broken_configuration_names_file_line_and_key(cli: Cli, place: Place, text: str, said: str) -> None:
    path = place.root / "servers.json"
    path.write_text(text)
    done, result = ask(cli, "--mcp-config", str(path))
    assert (done.code, result["error"]["type"]) == (2, "ConfigError")
    assert said in result["error"]["message"]
    assert result["error"]["hint"]


def test_a_configuration_that_is_missing_a_folder_or_not_text_is_named(cli: Cli, place: Place) -> None:
    latin = place.root / "latin.json"
    latin.write_bytes(b'{"mcpServers": {"\xe9": {}}}')
    for path in (place.root / "none.json", place.root, latin):
        done, result = ask(cli, "--mcp-config", str(path))
        assert (done.code, result["error"]["type"]) == (2, "ConfigError")
        assert str(path) in result["error"]["message"]


@pytest.mark.parametrize(
    ("mode", "limits", "said"),
    [
        ("dies", {}, "'faulty' stopped with exit code 1 before it was ready (error: no API key)."),
        ("hangs", {"startTimeout": 0.5}, "'faulty' was not ready after 0.5 s."),
        ("noise", {"startTimeout": 0.7}, "it prints text that is not MCP: 'Welcome to my server!'"),
    ],
)
def test_a_server_that_does_not_start_ends_the_run_with_2(
    cli: Cli, place: Place, mode: str, limits: dict[str, Any], said: str
) -> None:
    done, result = ask(cli, "--mcp-config", str(place.faulty(mode, **limits)))
    assert (done.code, result["stop_reason"], result["error"]["type"]) == (2, "error", "McpServerError")
    assert said in result["error"]["message"]
    assert "faulty.log" in result["error"]["hint"]
    assert done.err.count(said) == 1
    assert not alive(lives(place.root))


def test_a_program_that_does_not_exist_ends_the_run_with_2(cli: Cli, place: Place) -> None:
    path = place.faulty("ok", command="/no/such/program")
    done, result = ask(cli, "--mcp-config", str(path))
    assert (done.code, result["error"]["type"]) == (2, "McpServerError")
    assert "'/no/such/program' was not found" in result["error"]["message"]
    assert str(path) in result["error"]["hint"]


def test_a_log_that_cannot_be_written_is_named_and_not_the_program(
    cli: Cli, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(place.root / "script.json"))
    done, result = ask(cli, "--mcp-config", str(place.faulty("ok")))
    assert done.code == 2
    assert "The log " in result["error"]["message"] and "cannot be written" in result["error"]["message"]


def test_a_model_server_that_fails_is_told_while_a_tool_server_still_starts(cli: Cli, place: Place) -> None:
    place.say(refuse=True)
    began = time.monotonic()
    done, result = ask(cli, "--mcp-config", str(place.faulty("hangs", startTimeout=25)))
    assert (done.code, result["error"]["type"]) == (3, "ModelServerError")
    assert time.monotonic() - began < 15
    assert not alive(lives(place.root))


def test_text_between_the_messages_harms_nothing(cli: Cli, place: Place) -> None:
    place.say({"calls": [["echo", {"text": "hi"}]]}, {"answer": "ok"})
    done, result = ask(cli, "--yes", "--mcp-config", str(place.faulty("garbage")))
    assert (done.code, result["steps"][0]["result"], result["steps"][0]["server"]) == (0, "echo hi", "faulty")
    assert "Listening" not in done.err


def test_a_server_that_dies_in_a_call_is_told_to_the_model_and_to_the_user(cli: Cli, place: Place) -> None:
    place.say({"calls": [["die", {}]]}, {"calls": [["list_directory", {}]]}, {"answer": "It died."})
    done, result = ask(cli, "--allow", "faulty:*", "--mcp-config", str(place.faulty("ok")))
    assert (done.code, result["answer"]) == (0, "It died.")
    assert [step["status"] for step in result["steps"]] == ["error", "ok"]
    assert "went away during die; whether it took effect is unknown" in result["steps"][0]["result"]
    assert "warning: MCP server 'faulty' went away" in done.err
    assert not alive(lives(place.root))


def test_a_call_that_never_answers_is_given_up_after_the_servers_own_time(cli: Cli, place: Place) -> None:
    place.say({"calls": [["wait", {}]]}, {"answer": "It hangs."})
    path = place.faulty("ok", timeout=0.3, startTimeout=10)
    done, result = ask(cli, "--yes", "--mcp-config", str(path))
    assert (done.code, result["steps"][0]["status"]) == (0, "error")
    assert "did not finish within 0.3 s" in result["steps"][0]["result"]


def test_a_result_of_20_megabytes_is_cut_for_the_model_and_in_the_step(cli: Cli, place: Place) -> None:
    place.say({"calls": [["big", {"text": "20000000"}]]}, {"answer": "Big."})
    done, result = ask(cli, "--yes", "--mcp-config", str(place.faulty("ok")))
    (step,) = result["steps"]
    assert (done.code, step["status"], step["truncated"]) == (0, "ok", True)
    assert len(step["result"]) == 4000


def test_a_strangers_tool_needs_a_yes_even_if_it_says_it_is_read_only(cli: Cli, place: Place) -> None:
    place.say({"calls": [["echo", {"text": "hi"}]]})
    done, result = ask(cli, "--mcp-config", str(place.faulty("ok")))
    assert (done.code, result["pending"][0]["server"]) == (4, "faulty")


def test_a_project_file_is_not_used_without_a_word_and_says_how(cli: Cli, place: Place) -> None:
    project = place.workspace / ".mcp.json"
    project.write_bytes(place.faulty("ok").read_bytes())
    done, result = ask(cli)
    assert (done.code, lives(place.root)) == (0, [])
    warning = " ".join(done.err.split())
    assert f"{project} starts programs and was not used" in warning
    assert f"--mcp-config {project} or --yes" in warning
    for option in (["--yes"], ["--mcp-config", str(project)], ["--mcp-config", ".mcp.json"]):
        done, result = ask(cli, *option)
        assert (done.code, result["error"]) == (0, None)
        assert "was not used" not in done.err
    assert len(lives(place.root)) == 3
    assert not alive(lives(place.root))


def test_the_users_own_file_is_used_unasked_and_a_given_file_overrides_it(cli: Cli, place: Place) -> None:
    (place.config / "mcp.json").write_bytes(place.faulty("dies").read_bytes())
    assert ask(cli)[0].code == 2
    assert ask(cli, "--mcp-config", str(place.faulty("ok")))[0].code == 0


def test_a_server_named_like_the_built_in_one_is_refused(cli: Cli, place: Place) -> None:
    path = Path(place.faulty("ok"))
    entry = json.loads(path.read_text())["mcpServers"]["faulty"]
    path.write_text(json.dumps({"mcpServers": {"a2ia": entry}}))
    done, result = ask(cli, "--mcp-config", str(path))
    assert (done.code, result["error"]["type"]) == (2, "UsageError")
    assert ask(cli, "--no-builtin-tools", "--mcp-config", str(path))[0].code == 0
