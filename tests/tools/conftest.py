from pathlib import Path

import pytest

from tests.tools.support import make_repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty workspace, in a folder beside which there is something that must not be touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("TOP-SECRET\n", encoding="utf-8")
    workspace = tmp_path / "work"
    workspace.mkdir()
    return workspace


@pytest.fixture
def repo(folder: Path) -> Path:
    """A workspace that is a repository with one commit of a.txt."""
    make_repository(folder)
    return folder
