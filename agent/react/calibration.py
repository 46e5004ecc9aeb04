"""Where the judge's answer counts as a no, learned for each model from pairs of requests and tools.

`calibration.jsonl` holds the pairs, one JSON object a line: `kind` (`workspace`: A2IA's own tools in work of many
steps; `other`: programs of any kind), `fit`, `request`, `tool` (what it does). A model without thresholds is never
told no.
"""

import json
import math
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from agent.errors import UsageError, map_model_error
from agent.places import state_dir
from agent.react.judge import Judge
from agent.store import write_json

LOST = 0.05
"""The most of the needed tools that a threshold may decline, of the pairs that it is learned from."""

MARGIN = 0.25
"""How far a threshold stays below what the pairs allow, in log-odds: other requests scatter further than these."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Log-odds below which a tool counts as not needed, for A2IA's own tools and for all others."""

    workspace: float
    other: float


def pairs() -> list[dict[str, Any]]:
    """Return the pairs, in order."""
    lines = files("agent.react").joinpath("calibration.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


async def judged(judge: Judge, given: Iterable[Mapping[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """Give each pair with its `odds`. Raises `ModelServerError`, and `UsageError` if the server tells none."""
    for pair in given:
        tool = pair["tool"] if isinstance(pair["tool"], Mapping) else {"name": "tool", "description": pair["tool"]}
        try:
            odds = await judge.log_odds(pair["request"], tool)
        except Exception as error:
            raise map_model_error(error, "the model server") from error
        if odds is None:
            raise UsageError("The server tells no probabilities, which a calibration needs.", "Use another server.")
        yield {**pair, "odds": odds}


def is_below(row: Mapping[str, Any], learned: Thresholds) -> bool:
    """Say whether a judged pair's tool would be declined."""
    return float(row["odds"]) < (learned.workspace if row["kind"] == "workspace" else learned.other)


def learn(rows: Iterable[Mapping[str, Any]]) -> Thresholds:
    """Return the thresholds for pairs with their `odds`."""
    rows = list(rows)
    return Thresholds(*(_threshold([row["odds"] for row in rows if _is(row, kind)]) for kind in ("workspace", "other")))


def _is(row: Mapping[str, Any], kind: str) -> bool:
    return bool(row["fit"]) and row["kind"] == kind


def _threshold(fit: list[float]) -> float:
    return round(sorted(fit)[int(LOST * len(fit))] - MARGIN, 2) if fit else -math.inf


def thresholds(model: str) -> Thresholds | None:
    """Return what was learned for `model`: by the user's own calibration, else shipped; None where neither is."""
    for source in (_own_file(), files("agent.react").joinpath("thresholds.json")):
        try:
            known = json.loads(source.read_text("utf-8"))[model]
            return Thresholds(float(known["workspace"]), float(known["other"]))
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
    write_json(file, {**known, model: asdict(learned)})
    return file


def _own_file() -> Path:
    return state_dir() / "thresholds.json"
