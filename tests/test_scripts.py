"""The shell scripts: sound for shellcheck; without a GPU they go as far as saying that there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ("vllm_setup.sh", "vllm_start.sh")


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **env}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=False)


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = run(str(shellcheck), *SCRIPTS)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has NVIDIA's tools")
def test_setup_says_that_there_is_no_gpu_before_it_makes_anything(tmp_path: Path) -> None:
    done = run("./vllm_setup.sh", A2IA_VLLM_VENV=str(tmp_path / "venv"))
    assert done.returncode == 2
    assert "There is no NVIDIA GPU here" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_setup_names_a_python_that_is_not_there() -> None:
    done = run("./vllm_setup.sh", PYTHON="no-such-python")
    assert (done.returncode, "no-such-python" in done.stderr) == (2, True)


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has NVIDIA's tools")
def test_start_says_that_there_is_no_gpu(tmp_path: Path) -> None:
    done = run("./vllm_start.sh", A2IA_VLLM_VENV=str(tmp_path / "venv"))
    assert done.returncode == 2
    assert "There is no NVIDIA GPU here" in done.stderr


def test_start_has_the_first_documentations_settings() -> None:
    done = run("./vllm_start.sh", "--vram", "48", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ" in done.stdout
    assert "--quantization awq --dtype half --max-model-len 4096 --gpu-memory-utilization 0.90" in done.stdout


def test_start_of_another_model_has_its_own_settings() -> None:
    done = run("./vllm_start.sh", "--model", "qwen2.5-7b-awq", "--vram", "12", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "--max-model-len 32768" in done.stdout
