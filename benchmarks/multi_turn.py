"""BFCL's multi_turn_base through the real runtime and a real MCP server, judged by BFCL's own judge.

    python -m benchmarks.multi_turn [--n 40] [--seed 7 | --offset K] [--truth]

A case is several requests on one thread. Its functions are the tools of a stdio MCP server that runs BFCL's own Python
classes, behind the program's own toolbox, model, graph and session; nothing else is on offer. A case ends at the first
turn that is not right, since nothing later can make up for it. With `--truth` no model runs: the right calls go through
toolbox and server, and every case has to come out right.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

from langchain_core.tools import BaseTool

from agent.backends.base import Backend, ModelProfile, Progress
from agent.backends.select import open_backend
from agent.config import Settings, load_settings, state_dir
from agent.mcp.config import ServerSpec
from agent.mcp.toolbox import Toolbox
from benchmarks import report
from benchmarks.bfcl_turns import STEPS, TurnsCase, load_turns, true_call
from cli.runtime import new_session
from graphs.events import Result, as_json
from graphs.session import Session

_ROOT = Path(__file__).parent.parent

Run = Callable[[TurnsCase], Awaitable[dict[str, Any]]]


class Calls:
    """The calls that a case's server has run, by turn."""

    def __init__(self, log: Path) -> None:
        self._log = log
        log.touch()
        self.turns: list[list[str]] = []

    def end_turn(self) -> None:
        """Count what the server has run since the last turn as this turn's calls."""
        seen = [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]
        self.turns.append(seen[sum(map(len, self.turns)) :])


@asynccontextmanager
async def case_tools(case: TurnsCase) -> AsyncIterator[tuple[list[BaseTool], Calls]]:
    """Start the case's server, in a process of its own, and yield its tools and its calls."""
    with tempfile.TemporaryDirectory(prefix="a2ia-turns-") as folder:
        log = Path(folder, "calls.jsonl")
        calls = Calls(log)
        args = ("-m", "benchmarks.servers.bfcl_classes", case.id, str(log))
        spec = ServerSpec(name="bfcl", command=sys.executable, args=args, cwd=_ROOT, env=dict(os.environ))
        async with Toolbox([spec], log_dir=state_dir() / "logs", start_timeout=120) as toolbox:
            tools = await toolbox.tools()
            if not tools:
                sys.exit(f"The server of {case.id} did not start: {toolbox.status()[0].error}")
            yield tools, calls


async def run_truth(case: TurnsCase) -> dict[str, Any]:
    """Send the right calls through toolbox and server, and judge what the server ran."""
    async with case_tools(case) as (tools, calls):
        by_name = {tool.name: tool for tool in tools}
        refused = []
        for turn in case.truth:
            for text in turn:
                name, arguments = true_call(case, text)
                call = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
                message = await by_name[name].ainvoke(call)
                refused += [f"{text}: {message.text}"] if message.status == "error" else []
            calls.end_turn()
        return _row(case, calls, case.judge(calls.turns)) | {"failed": refused}


async def run_case(case: TurnsCase, settings: Settings, backend: Backend, profile: ModelProfile) -> dict[str, Any]:
    """Run one case's turns on one thread, up to the first that is not right."""
    results = []
    why = ""
    async with case_tools(case) as (tools, calls):
        session = new_session(settings, backend, profile, tools, None)
        for prompt in case.prompts:
            result = await _turn(session, prompt)
            results.append(as_json(result))
            calls.end_turn()
            why = _broken_off(result) or case.judge(calls.turns)
            if why:
                break
    return _row(case, calls, why) | {"model": profile.model, "results": results}


async def _turn(session: Session, prompt: str) -> Result:
    result: Result | None = None
    async with aclosing(cast(Any, session.run(prompt))) as events:
        async for event in events:
            result = event if isinstance(event, Result) else result
    if result is None:
        raise RuntimeError("a turn ended without a result")
    return result


def _broken_off(result: Result) -> str:
    """Say why a turn ends its case whatever it did; after a reply that cannot be read BFCL goes on to the next turn."""
    if result.stop_reason == "step_limit":
        return f"no answer after {STEPS} model calls"
    if result.error and result.error.type != "FormatErrors":
        return f"error: {result.error.message}"
    return ""


