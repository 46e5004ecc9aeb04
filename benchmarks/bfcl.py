"""Single calls of the Berkeley Function Calling Leaderboard through the real runtime and a real MCP server.

    python -m benchmarks.bfcl [--categories NAME,...] [--n 40] [--seed 7 | --offset K] [--json]

Each case's functions are the tools of an in-process MCP server, behind the program's own toolbox, ReAct model, graph
and session; nothing else is on offer. One model call is made, and its call is judged by BFCL's AST rule
(`bfcl_score.py`).
Cases are a sample of each category that depends on the seed alone, or the slice from `--offset` on.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from agent.backends.base import Backend, ModelProfile, Progress
from agent.backends.embedded import EmbeddedBackend
from agent.backends.select import open_backend
from agent.config import Settings, load_settings, state_dir
from agent.mcp.config import ServerSpec
from agent.mcp.toolbox import Toolbox
from benchmarks import report
from benchmarks.bfcl_data import CATEGORIES, Case, case_server, load_cases
from benchmarks.bfcl_score import judge
from cli.runtime import new_session
from graphs.events import Result, as_json


async def run_case(case: Case, settings: Settings, backend: Backend, profile: ModelProfile) -> dict[str, Any]:
    """Run one case and judge its first call."""
    calls: list[tuple[str, dict[str, Any]]] = []
    # A low-level server, which `mcp.Client` takes as well: `MCPServer` derives schemas, and these are given.
    spec = ServerSpec(name="bfcl", server=cast(Any, case_server(case, calls)))
    began = time.monotonic()
    result: Result | None = None
    async with Toolbox([spec], log_dir=state_dir() / "logs") as toolbox:
        session = new_session(settings, backend, profile, await toolbox.tools(), None)
        async with aclosing(cast(Any, session.run(case.prompt))) as events:
            async for event in events:
                result = event if isinstance(event, Result) else result
    seconds = time.monotonic() - began
    if result is None or result.error:
        why = f"error: {result.error.message if result and result.error else 'no result'}"
    else:
        # A call that the toolbox refused never reached the server, but it is what the model said.
        said = calls or [(step.tool, step.args) for step in result.steps]
        why = judge(case, said[0] if said else None)
        if case.answer is not None and len(said) > 1:
            why = f"{len(said)} calls where one is right"
    return {
        "id": case.id,
        "category": case.category,
        "right": not why,
        "why": why,
        "seconds": round(seconds, 2),
        "calls": calls,
        "prompt": case.prompt,
        "answer": case.answer,
        "result": as_json(result) if result else None,
    }


class JsonSchemaBackend(EmbeddedBackend):
    """The embedded server with the constraint that Ollama takes: llama.cpp has a field for a JSON schema too."""

    def constrain(self, constraint: str) -> dict[str, Any]:
        schema = {"type": "json_schema", "json_schema": {"name": "step", "schema": json.loads(constraint)}}
        return {"extra_body": {"response_format": schema}}


async def run_cases(cases: Sequence[Case], settings: Settings, file: Path, *, json_steps: bool) -> None:
    """Run the cases on one backend, one after the other; every finished one is on disk at once."""
    backend: Backend = JsonSchemaBackend(settings, _report) if json_steps else open_backend(settings, _report)
    progress = report.Progress(len(cases))
    try:
        profile = await backend.profile()
        if json_steps:
            profile = replace(profile, constraint="json_schema")
        for case in cases:
            row = await run_case(case, settings, backend, profile)
            report.append_line(file, row)
            progress.step(row["right"], f"{case.id} {row['seconds']:.1f} s {row['why'][:120]}")
    finally:
        await backend.aclose()


def _report(progress: Progress) -> None:
    if progress.done is None:
        print(progress.text, file=sys.stderr)


def table(rows: Sequence[dict[str, Any]], categories: Sequence[str]) -> str:
    """Return the figures by category."""
    lines = ["category         n  right      %  95 % interval  median s  median completion tokens"]
    for category in categories:
        mine = [row for row in rows if row["category"] == category]
        if not mine:
            continue
        right = sum(row["right"] for row in mine)
        low, high = report.wilson(right, len(mine))
        tokens = [(row["result"] or {}).get("usage", {}).get("completion_tokens") for row in mine]
        lines.append(
            f"{category:<14} {len(mine):>3} {right:>6} {right / len(mine):>6.1%}  {low:>5.1%} to {high:>6.1%}"
            f" {report.median([row['seconds'] for row in mine]):>9.1f}"
            f" {report.median([count for count in tokens if count is not None]):>9.0f}"
        )
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.bfcl")
    parser.add_argument("--categories", default=",".join(CATEGORIES), help="comma-separated (default: %(default)s)")
    parser.add_argument("--n", type=int, default=40, help="cases of each category (40)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, default=7, help="which sample (7)")
    which.add_argument("--offset", type=int, help="the slice that begins here, in place of a sample")
    parser.add_argument("--backend", default="embedded", help="as in a2ia-cli (default embedded)")
    parser.add_argument("--model", help="as in a2ia-cli")
    parser.add_argument("--json", action="store_true", help="the embedded model with steps as JSON, as on Ollama")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with a broken-off run's result file")
    options = parser.parse_args()
    options.categories = options.categories.split(",")
    unknown = [name for name in options.categories if name not in CATEGORIES]
    if unknown:
        parser.error(f"unknown category {unknown[0]!r}; known are {', '.join(CATEGORIES)}")
    return options


def main() -> int:
    """Run what is still to be run, print the table, end with `RIGHT/TOTAL`."""
    options = _arguments()
    file = options.resume or report.results_file("bfcl")
    done = {row["id"] for row in report.read_lines(file)} if file.exists() else set()
    cases = [case for name in options.categories for case in load_cases(name, options.n, options.seed, options.offset)]
    wanted = {case.id for case in cases}
    flags = {"backend": options.backend, "model": options.model, "builtin_tools": False, "yes": True, "max_steps": 1}
    try:
        asyncio.run(
            run_cases(
                [case for case in cases if case.id not in done], load_settings(flags), file, json_steps=options.json
            )
        )
    except KeyboardInterrupt:
        print(f"interrupted; go on with --resume {file}", file=sys.stderr)
    rows = [row for row in report.read_lines(file) if row["id"] in wanted] if file.exists() else []
    model = next((row["result"]["model"] for row in rows if row["result"]), None)
    print(f"{report.heading()}\nmodel:   {model}\n{table(rows, options.categories)}\nrows:    {file}")
    print(f"{sum(row['right'] for row in rows)}/{len(rows)}")
    return 0 if len(rows) == len(cases) else 130


if __name__ == "__main__":
    sys.exit(main())
