"""Where a setting that cannot be used was written: the file with its line and key, the variable, or the flag."""

from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.support import Place


def ask(cli: Cli, *options: str) -> tuple[int, dict[str, Any]]:
    done = cli("-p", "go", "--output", "json", *options)
    return done.code, done.result()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# first\nmax_steps = 0\n", "a2ia.toml, line 2, key max_steps: cannot be 0"),
        ("\n\nmaxsteps = 3\n", "a2ia.toml, line 3, key maxsteps: is no setting"),
        ("seed = 1\n[model]\nname = 3\n", "a2ia.toml, line 2, key model: cannot be"),
        ("model = 'a'\nyes = \n", "a2ia.toml, line 2: is not valid TOML"),
        ("model = '\udcff'\n", "a2ia.toml: is not valid TOML"),
    ],
)
@pytest.mark.parametrize("place_of_it", ["project", "user"])
def test_a_mistake_in_a_file_is_found_by_file_line_and_key(
    cli: Cli, place: Place, text: str, said: str, place_of_it: str
) -> None:
    file = (place.workspace if place_of_it == "project" else place.config) / "a2ia.toml"
    file.write_text(text, errors="surrogateescape")
    if place_of_it == "user":
        (place.workspace / "a2ia.toml").write_text("seed = 1\n")
    code, result = ask(cli)
    assert (code, result["error"]["type"]) == (2, "ConfigError")
    assert f"{file.parent}/{said}" in result["error"]["message"]


def test_a_list_in_a_variable_that_is_no_json_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2IA_ALLOW", "write_file")
    code, result = ask(cli)
    assert (code, result["error"]["type"]) == (2, "UsageError")
    assert "A2IA_ALLOW" in result["error"]["message"]


def test_a_refused_flag_or_variable_is_named_as_it_is_written(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(cli, "--max-steps", "0")[1]["error"]["message"].startswith("--max-steps cannot be 0")
    monkeypatch.setenv("A2IA_MAX_STEPS", "abc")
    assert ask(cli)[1]["error"]["message"].startswith("A2IA_MAX_STEPS cannot be 'abc'")
