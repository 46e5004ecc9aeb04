"""The main job on the real embedded model, as the README shows it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.backends.weights_model import KNOWN

ROOT = Path(__file__).parents[1]
WEIGHTS = KNOWN["qwen2.5-coder-1.5b"].path()
SECONDS = 240
"""A cold start and 1,200 prompt tokens take about 30 s on two quiet cores."""


def _environment(home: Path) -> dict[str, str]:
    """Return the environment of a program with folders of its own, but for the weights."""
    cache = home / "cache" / "a2ia"
    if not cache.exists():
        cache.mkdir(parents=True)
        (cache / "models").symlink_to(WEIGHTS.parent)
    return os.environ | {"XDG_STATE_HOME": str(home), "XDG_CACHE_HOME": str(cache.parent), "PYTHONPATH": str(ROOT)}


def ask(state: Path, prompt: str) -> tuple[int, dict[str, Any]]:
    """Run one prompt about `examples/` through the real program."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "cli.main",
        "--model",
        "qwen2.5-coder-1.5b",
        "-p",
        prompt,
        "--output",
        "json",
        "--workspace",
        "examples",
    ]
    environment = _environment(state) | {"A2IA_KEEP_ALIVE": "60"}
    done = subprocess.run(
        [*command, "--max-steps", "6"], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        timeout=SECONDS, check=False, text=True,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


@pytest.mark.embedded
@pytest.mark.timeout(2 * SECONDS)
def test_the_real_model_uses_real_tools_and_its_second_run_is_cached(tmp_path: Path) -> None:
    if not WEIGHTS.is_file():
        pytest.skip(f"NOT RUN: the real embedded model is missing, {WEIGHTS}; run a2ia-cli models pull")
    environment = _environment(tmp_path)
    try:
        code, first = ask(tmp_path, "What is the phone number in contacts/jonas.txt?")
        assert (code, first["stop_reason"], first["error"]) == (0, "answered", None)
        assert "555-0142" in first["answer"]
        assert [step["status"] for step in first["steps"]][-1] == "ok"
        assert any((tmp_path / "cache/a2ia/prefixes").iterdir())
        code, second = ask(tmp_path, "What is the phone number in contacts/maria.txt?")
        assert code == 0 and "555-0199" in second["answer"]
        assert second["usage"]["cached_tokens"] >= 0.9 * second["usage"]["prompt_tokens"]
    finally:
        stop = [sys.executable, "-P", "-m", "cli.main", "models", "stop"]
        subprocess.run(stop, cwd=ROOT, env=environment, timeout=60, check=True)
