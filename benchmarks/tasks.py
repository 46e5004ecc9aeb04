"""Workspace tasks through the real program: `a2ia-cli -p PROMPT --output json --yes --workspace DIR` as a subprocess.

    python -m benchmarks.tasks --set dev [--only NAME ...] [--limit N] [--model M] [-- OPTIONS OF a2ia-cli]

Each task gets a fresh workspace; code checks the JSON answer and the files that are left. The last line printed is
`RIGHT/TOTAL`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.task_cases import Outcome, Task

_SERVERS = Path(__file__).parent / "servers"


def load_tasks(name: str) -> list[Task]:
    """Return the tasks of the set `dev`, `wide`, `mcp`, `edit`, `final` or `fresh`; no other set is imported."""
    tasks: list[Task] = import_module(f"benchmarks.tasks_{name}").TASKS
    return tasks


def run_program(prompt: str, workspace: Path, options: Sequence[str], seconds: float) -> dict[str, Any]:
    """Run one turn of the program and return its result, exit code, wall time, and the end of its standard error."""
    command = [report.cli_program(), "-p", prompt, "--output", "json", "--yes", "--workspace", str(workspace)]
    command += ["--backend", "embedded", *options]
    # As in an activated environment, so that `python` means something to the tasks' commands.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = os.environ | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=workspace,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            out, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            out, error = _broken_off(process)
        except BaseException:
            process.kill()
            raise
    code = process.returncode
    took = time.monotonic() - began
    try:
        result = json.loads(out)
    except ValueError:
        last = (error.strip().splitlines() or [""])[-1]
        result = {"stop_reason": f"no JSON on standard output (exit {code}): {out[-200:]!r} {last}"}
    return {"result": result, "exit": code, "seconds": round(took, 2), "stderr": error[-2000:]}


def _broken_off(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Interrupt a program that takes too long; its result then says how far it came."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


def run_task(task: Task, options: Sequence[str], seconds: float) -> dict[str, Any]:
    """Run one task in a fresh workspace and judge it."""
    with tempfile.TemporaryDirectory(prefix="a2ia-task-") as folder:
        workspace, server_folder = Path(folder, "workspace"), Path(folder, "server")
        workspace.mkdir()
        server_folder.mkdir()
        before = task.build(workspace)
        if task.servers:
            options = [*options, "--mcp-config", str(_mcp_config(task, server_folder))]
        ran = run_program(task.prompt, workspace, options, seconds)
        why = task.problem(Outcome(ran["result"], workspace, server_folder), before)
    return {"task": task.name, "family": task.family, "prompt": task.prompt, "right": not why, "why": why, **ran}


def _mcp_config(task: Task, folder: Path) -> Path:
    servers = {
        name: {"command": sys.executable, "args": [str(_SERVERS / f"{name}.py")], "cwd": str(folder)}
        for name in task.servers
    }
    file = folder / "servers.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    return file


def _usage(rows: Sequence[dict[str, Any]], key: str) -> list[int]:
    counts = [(row["result"].get("usage") or {}).get(key) for row in rows]
    return [count for count in counts if count is not None]


def summary(rows: Sequence[dict[str, Any]], warm_up: float | None) -> str:
    """Return the figures of a run."""
    seconds = [row["seconds"] for row in rows]
    calls = sum(len(row["result"].get("steps", [])) for row in rows)
    prompt, cached = sum(_usage(rows, "prompt_tokens")), sum(_usage(rows, "cached_tokens"))
    completion = _usage(rows, "completion_tokens")
    speaker: dict[str, Any] = next((row["result"] for row in rows if row["result"].get("model")), {})
    right = sum(row["right"] for row in rows)
    low, high = report.wilson(right, len(rows))
    lines = [
        f"model:   {speaker.get('model')}, {speaker.get('backend')}, {speaker.get('protocol')}",
        f"n {len(rows)}, right {right} (95 % interval {low:.0%} to {high:.0%})",
        f"seconds: median {report.median(seconds):.1f}, p90 {report.percentile(seconds, 0.9):.1f}"
        + (f", warm-up before {warm_up:.1f}" if warm_up is not None else ", no warm-up"),
        f"a task:  {calls / len(rows):.2f} tool calls, {sum(_usage(rows, 'model_calls')) / len(rows):.2f} model calls, "
        f"median {report.median(completion):.0f} completion tokens",
        f"cache:   {cached / prompt:.1%} of {prompt} prompt tokens" if prompt else "cache:   no token counts",
    ]
    total, good = Counter(row["family"] for row in rows), Counter(row["family"] for row in rows if row["right"])
    lines.append("families: " + ", ".join(f"{name} {good[name]}/{count}" for name, count in total.items()))
    lines += [f"wrong:   {row['task']}: {row['why']}" for row in rows if not row["right"]]
    return "\n".join(lines)


def _warm_up(options: Sequence[str], seconds: float) -> float:
    """Run one prompt that is not counted, so that every task finds the server up and the common prompt cached."""
    with tempfile.TemporaryDirectory(prefix="a2ia-task-") as folder:
        ran = run_program("Say hello.", Path(folder), [*options, "--max-steps", "1"], seconds)
    if ran["exit"] not in (0, 5):
        print(f"warm-up: exit {ran['exit']}\n{ran['stderr']}", file=sys.stderr)
    return float(ran["seconds"])


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    given, through = sys.argv[1:], []
    if "--" in given:
        at = given.index("--")
        given, through = given[:at], given[at + 1 :]
    parser = argparse.ArgumentParser(prog="benchmarks.tasks", epilog="options after -- go to a2ia-cli as they are")
    parser.add_argument("--set", choices=("dev", "wide", "mcp", "edit", "final", "fresh"), required=True, dest="which")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="tasks whose name holds NAME")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N tasks")
    parser.add_argument("--model", metavar="M", help="handed to a2ia-cli")
    parser.add_argument("--task-timeout", type=float, default=300, metavar="S", help="seconds a task may take (300)")
    parser.add_argument("--no-warm-up", action="store_true", help="count the server's start into the first task")
    options = parser.parse_args(given)
    return options, (["--model", options.model] if options.model else []) + through


def main() -> int:
    """Run the tasks that were asked for; return 0 if all were run, right or wrong."""
    options, through = _arguments()
    tasks = load_tasks(options.which)
    tasks = [task for task in tasks if not options.only or any(part in task.name for part in options.only)]
    tasks = tasks[: options.limit]
    if not tasks:
        sys.exit(f"No task of the set {options.which} has a name that holds {' or '.join(options.only)}.")
    file = report.results_file(f"tasks-{options.which}")
    warm_up = None if options.no_warm_up else _warm_up(through, options.task_timeout)
    rows: list[dict[str, Any]] = []
    progress = report.Progress(len(tasks))
    try:
        for task in tasks:
            row = {"set": options.which, **run_task(task, through, options.task_timeout)}
            rows.append(row)
            report.append_line(file, row)
            progress.step(row["right"], f"{task.name} {row['seconds']:.1f} s {row['why']}")
    except KeyboardInterrupt:
        print("interrupted; the figures are of the tasks that ended", file=sys.stderr)
    if not rows:
        return 130
    print(f"{report.heading()}\n{summary(rows, warm_up)}\nrows:    {file}")
    print(f"{sum(row['right'] for row in rows)}/{len(rows)}")
    return 0 if len(rows) == len(tasks) else 130


if __name__ == "__main__":
    sys.exit(main())
