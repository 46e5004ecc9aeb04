"""Where the judge's answer counts as a no, learned for each model from cases of which it is known.

`calibration.jsonl` holds the cases, one JSON object a line: `kind` (`workspace`: A2IA's own tools in work of many
steps; `other`: programs of any kind; `answer`: the end of a thread), `fit` (whether the tool is needed, the answer
complete), `request`, and `tool` (what it does) or `steps` (calls with results) and `answer`. A model without
thresholds is never told no.
"""

import json
import math
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from agent.errors import UsageError, map_model_error
from agent.places import state_dir
from agent.react.judging.judge import Judge
from agent.store import write_json

LOST = {"workspace": 0.05, "other": 1 / 6, "answer": 0.05}
"""The most of the needed tools or complete answers that a threshold may decline, of the cases it is learned from.

Those of `other` are harder than what is asked for in earnest: in 11 of 55 the request shares no word with the tool
that it needs, of 67 calls of BFCL in 1 (docs/reliability.md)."""

KEPT = 0.05
"""The share of the needless ones above which a model keeps them apart from the needed ones."""

GAPS = {"workspace": 0.0, "other": 0.25, "answer": 0.0}
"""How far into the gap between the two, if there is one, a threshold lies: of `other`, a model that keeps them apart
loses fewer calls so and declines as many (docs/reliability.md)."""

MARGINS = {"workspace": 0.25, "other": 0.0, "answer": 0.0}
"""How far a threshold stays below what the cases allow, in log-odds: requests in a workspace scatter further than
these. After a complete answer that is declined a call is made, and it is given again."""

WORTH = 0.25
"""The least share of early answers that a threshold has to decline: every short answer waits for the question."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Log-odds below which a tool counts as not needed, an answer as not complete."""

    workspace: float
    """For A2IA's own tools."""
    other: float
    """For all other tools."""
    answer: float = -math.inf


KINDS = tuple(field.name for field in fields(Thresholds))


def cases() -> list[dict[str, Any]]:
    """Return the cases, in order."""
    lines = files("agent.react.judging").joinpath("calibration.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


async def with_odds(judge: Judge, given: Iterable[Mapping[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """Give each case with its `odds`. Raises `ModelServerError`, and `UsageError` if the server tells none."""
    for case in given:
        try:
            odds = await _odds(judge, case)
        except Exception as error:
            raise map_model_error(error, "the model server") from error
        if odds is None:
            raise UsageError("The server tells no probabilities, which a calibration needs.", "Use another server.")
        yield {**case, "odds": odds}


async def _odds(judge: Judge, case: Mapping[str, Any]) -> float | None:
    if "answer" in case:
        return await judge.completeness(case["request"], case["steps"], case["answer"])
    tool = case["tool"] if isinstance(case["tool"], Mapping) else {"name": "tool", "description": case["tool"]}
    ask = judge.need if case["kind"] == "workspace" else judge.fit
    return await ask(case["request"], tool)


def is_below(row: Mapping[str, Any], learned: Thresholds) -> bool:
    """Say whether the tool or the answer of a case with its `odds` would be declined."""
    return float(row["odds"]) < float(getattr(learned, row["kind"]))


def learn(rows: Iterable[Mapping[str, Any]]) -> Thresholds:
    """Return the thresholds for cases with their `odds`; none for answers where it would decline too few early ones."""
    rows = list(rows)
    learned = Thresholds(*(_threshold([row for row in rows if row["kind"] == kind], kind) for kind in KINDS))
    early = [row["odds"] < learned.answer for row in rows if row["kind"] == "answer" and not row["fit"]]
    return learned if sum(early) >= WORTH * len(early) else replace(learned, answer=-math.inf)


def _threshold(rows: list[Mapping[str, Any]], kind: str) -> float:
    fit, unfit = (sorted(float(row["odds"]) for row in rows if row["fit"] is is_fit) for is_fit in (True, False))
    if not fit:
        return -math.inf
    most = fit[int(LOST[kind] * len(fit))] - MARGINS[kind]
    gap = most - unfit[int((1 - KEPT) * len(unfit))] if unfit else 0.0
    return round(most - GAPS[kind] * max(gap, 0.0), 2)


def thresholds(model: str) -> Thresholds | None:
    """Return what was learned for `model`: by the user's own calibration, else shipped; None where neither is."""
    for source in (_own_file(), files("agent.react.judging").joinpath("thresholds.json")):
        try:
            known = json.loads(source.read_text("utf-8"))[model]
            return Thresholds(
                *(float(known.get(kind, -math.inf) if kind == "answer" else known[kind]) for kind in KINDS)
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def remember(model: str, learned: Thresholds) -> Path:
    """Keep the thresholds of `model` for this user, and return the file. Raises `OSError`."""
    file = _own_file()
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    finite = {kind: value for kind, value in asdict(learned).items() if math.isfinite(value)}
    write_json(file, {**known, model: finite})
    return file


def _own_file() -> Path:
    return state_dir() / "thresholds.json"
