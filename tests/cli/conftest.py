import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.main import main
from tests.cli.support import Done, Place

Cli = Callable[..., Done]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An isolated home whose backend is scripted."""
    with closing(Place(tmp_path)) as made:
        yield made


@pytest.fixture
def cli(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`a2ia-cli` in this process, for what needs no process of its own. Standard input is empty."""
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(place.packages))
    monkeypatch.chdir(place.workspace)

    def run(*args: str) -> Done:
        with Path("/dev/null").open() as nothing, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", nothing)
            try:
                code = main(args)
            except SystemExit as left:
                code = int(left.code or 0)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run
