"""`a2ia-cli calibrate`: learns for a model which of its own tool calls it would call needless, which answers early."""

import asyncio
from typing import Any

from agent.backends.base import Progress, TellsOdds
from agent.backends.select import chosen, open_backend
from agent.config import Settings, load_settings
from agent.errors import UsageError
from agent.react.judging.calibration import Thresholds, cases, is_below, learn, remember, with_odds
from agent.react.judging.judge import Judge
from agent.react.judging.yes_no import YesNo
from cli.display import Display, guarded
from cli.streams import prepare_streams, write

_KINDS = (
    ("workspace", "A2IA's own tools", "needless"),
    ("other", "all other tools", "needless"),
    ("answer", "answers", "early"),
)


def run_calibrate(flags: dict[str, Any]) -> int:
    """Ask the model about every case, keep the thresholds, and return the exit code."""
    prepare_streams(as_json=False)
    display = Display()
    interrupted = "interrupted; nothing is kept of a calibration that is not complete"
    return guarded(lambda: asyncio.run(_calibrate(load_settings(flags), display)), display, interrupted)


async def _calibrate(settings: Settings, display: Display) -> None:
    backend = open_backend(settings, display.progress)
    try:
        profile = await backend.profile()
        asked = chosen(backend)
        if not isinstance(asked, TellsOdds):
            hint = "Use --backend embedded or vllm; without a calibration no call is declined."
            raise UsageError(f"The backend {backend.name} tells no probabilities, which a calibration needs.", hint)
        judge = Judge(YesNo(backend.chat_model(profile), asked.odds(), profile.system_role))
        given, rows = cases(), list[dict[str, Any]]()
        async for row in with_odds(judge, given):
            rows.append(row)
            display.progress(Progress(f"Asking {profile.model}: {len(rows)} of {len(given)} cases"))
        display.settle()
    finally:
        await backend.aclose()
    learned = learn(rows)
    file = await asyncio.to_thread(remember, profile.model, learned)
    write(f"{_summary(profile.model, rows, learned)}\nkept in {file}\n")


def _summary(model: str, rows: list[dict[str, Any]], learned: Thresholds) -> str:
    lines = [f"{model}: {len(rows)} cases, told right with the thresholds learned from them:"]
    for kind, title, wrong in _KINDS:
        declined = [row for row in rows if row["kind"] == kind and is_below(row, learned)]
        lost, unfit = sum(row["fit"] for row in declined), [r for r in rows if r["kind"] == kind and not r["fit"]]
        share = (len(declined) - lost) / len(unfit)
        lines.append(f"  {title:<17} {share:4.0%} of the {wrong} ones declined, {lost} others lost")
    return "\n".join(lines)