def _row(case: TurnsCase, calls: Calls, why: str) -> dict[str, Any]:
    return {
        "id": case.id,
        "classes": case.classes,
        "right": not why,
        "why": why,
        "turns": len(case.prompts),
        "turns_right": len(calls.turns) - bool(why),
        "calls": calls.turns,
        "prompts": case.prompts,
        "truth": case.truth,
    }


async def run_cases(cases: Sequence[TurnsCase], run: Run, file: Path) -> None:
    """Run the cases one after the other; every finished one is on disk at once."""
    progress = report.Progress(len(cases))
    for case in cases:
        began = time.monotonic()
        row = await run(case)
        row["seconds"] = round(time.monotonic() - began, 2)
        report.append_line(file, row)
        told = f"{row['turns_right']}/{row['turns']} turns, {row['seconds']:.1f} s {row['why'][:160]}"
        progress.step(row["right"], f"{case.id} {told}")


async def _with_model(cases: Sequence[TurnsCase], settings: Settings, file: Path) -> None:
    backend = open_backend(settings, _report)
    try:
        profile = await backend.profile()
        await run_cases(cases, lambda case: run_case(case, settings, backend, profile), file)
    finally:
        await backend.aclose()


def _report(progress: Progress) -> None:
    if progress.done is None:
        print(progress.text, file=sys.stderr)


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures of a run, by class too: a case counts for each class that it has."""
    right, turns = sum(row["right"] for row in rows), sum(row["turns"] for row in rows)
    low, high = report.wilson(right, len(rows))
    share = right / len(rows) if rows else 0.0
    lines = [
        f"n {len(rows)}, right {right} ({share:.1%}, 95 % interval {low:.1%} to {high:.1%})",
        f"turns right before the first wrong one: {sum(row['turns_right'] for row in rows)} of {turns}",
        f"seconds a case: median {report.median([row['seconds'] for row in rows]):.1f}",
    ]
    for name in sorted({name for row in rows for name in row["classes"]}):
        mine = [row for row in rows if name in row["classes"]]
        lines.append(f"  {name:<18} {sum(row['right'] for row in mine):>3} of {len(mine):>3}")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.multi_turn")
    parser.add_argument("--n", type=int, default=40, help="cases (40; there are 200)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, default=7, help="which sample (7)")
    which.add_argument("--offset", type=int, help="the slice that begins here, in place of a sample")
    parser.add_argument("--truth", action="store_true", help="run the right calls in place of a model's")
    parser.add_argument("--backend", default="embedded", help="as in a2ia-cli (default embedded)")
    parser.add_argument("--model", help="as in a2ia-cli")
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="go on with a broken-off run's rows, with its options"
    )
    return parser.parse_args()


def main() -> int:
    """Run what is still to be run, print the figures, end with `RIGHT/TOTAL`."""
    options = _arguments()
    file = options.resume or report.results_file("multi-turn-truth" if options.truth else "multi-turn")
    done = {row["id"] for row in report.read_lines(file)} if file.exists() else set()
    cases = load_turns(options.n, options.seed, options.offset)
    left = [case for case in cases if case.id not in done]
    flags = {"backend": options.backend, "model": options.model, "builtin_tools": False, "yes": True}
    settings = load_settings(flags | {"max_steps": STEPS})
    try:
        asyncio.run(run_cases(left, run_truth, file) if options.truth else _with_model(left, settings, file))
    except KeyboardInterrupt:
        print(report.how_to_resume(file), file=sys.stderr)
    wanted = {case.id for case in cases}
    rows = [row for row in report.read_lines(file) if row["id"] in wanted] if file.exists() else []
    model = "none (the right calls)" if options.truth else next((row["model"] for row in rows), None)
    print(f"{report.heading()}\nmodel:   {model}\n{summary(rows)}\nrows:    {file}")
    print(f"{sum(row['right'] for row in rows)}/{len(rows)}")
    return 0 if len(rows) == len(cases) else 130


if __name__ == "__main__":
    sys.exit(main())
