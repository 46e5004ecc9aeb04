"""Flags, variables and configuration files; and what is wrong with them."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.support import Place


def ask(cli: Cli, *options: str) -> tuple[int, dict[str, Any]]:
    done = cli("-p", "go", "--output", "json", *options)
    return done.code, done.result()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--output", "json"], "--output needs -p PROMPT"),
        ([], "the interactive session needs a terminal"),
        (["-p", "x", "--bogus"], "unrecognized arguments: --bogus"),
        (["-p", "x", "--outp", "json"], "unrecognized arguments: --outp json"),
        (["-p"], "argument -p/--print: expected one argument"),
        (["-p", "x", "--output", "xml"], "invalid choice: 'xml'"),
        (["-p", "x", "--react", "--no-react"], "not allowed with argument"),
        (["-p", "x", "--temperature", "abc"], "argument --temperature: invalid float value: 'abc'"),
        (["-p", "x", "--max-steps", "x"], "argument --max-steps: invalid int value: 'x'"),
        (["-p", "x", "--seed", "1.5"], "argument --seed: invalid int value: '1.5'"),
        (["what is here?"], "unrecognized arguments: what is here?"),
        (["models"], "action"),
        (["models", "remove"], "invalid choice: 'remove'"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_2(cli: Cli, args: list[str], said: str) -> None:
    done = cli(*args)
    sentence, hint = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert sentence.startswith("error: ") and said in sentence
    assert "--help" in hint


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-steps", "0"),
        ("--max-steps", "-3"),
        ("--temperature", "9"),
        ("--temperature", "nan"),
        ("--timeout", "-1"),
        ("--timeout", "0"),
        ("--timeout", "soon"),
        ("--keep-alive", "x"),
        ("--keep-alive", "-5m"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(cli: Cli, option: str, value: str) -> None:
    code, result = ask(cli, f"{option}={value}")
    assert (code, result["stop_reason"], result["error"]["type"]) == (2, "error", "UsageError")
    assert option.strip("-") in result["error"]["message"].replace("_", "-")
    assert result["error"]["hint"]


@pytest.mark.parametrize("value", ["300", "90s", "5m", "1.5h"])
def test_durations_are_written_as_people_do(cli: Cli, value: str) -> None:
    assert ask(cli, "--timeout", value, "--keep-alive", value)[0] == 0


def test_an_unknown_backend_is_answered_with_the_known_ones(cli: Cli) -> None:
    code, result = ask(cli, "--backend", "nope")
    assert (code, result["backend"]) == (2, "nope")
    assert result["error"]["message"] == "There is no backend 'nope'."
    assert "embedded" in result["error"]["hint"] and "scripted" in result["error"]["hint"]


def test_an_unknown_embedded_model_is_exit_2(cli: Cli) -> None:
    for model in ("no-such-model", "/no/such/file.gguf"):
        code, result = ask(cli, "--backend", "embedded", "--model", model)
        assert (code, result["model"]) == (2, model)
        assert model in result["error"]["message"]
        assert result["error"]["hint"]


def test_a_workspace_that_is_no_folder_is_exit_2(cli: Cli, place: Place) -> None:
    for workspace in (place.root / "none", place.root / "script.json"):
        code, result = ask(cli, "--workspace", str(workspace))
        assert (code, result["error"]["type"]) == (2, "UsageError")
        assert str(workspace) in result["error"]["message"]


def test_the_workspace_is_where_the_tools_work(cli: Cli, place: Place) -> None:
    (place.root / "other").mkdir()
    (place.root / "other" / "here.txt").touch()
    place.say({"calls": [["list_directory", {}]]}, {"answer": "ok"})
    assert "here.txt" in ask(cli, "--workspace", "../other")[1]["steps"][0]["result"]


def test_without_builtin_tools_there_are_none(cli: Cli, place: Place) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"answer": "ok"})
    (step,) = ask(cli, "--no-builtin-tools")[1]["steps"]
    assert (step["status"], step["server"]) == ("error", "")
    assert "There is no tool 'list_directory'" in step["result"]


def test_flag_over_variable_over_project_file_over_users_file(
    cli: Cli, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, project = place.config / "a2ia.toml", place.workspace / "a2ia.toml"
    users.write_text('model = "users"\nmax_steps = 1\n')
    place.say({"calls": [["list_directory", {}]]}, {"answer": "ok"})
    code, result = ask(cli)
    assert (code, result["model"]) == (5, "users")
    project.write_text('model = "project"\n')
    assert ask(cli)[1]["model"] == "project"
    monkeypatch.setenv("A2IA_MODEL", "variable")
    assert ask(cli)[1]["model"] == "variable"
    code, result = ask(cli, "--model", "flag", "--max-steps", "2")
    assert (code, result["model"]) == (0, "flag")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# first\nmax_steps = \n", ["a2ia.toml", "line 2"]),
        ('model = "x\n', ["a2ia.toml", "line 1"]),
        ("max_steps = 0\n", ["max_steps", "greater than or equal to 1"]),
        ("maxsteps = 3\n", ["maxsteps"]),
        ("[model]\nname = 3\n", ["model"]),
    ],
)
def test_a_mistake_in_a_file_is_named(cli: Cli, place: Place, text: str, said: list[str]) -> None:
    (place.workspace / "a2ia.toml").write_text(text)
    code, result = ask(cli)
    assert code == 2
    assert all(part in result["error"]["message"] for part in said)
    assert "a2ia.toml" in result["error"]["message"] + result["error"]["hint"]


@pytest.mark.parametrize(("name", "value"), [("A2IA_MAX_STEPS", "abc"), ("A2IA_YES", "maybe"), ("A2IA_TIMEOUT", "")])
def test_a_mistake_in_a_variable_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    code, result = ask(cli)
    assert (code, result["error"]["type"]) == (2, "UsageError")
    assert name.removeprefix("A2IA_").lower() in result["error"]["message"].lower()
    assert "A2IA_" in result["error"]["hint"]


def test_models_lists_what_can_be_had_and_stops_what_runs(cli: Cli) -> None:
    listed = cli("models", "list")
    assert listed.code == 0
    assert "qwen2.5-coder-1.5b" in listed.out and "not fetched" in listed.out
    assert (cli("models", "stop").code, cli("models", "stop").out) == (0, "stopped 0 model server(s)\n")


def test_pulling_an_unknown_model_is_exit_2(cli: Cli) -> None:
    done = cli("models", "pull", "no-such-model")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and "no-such-model" in done.err


def test_version_and_help_answer(cli: Cli) -> None:
    version = cli("--version")
    assert (version.code, version.out.split()[0]) == (0, "a2ia")
    for args in (["--help"], ["models", "--help"], ["vllm", "--help"], ["doctor", "--help"]):
        done = cli(*args)
        assert done.code == 0
        assert done.out.startswith("usage: a2ia-cli")


HELPS = [
    ["--help"],
    ["--bogus"],
    ["models", "--help"],
    ["vllm", "--help"],
    ["vllm", "start", "--help"],
    ["vllm", "start", "--vram", "much"],
    ["doctor", "--help"],
]


@pytest.mark.parametrize("args", HELPS)
def test_help_and_a_wrong_flag_import_nothing_heavy(args: list[str]) -> None:
    code = (
        "import json, sys\nfrom cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    run = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(json.loads(run.stdout.splitlines()[-1]))
    assert not loaded & {"pydantic", "langchain_core", "langgraph", "mcp", "rich", "httpx", "prompt_toolkit", "asyncio"}


def test_debug_shows_every_message_that_was_sent_and_the_traceback(place: Place) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"fails": "bug"})
    done = place.run("--debug", "-p", "Which \x1b[31mfiles?", "--output", "json")
    assert done.code == 1
    assert "Traceback" in done.err and "ZeroDivisionError" in done.err
    first, second = done.err.split("sent to the model:\n")[1:]
    assert first.startswith("--- system\nYou are A2IA")
    assert "--- user\n[Files in the workspace: none]\nWhich  [31mfiles?" in first
    assert second.rpartition("--- assistant\n")[2].startswith("Thought: so\nAction: list_directory\nAction Input: {}")
    assert "--- user\nObservation: (empty folder)" in second
    assert json.loads(done.out)["error"]["type"] == "ZeroDivisionError"
    assert "Traceback" not in place.run("-p", "go").err
