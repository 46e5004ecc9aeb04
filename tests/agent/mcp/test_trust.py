"""A project's `.mcp.json` starts programs: only after a yes, remembered for this folder and this content."""

import os
from pathlib import Path

import pytest

from agent.mcp import trust


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("agent.mcp.trust.state_dir", lambda: tmp_path / "state")
    return tmp_path / "state" / "trusted.json"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "project" / ".mcp.json"
    path.parent.mkdir()
    path.write_text("{}")
    return path


def test_nothing_is_trusted_before_a_yes(project: Path) -> None:
    assert not trust.is_trusted(project)


def test_a_yes_is_remembered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust.remember(project)
    assert trust.is_trusted(project)
    monkeypatch.chdir(project.parent)
    assert trust.is_trusted(Path(".mcp.json"))


def test_a_changed_file_needs_a_new_yes(project: Path) -> None:
    trust.remember(project)
    project.write_text('{"mcpServers": {}}')
    assert not trust.is_trusted(project)
    trust.remember(project)
    assert trust.is_trusted(project)


def test_the_same_content_elsewhere_needs_its_own_yes(project: Path, tmp_path: Path) -> None:
    trust.remember(project)
    other = tmp_path / ".mcp.json"
    other.write_text("{}")
    assert not trust.is_trusted(other)
    trust.remember(other)
    assert trust.is_trusted(other)
    assert trust.is_trusted(project)


def test_only_the_owner_can_read_what_is_remembered(project: Path, state: Path) -> None:
    old = os.umask(0)
    try:
        trust.remember(project)
    finally:
        os.umask(old)
    assert state.stat().st_mode & 0o777 == 0o600
    assert list(state.parent.iterdir()) == [state]


@pytest.mark.parametrize("garbage", ["", "[]", "{", '{"a": 1}', "\x00", "[" * 100_000])
def test_garbage_counts_as_nothing_and_is_replaced(project: Path, state: Path, garbage: str) -> None:
    state.parent.mkdir()
    state.write_text(garbage)
    assert not trust.is_trusted(project)
    trust.remember(project)
    assert trust.is_trusted(project)


def test_a_file_that_is_gone_is_not_trusted(project: Path) -> None:
    trust.remember(project)
    project.unlink()
    assert not trust.is_trusted(project)
