"""The ecosystem's `mcpServers` JSON, and what is said about mistakes in it."""

from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.mcp.config import ServerSpec, discover, load_mcp_config, merge_specs


def load(tmp_path: Path, text: str) -> list[ServerSpec]:
    path = tmp_path / ".mcp.json"
    path.write_text(text, encoding="utf-8")
    return load_mcp_config(path)


def problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return caught.value.message.removeprefix(f"{tmp_path / '.mcp.json'}")


def server(body: str) -> str:
    return f'{{\n "mcpServers": {{\n  "files": {{\n   {body}\n  }}\n }}\n}}'


def test_a_program_is_read_with_all_its_parts(tmp_path: Path) -> None:
    body = '"command": "npx", "args": ["-y", "x"], "env": {"A": "1"}, "cwd": "sub", "timeout": 5, "startTimeout": 60'
    assert load(tmp_path, server(body)) == [
        ServerSpec(
            "files",
            command="npx",
            args=("-y", "x"),
            env={"A": "1"},
            cwd=tmp_path / "sub",
            timeout=5.0,
            start_timeout=60.0,
            source=tmp_path / ".mcp.json",
        )
    ]


@pytest.mark.parametrize(
    ("kind", "sse"),
    [("", False), ('"type": "http",', False), ('"type": "streamable-http",', False), ('"type": "sse",', True)],
)
def test_a_url_is_read_with_its_headers(tmp_path: Path, kind: str, sse: bool) -> None:
    (spec,) = load(tmp_path, server(f'{kind} "url": "https://h/mcp", "headers": {{"X": "y"}}'))
    assert (spec.url, dict(spec.headers), spec.sse, spec.command) == ("https://h/mcp", {"X": "y"}, sse, "")


def test_keys_of_other_clients_are_ignored_and_disabled_servers_skipped(tmp_path: Path) -> None:
    text = """{"$schema": "x", "inputs": [], "mcpServers": {
        "a": {"type": "stdio", "command": "a", "description": "d", "autoApprove": ["x"], "env": null},
        "b": {"disabled": true},
        "c": {"disabled": false, "command": "c"}
    }}"""
    assert [spec.name for spec in load(tmp_path, text)] == ["a", "c"]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff" + server('"command": "x"'))[0].command == "x"


def test_variables_are_expanded_and_bare_ones_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2IA_TOKEN", "t0k")
    monkeypatch.setenv("A2IA_EMPTY", "")
    body = (
        '"command": "${A2IA_TOKEN}/run", "args": ["$HOME", "${A2IA_NONE:-a-b}", "${A2IA_NONE:-}"],'
        '"env": {"T": "Bearer ${A2IA_TOKEN}", "E": "${A2IA_EMPTY}", "D": "${A2IA_EMPTY:-d}"}'
    )
    (spec,) = load(tmp_path, server(body))
    assert (spec.command, spec.args) == ("t0k/run", ("$HOME", "a-b", ""))
    assert spec.env == {"T": "Bearer t0k", "E": "", "D": "d"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('"args": []', ', line 3, key mcpServers.files.command: is missing (or "url", for a server over HTTP)'),
        (
            '"comand": "x"',
            ', line 3, key mcpServers.files.command: is missing (or "url", for a server over HTTP);'
            " is 'comand' a misspelling?",
        ),
        ('"type": "http"', ", line 3, key mcpServers.files.url: is missing; a server of type 'http' needs it"),
        ('"type": "ws", "url": "ws://x"', ", line 4, key mcpServers.files.type: is 'ws'; known are"),
        ('"command": "x", "url": "http://x"', ", line 3, key mcpServers.files: has both a command and a url"),
        ('"command": ["npx", "x"]', ', line 4, key mcpServers.files.command: must be a string, not ["npx", "x"]'),
        ('"command": "x",\n"args": "-y"', ', line 5, key mcpServers.files.args: must be a list, not "-y"'),
        ('"command": "x", "args": [1]', ", line 4, key mcpServers.files.args: must be a string, not 1"),
        ('"command": "x",\n"env": {"A":\n1}', ", line 5, key mcpServers.files.env.A: must be a string, not 1"),
        ('"command": "x", "timeout": "5"', ", line 4, key mcpServers.files.timeout: must be a number of seconds"),
        ('"command": "x", "timeout": 0', ", line 4, key mcpServers.files.timeout: must be a number of seconds"),
        (
            '"command": "x", "disabled": "no"',
            ', line 4, key mcpServers.files.disabled: must be true or false, not "no"',
        ),
        ('"url": "localhost:80"', ", line 4, key mcpServers.files.url: is 'localhost:80'; it must begin with http://"),
        ('"command": "${A2IA_NONE}"', ", line 4, key mcpServers.files.command: uses the variable A2IA_NONE, which is"),
        ('"command": "x", "command": "y"', ", line 4, key command: is given twice"),
    ],
)
def test_a_mistake_is_told_with_line_and_key(tmp_path: Path, body: str, said: str) -> None:
    assert problem(tmp_path, server(body)).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{\n "mcpServers": {\n',
            ", line 3: is not valid JSON: Expecting property name enclosed in double quotes (column 1)",
        ),
        ("", ", line 1: is not valid JSON"),
        ("[]", ", line 1: must be a JSON object, not []"),
        ("{}", ', line 1, key mcpServers: the file has no "mcpServers" object'),
        ('{"servers": {}}', ', line 1, key mcpServers: the file has no "mcpServers" object; rename "servers"'),
        ('{"mcpServers": []}', ", line 1, key mcpServers: must be an object, not []"),
        ('{"mcpServers": {"a": "npx"}}', ', line 1, key mcpServers.a: must be an object, not "npx"'),
        ('{"mcpServers": {" ": {"command": "x"}}}', ", line 1, key mcpServers. : a server needs a name"),
        ("[" * 100_000, ": is nested too deeply"),
    ],
)
def test_a_file_of_another_shape_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert problem(tmp_path, text).startswith(said)


def test_the_line_is_that_of_the_server_in_question(tmp_path: Path) -> None:
    text = '{"mcpServers": {\n"a": {"command": "x", "env": {"b": "{", "url": "\\"}"}},\n"b": {\n"url": 1}}}'
    assert problem(tmp_path, text) == ", line 4, key mcpServers.b.url: must be a string, not 1"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_mcp_config(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"\xe9": 1}')
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_mcp_config(tmp_path / "latin.json")


def test_the_files_of_the_project_and_the_user_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.mcp.config.config_dir", lambda: tmp_path / "user")
    assert discover(tmp_path) == (None, None)
    (tmp_path / "user").mkdir()
    (tmp_path / ".mcp.json").touch()
    (tmp_path / "user" / "mcp.json").touch()
    assert discover(tmp_path) == (tmp_path / ".mcp.json", tmp_path / "user" / "mcp.json")


def test_of_two_servers_with_one_name_the_first_is_kept() -> None:
    near, far, other = ServerSpec("a", command="near"), ServerSpec("a", command="far"), ServerSpec("b", command="b")
    assert merge_specs([near], [far, other]) == [near, other]
