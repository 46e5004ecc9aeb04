"""Single calls of the Berkeley Function Calling Leaderboard through the real runtime and a real MCP server.

    python -m benchmarks.bfcl [--categories NAME,...] [--n 40] [--seed 7 | --offset K] [--json]
    python -m benchmarks.bfcl --way a2ia,bind_tools,classic_react,smolagents:20

Each case's functions are the tools of an in-process MCP server, behind the program's own toolbox, ReAct model, graph
and session; nothing else is on offer. One model call is made, and its call is judged by BFCL's AST rule
(`bfcl_score.py`). `--way` runs rivals on the same server with the same tools (`bfcl_ways.py`); `:N` gives a slow one
only the first N cases of each category.
Cases are a sample of each category that depends on the seed alone, or the slice from `--offset` on.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from agent.backends.base import Backend, Progress
from agent.backends.select import open_backend
from agent.config import Settings, load_settings, state_dir
from agent.mcp.config import ServerSpec
from agent.mcp.toolbox import Toolbox
from benchmarks import report
from benchmarks.bfcl_data import CATEGORIES, Case, case_server, load_cases
from benchmarks.bfcl_score import judge
from benchmarks.bfcl_ways import WAYS, Call, JsonSchemaBackend, Stage

Task = tuple[str, Case]
"""The name of a way, and a case."""


async def run_case(task: Task, stage: Stage) -> dict[str, Any]:
    """Run one case in one way and judge its first call."""
    way, case = task
    ran: list[Call] = []
    # A low-level server, which `mcp.Client` takes as well: `MCPServer` derives schemas, and these are given.
    spec = ServerSpec(name="bfcl", server=cast(Any, case_server(case, ran)))
    began = time.monotonic()
    async with Toolbox([spec], log_dir=state_dir() / "logs") as toolbox:
        tools = await toolbox.tools()
        said = await WAYS[way](case.prompt, tools, stage)
        own = {tool.name: str((tool.metadata or {})["mcp_name"]) for tool in tools}
    # A call that the toolbox refused never reached the server, but it is what the model said.
    calls = ran or [(own.get(name, name), arguments) for name, arguments in said.calls]
    if said.error:
        why = f"error: {said.error}"
    else:
        why = judge(case, calls[0] if calls else None)
        if case.answer is not None and len(calls) > 1:
            why = f"{len(calls)} calls where one is right"
    return {
        "id": case.id,
        "category": case.category,
        "way": way,
        "right": not why,
        "why": why,
        "seconds": round(time.monotonic() - began, 2),
        "tokens": said.tokens,
        "calls": calls,
        "prompt": case.prompt,
        "answer": case.answer,
        "model": stage.profile.model,
        "result": said.record,
    }


async def run_tasks(tasks: Sequence[Task], settings: Settings, file: Path, *, json_steps: bool) -> None:
    """Run the tasks on one backend, one after the other; every finished one is on disk at once."""
    backend: Backend = JsonSchemaBackend(settings, _report) if json_steps else open_backend(settings, _report)
    progress = report.Progress(len(tasks))
    try:
        profile = await backend.profile()
        if json_steps:
            profile = replace(profile, constraint="json_schema")
        stage = Stage(settings, backend, profile)
        for way, case in tasks:
            row = await run_case((way, case), stage)
            report.append_line(file, row)
            progress.step(row["right"], f"{way} {case.id} {row['seconds']:.1f} s {row['why'][:120]}")
    finally:
        await backend.aclose()


def _report(progress: Progress) -> None:
    if progress.done is None:
        print(progress.text, file=sys.stderr)


def table(rows: Sequence[dict[str, Any]], ways: Sequence[str], categories: Sequence[str]) -> str:
    """Return the figures by category and way."""
    lines = ["category         way             n  right      %  95 % interval  median s  median completion tokens"]
    for category, way in [(category, way) for category in categories for way in ways]:
        mine = [row for row in rows if (row["category"], row["way"]) == (category, way)]
        if not mine:
            continue
        right = sum(row["right"] for row in mine)
        low, high = report.wilson(right, len(mine))
        tokens = [row["tokens"] for row in mine if row["tokens"] is not None]
        lines.append(
            f"{category:<16} {way:<13} {len(mine):>3} {right:>6} {right / len(mine):>6.1%}  {low:>5.1%} to {high:>6.1%}"
            f" {report.median([row['seconds'] for row in mine]):>9.1f} {report.median(tokens):>9.0f}"
        )
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.bfcl")
    parser.add_argument("--categories", default=",".join(CATEGORIES), help="comma-separated (default: %(default)s)")
    parser.add_argument("--n", type=int, default=40, help="cases of each category (40)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, default=7, help="which sample (7)")
    which.add_argument("--offset", type=int, help="the slice that begins here, in place of a sample")
    parser.add_argument(
        "--way", default="a2ia", help=f"comma-separated, each with :N at will: {', '.join(WAYS)} (a2ia)"
    )
    parser.add_argument("--backend", default="embedded", help="as in a2ia-cli (default embedded)")
    parser.add_argument("--model", help="as in a2ia-cli")
    parser.add_argument("--json", action="store_true", help="the embedded model with steps as JSON, as on Ollama")
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="go on with a broken-off run's rows, with its options"
    )
    options = parser.parse_args()
    options.categories = options.categories.split(",")
    options.ways = _ways(parser, options.way, options.n)
    unknown = [name for name in options.categories if name not in CATEGORIES]
    if unknown:
        parser.error(f"unknown category {unknown[0]!r}; known are {', '.join(CATEGORIES)}")
    return options


def _ways(parser: argparse.ArgumentParser, text: str, n: int) -> dict[str, int]:
    """Return how many cases of each category each way gets."""
    ways = {}
    for part in text.split(","):
        name, _, count = part.partition(":")
        if name not in WAYS or not (count.isdecimal() or not count):
            parser.error(f"unknown way {part!r}; known are {', '.join(WAYS)}, with :N behind it for only N cases")
        ways[name] = int(count or n)
    return ways


def _tasks(options: argparse.Namespace) -> list[Task]:
    by_category = [load_cases(name, options.n, options.seed, options.offset) for name in options.categories]
    return [(way, case) for cases in by_category for way, count in options.ways.items() for case in cases[:count]]


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["way"], row["id"]


def main() -> int:
    """Run what is still to be run, print the table, end with `RIGHT/TOTAL`."""
    options = _arguments()
    file = options.resume or report.results_file("bfcl")
    done = {_key(row) for row in report.read_lines(file)} if file.exists() else set()
    tasks = _tasks(options)
    wanted = {(way, case.id) for way, case in tasks}
    flags = {"backend": options.backend, "model": options.model, "builtin_tools": False, "yes": True, "max_steps": 1}
    left = [(way, case) for way, case in tasks if (way, case.id) not in done]
    try:
        asyncio.run(run_tasks(left, load_settings(flags), file, json_steps=options.json))
    except KeyboardInterrupt:
        print(report.how_to_resume(file), file=sys.stderr)
    rows = [row for row in report.read_lines(file) if _key(row) in wanted] if file.exists() else []
    model = next((row["model"] for row in rows), None)
    print(
        f"{report.heading()}\nmodel:   {model}\n{table(rows, list(options.ways), options.categories)}\nrows:    {file}"
    )
    print(f"{sum(row['right'] for row in rows)}/{len(rows)}")
    return 0 if len(rows) == len(tasks) else 130


if __name__ == "__main__":
    sys.exit(main())
