from pathlib import Path

import pytest

from agent.config import load_settings
from agent.errors import ConfigError


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "line",
    ["yes = true", "YES = true", 'allow = ["*"]', 'mcp_config = ["evil.json"]', 'workspace = "/"', '"yes" = true'],
)
def test_a_projects_file_cannot_widen_what_may_run(tmp_path: Path, line: str) -> None:
    (tmp_path / "a2ia.toml").write_text(f'model = "x"\n{line}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a2ia\.toml, line 2, key \w+: may not be set by a project's file") as caught:
        load_settings({})
    assert "flag" in caught.value.hint


def test_another_spelling_does_not_widen_it_either(tmp_path: Path) -> None:
    (tmp_path / "a2ia.toml").write_text('mcp-config = ["evil.json"]\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="is no setting"):
        load_settings({})


def test_a_projects_file_may_set_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a2ia.toml").write_text('model = "x"\nkeep_alive = "2m"\n', encoding="utf-8")
    settings = load_settings({})
    assert (settings.model, settings.keep_alive, settings.yes) == ("x", 120.0, False)


@pytest.mark.parametrize("line", ['vllm_url = "http://models.example/v1"', 'Ollama_URL = "10.0.0.7"', "vllm_url = 1"])
def test_a_projects_file_cannot_send_the_conversation_to_another_machine(tmp_path: Path, line: str) -> None:
    (tmp_path / "a2ia.toml").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"may name only this machine|Input should be a valid string") as caught:
        load_settings({})
    assert "flag" in caught.value.hint


def test_a_projects_file_may_name_a_server_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "a2ia.toml").write_text('backend = "vllm"\nvllm_url = "http://localhost:8001/v1"\n', encoding="utf-8")
    assert load_settings({}).vllm_url == "http://localhost:8001/v1"
