"""`a2ia-cli doctor`: what is wrong comes with what mends it."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.support import Place
from tests.servers.vllm import MODEL, VLLM

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    """No Ollama of this machine answers, and no backend is chosen."""
    monkeypatch.setenv("OLLAMA_HOST", NOWHERE)
    place.env["A2IA_BACKEND"] = "embedded"


def checks(cli: Cli, *args: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = cli("doctor", "--json", *args)
    report = json.loads(done.out)
    assert report["ok"] is (done.code == 0)
    for check in report["checks"]:
        assert check["state"] in {"ok", "note", "fail"}
        assert check["mend"] or check["state"] != "fail"
    return done.code, {check["area"]: check for check in report["checks"]}


def test_a_machine_with_nothing_but_a2ia_is_fine(cli: Cli) -> None:
    code, found = checks(cli)
    assert code == 0
    assert {area: found[area]["state"] for area in ("python", "packages", "workspace", "cache", "mcp a2ia")} == {
        "python": "ok",
        "packages": "ok",
        "workspace": "ok",
        "cache": found["cache"]["state"],
        "mcp a2ia": "ok",
    }
    assert found["mcp a2ia"]["facts"]["tools"] == 10
    assert found["backend embedded"]["mend"] == "a2ia-cli models pull"
    assert found["backend ollama"]["state"] == found["backend vllm"]["state"] == "note"


def test_a_vllm_that_answers_shows_version_models_window_and_evidence(cli: Cli) -> None:
    with VLLM() as server:
        code, found = checks(cli, "--vllm-url", server.url)
    line = found["backend vllm"]
    assert (code, line["state"]) == (0, "ok")
    assert line["facts"]["window"] == 4096
    assert line["facts"]["native_tools"] is False
    assert MODEL in line["text"] and "Asked with one tool" in line["text"]


def test_a_server_that_was_asked_for_and_is_not_there_is_red(cli: Cli) -> None:
    code, found = checks(cli, "--vllm-url", NOWHERE)
    assert (code, found["backend vllm"]["state"]) == (3, "fail")
    assert "a2ia-cli vllm start" in found["backend vllm"]["mend"]


@pytest.mark.parametrize("mode", ["dies"])
def test_an_mcp_server_that_does_not_start_is_red(cli: Cli, place: Place, mode: str) -> None:
    code, found = checks(cli, "--mcp-config", str(place.faulty(mode)))
    assert (code, found["mcp faulty"]["state"]) == (2, "fail")
    assert found["mcp a2ia"]["state"] == "ok"


def test_a_workspace_that_is_no_folder_is_red(cli: Cli, place: Place) -> None:
    code, found = checks(cli, "--workspace", str(place.root / "none"))
    assert (code, found["workspace"]["state"]) == (2, "fail")


def test_an_unknown_backend_is_red(cli: Cli) -> None:
    code, found = checks(cli, "--backend", "nope")
    assert (code, found["backend nope"]["state"]) == (2, "fail")


def test_a_mistake_in_the_settings_is_told_like_everywhere(cli: Cli, place: Place) -> None:
    (place.config / "a2ia.toml").write_text("max_steps = 0\n")
    done = cli("doctor", "--json")
    assert (done.code, json.loads(done.out)["ok"]) == (2, False)
    assert "max_steps" in json.loads(done.out)["error"]


def test_people_get_a_line_each_and_the_mending_below(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    done = cli("doctor")
    assert done.code == 0
    assert "mcp a2ia" in done.out and "10 tools, up in" in done.out
    assert "a2ia-cli models pull" in done.out
    assert "\x1b" not in done.out, "colours are for a terminal"
