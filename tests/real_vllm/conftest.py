import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_vllm.server import HOME, RealVLLM

WANTED = "A2IA_REAL_VLLM"
"""Variable that asks for these tests: `make test-vllm` sets it. A server on port 8200 that is up already is used."""


@pytest.fixture(scope="session")
def vllm() -> Iterator[RealVLLM]:
    """The real server, up for all tests."""
    if not os.environ.get(WANTED):
        pytest.skip("NOT RUN: the real vLLM was not asked for; `make test-vllm` builds and runs it")
    with RealVLLM(HOME / "server.log") as server:
        yield server


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test asks the server anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
