"""How well the judge parts tools that a request needs from tools that it does not.

    python -m benchmarks.judge [--n 60] [--offset 0]

Pairs of a request and a tool from BFCL: simple_python and multiple with the tool that is right, irrelevance with the
tool on offer, and the same of the live categories; and the cases of `a2ia-cli calibrate`, answers among them. For each
kind the AUC, and the share of unfit ones that a threshold declines which loses 0, 2 or 5 % of the fit ones.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.backends.base import TellsOdds
from agent.backends.select import open_backend
from agent.config import load_settings
from agent.react.judging.calibration import cases, learn, with_odds
from agent.react.judging.judge import Judge
from agent.react.judging.yes_no import YesNo
from benchmarks import report
from benchmarks.bfcl_data import Case, load_cases, plain_name


def bfcl_pairs(n: int, offset: int) -> list[dict[str, Any]]:
    """Return `n` fit and `n` unfit pairs from the slices that begin at `offset`."""
    half = n // 2
    fit = [*load_cases("simple_python", half, 0, offset), *load_cases("multiple", n - half, 0, offset)]
    chosen = [(True, case, _right_tool(case)) for case in fit]
    chosen += [(False, case, case.functions[0]) for case in load_cases("irrelevance", n, 0, offset)]
    return [{"kind": "bfcl", "fit": fits, "request": case.prompt, "tool": tool} for fits, case, tool in chosen]


def _right_tool(case: Case) -> Mapping[str, Any]:
    right = next(iter(case.answer or {}))
    return next(tool for tool in case.functions if right in (tool["name"], plain_name(tool["name"])))


def auc(fit: Sequence[float], unfit: Sequence[float]) -> float:
    """Return the share of all (fit, unfit) couples that are in the right order, ties as a half."""
    won = sum((a > b) + (a == b) / 2 for a in fit for b in unfit)
    return won / (len(fit) * len(unfit))


def declined(fit: Sequence[float], unfit: Sequence[float], loss: float) -> tuple[float, float]:
    """Return the threshold that loses at most `loss` of the fit ones, and the share of unfit ones below it."""
    threshold = sorted(fit)[int(loss * len(fit))]
    return threshold, sum(value < threshold for value in unfit) / len(unfit)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures by kind."""
    lines = ["kind    fit  unfit    AUC   declined (threshold) at 0, 2, 5 % of the fit ones lost"]
    for kind in [*dict.fromkeys(row["kind"] for row in rows), "all"]:
        mine = [row for row in rows if kind in (row["kind"], "all")]
        fit = [row["odds"] for row in mine if row["fit"]]
        unfit = [row["odds"] for row in mine if not row["fit"]]
        if fit and unfit:
            shares = (declined(fit, unfit, loss) for loss in (0, 0.02, 0.05))
            said = ", ".join(f"{share:.0%} ({threshold:+.2f})" for threshold, share in shares)
            lines.append(f"{kind:<6} {len(fit):>4} {len(unfit):>6} {auc(fit, unfit):>6.3f}   {said}")
    return "\n".join(lines)


async def _run(given: Sequence[dict[str, Any]], model: str | None, file: Path) -> list[dict[str, Any]]:
    settings = load_settings({"backend": "embedded", "model": model})
    backend = open_backend(settings, lambda step: None)
    progress = report.Progress(len(given))
    rows = []
    try:
        profile = await backend.profile()
        if not isinstance(backend, TellsOdds):
            sys.exit(f"the backend {backend.name} tells no probabilities")
        judge = Judge(YesNo(backend.chat_model(profile), backend.odds(), profile.system_role))
        async for row in with_odds(judge, given):
            rows.append(row)
            report.append_line(file, row)
            progress.step((row["odds"] > 0) == row["fit"], f"{row['odds']:+.2f}")
    finally:
        await backend.aclose()
    return rows


def main() -> int:
    """Judge all pairs and print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.judge")
    parser.add_argument("--n", type=int, default=60, help="fit and unfit pairs of BFCL (60 each)")
    parser.add_argument("--offset", type=int, default=0, help="where BFCL's slices begin (0)")
    parser.add_argument("--model", help="as in a2ia-cli")
    options = parser.parse_args()
    file = report.results_file("judge")
    rows = asyncio.run(_run([*cases(), *bfcl_pairs(options.n, options.offset)], options.model, file))
    print(f"{report.heading()}\n{table(rows)}\nlearned: {learn(rows)}\nrows:    {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
