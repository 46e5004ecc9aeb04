"""The example of a backend in `docs/`, installed as a user would install it, and run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cli.support import ROOT, Place
from tests.servers.vllm import VLLM, said

EXAMPLE = ROOT / "docs" / "backend-example"


def install(target: Path) -> None:
    """Install a copy of the example into a folder: setuptools builds beside the sources."""
    copy = shutil.copytree(EXAMPLE, target.parent / "copy")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--target", str(target), str(copy)]
    subprocess.run(command, check=True, timeout=50, stdin=subprocess.DEVNULL)


def test_the_example_installs_and_answers(place: Place, tmp_path: Path) -> None:
    install(tmp_path / "installed")
    (place.workspace / "notes.txt").touch()
    call = "Thought: I look.\nAction: list_directory\nAction Input: {}"
    with VLLM(said([call]), said(["Thought: Done.\nFinal Answer: ", "notes.txt"])) as server:
        place.env |= {"A2IA_BACKEND": "lmstudio", "LMSTUDIO_URL": f"{server.url}/v1"}
        place.env["PYTHONPATH"] = f"{tmp_path / 'installed'}{os.pathsep}{ROOT}"
        done = place.run("-p", "What is here?", "--output", "json")
        result = done.result()
    assert (done.code, result["answer"], result["backend"], result["protocol"]) == (0, "notes.txt", "lmstudio", "react")
    assert [step["tool"] for step in result["steps"]] == ["list_directory"]
    assert result["model"] == "qwen2.5-coder-7b-instruct"


def test_the_example_stays_short() -> None:
    lines = (EXAMPLE / "a2ia_lmstudio.py").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith('"""')]
    assert len(code) <= 22
