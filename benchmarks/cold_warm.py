"""Time to the first streamed token of `a2ia-cli -p`, cold against warm, through the real program.

    python -m benchmarks.cold_warm [--prompt TEXT] [-- OPTIONS OF a2ia-cli]

Five runs, counted from the start of the process to its first `thought_delta` or `answer_delta` line:

1. cold: no model server is running and no prompt is saved (`a2ia-cli models stop` before), so all has to be computed
2. warm: the same prompt again
3. other tools: another set of tools, so that only the instructions before the tools are cached
4. back: the first prompt again, after the other one took its place in the cache
5. restart: the same again on a server that was started anew, as after the keep-alive; the prompt's fixed beginning is
   on disk

`ready s` is the time to `turn_started`, when the server is up and knows the prompt's fixed beginning.

Wanted: warm at most a quarter of cold, and at least 90 % of its prompt tokens from the cache. It stops every embedded
model server of this user, so let nobody else use one meanwhile.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agent.backends.embedded_server import running
from benchmarks import report

_TOKENS = ("thought_delta", "answer_delta")
_FILES = {"apples.txt": "red\n", "pears.txt": "green\n"}


@dataclass(frozen=True)
class Run:
    """What one run of the program took."""

    name: str
    ready: float
    first_token: float
    whole: float
    result: dict[str, Any]

    @property
    def cached(self) -> float:
        """The share of prompt tokens that came from the cache, over all model calls of the run."""
        usage = self.result["usage"]
        return float((usage["cached_tokens"] or 0) / usage["prompt_tokens"])

    def line(self) -> str:
        """Return the run as a line of the table."""
        usage = self.result["usage"]
        return (
            f"{self.name:<12} {self.ready:>8.2f} {self.first_token:>8.2f} {self.whole:>8.2f}"
            f" {usage['prompt_tokens']:>8} {usage['cached_tokens']:>8} {self.cached:>7.1%}"
            f" {usage['completion_tokens']:>10}"
        )


def measure(name: str, prompt: str, workspace: Path, options: Sequence[str]) -> Run:
    """Run the program once and time its first streamed token."""
    command = [report.cli_program(), "-p", prompt, "--output", "stream-json", "--yes", "--workspace", str(workspace)]
    command += [
        "--backend",
        "embedded",
        "--max-steps",
        "3",
        *options,
    ]  # bounded: only the start counts, and a small model may go in circles
    print(f"{name} ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    ready = 0.0
    first: float | None = None
    event: dict[str, Any] = {}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            event = json.loads(line)
            if event["type"] == "turn_started":
                ready = time.monotonic() - began
            if first is None and event["type"] in _TOKENS:
                first = time.monotonic() - began
    whole = time.monotonic() - began
    if first is None or event.get("type") != "result" or not event["usage"]["prompt_tokens"]:
        sys.exit(f"The run {name!r} streamed no token, exit {process.returncode}: {event.get('error')}")
    return Run(name, ready, first, whole, event)


def _end_servers() -> None:
    """End the servers as their keep-alive does, which leaves what they saved."""
    for record in running():
        psutil.Process(record.pid).kill()
        psutil.wait_procs([psutil.Process(record.pid)], timeout=10)


def main() -> int:
    """Measure the five runs; return 0 if warm is as fast as wanted."""
    given, through = sys.argv[1:], []
    if "--" in given:
        at = given.index("--")
        given, through = given[:at], given[at + 1 :]
    parser = argparse.ArgumentParser(prog="benchmarks.cold_warm")
    parser.add_argument("--prompt", default="Which files are here?")
    prompt = parser.parse_args(given).prompt
    with tempfile.TemporaryDirectory(prefix="a2ia-cold-") as folder:
        workspace = Path(folder)
        for name, text in _FILES.items():
            (workspace / name).write_text(text)
        subprocess.run([report.cli_program(), "models", "stop"], check=True, stdout=subprocess.DEVNULL)
        cold = measure("cold", prompt, workspace, through)
        warm = measure("warm", prompt, workspace, through)
        other = measure("other tools", "What is 2 + 2?", workspace, ["--no-builtin-tools", *through])
        back = measure("back", prompt, workspace, through)
        _end_servers()
        restart = measure("restart", prompt, workspace, through)
    ratio = warm.first_token / cold.first_token
    good = ratio <= 0.25 and warm.cached >= 0.9
    print(report.heading())
    print("run           ready s  first s  whole s   prompt   cached   share completion")
    print("\n".join(run.line() for run in (cold, warm, other, back, restart)))
    print(f"warm / cold: {ratio:.3f} (wanted at most 0.25), cached {warm.cached:.1%} (wanted at least 90 %)")
    print(f"restart / cold: {restart.first_token / cold.first_token:.3f}")
    print("PASS" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
