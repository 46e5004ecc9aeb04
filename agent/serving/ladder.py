"""What to try after a start that failed for memory, as far as the error allows, and what to say at the end."""

from __future__ import annotations

from dataclasses import dataclass

from agent.serving.launch import Launch
from agent.serving.sizing import BLOCK, SMALLEST, UTILISATION
from agent.serving.watch import Failure

LOWEST = 0.80
"""The lowest share of the card that is tried: the last resort that the first documentation of A2IA names."""

HIGHEST = 0.95
"""The highest: the rest of the card is CUDA's own."""

STEP = 0.05
"""What a step takes off the share: 0.6 GiB of a 12 GiB card, as much as CUDA graphs take."""


@dataclass(frozen=True, slots=True)
class Rung:
    """The next try: with what, and one sentence that says why."""

    launch: Launch
    said: str


def next_rung(launch: Launch, failure: Failure, tried: list[Launch]) -> Rung | None:
    """Return the next try after `failure` of `launch`; None where nothing that the error allows is left.

    In this order: the window that vLLM itself says would fit, a lower share of the card, a window of 2,048 tokens; a
    higher share only where nobody set one. Nothing of it helps weights that do not fit.
    """
    if failure.kind in {"loading", "other"}:
        return None
    fresh = [rung for rung in _candidates(launch, failure) if rung.launch not in tried and rung.launch != launch]
    return fresh[0] if fresh else None


def _candidates(launch: Launch, failure: Failure) -> list[Rung]:
    share = launch.utilisation or UTILISATION
    window = launch.max_model_len if isinstance(launch.max_model_len, int) else None
    rungs: list[Rung] = []
    if failure.kind == "cache" and failure.longest >= SMALLEST:
        fits = failure.longest // BLOCK * BLOCK
        rungs.append(_window(launch, fits, f"vLLM says that a window of {failure.longest:,} tokens fits"))
    if failure.kind == "taken" and failure.total:
        free = int(failure.free / failure.total * 100) / 100
        if free >= 0.1:
            said = f"other programs hold GPU memory: {failure.free:g} of {failure.total:g} GiB are free"
            rungs.append(_share(launch, free, said))
    if failure.kind == "running" and share - STEP >= LOWEST - 1e-9:
        rungs.append(_share(launch, round(share - STEP, 2), "vLLM ran out of GPU memory after loading the weights"))
    if failure.kind == "running" and (window is None or window > SMALLEST):
        rungs.append(_window(launch, SMALLEST, "vLLM still runs out of GPU memory"))
    if failure.kind in {"no_cache", "cache"} and share < HIGHEST and not launch.share_asked:
        rungs.append(_share(launch, HIGHEST, f"{share:.2f} of the card leaves too little for the conversation"))
    return rungs


def _window(launch: Launch, window: int, why: str) -> Rung:
    return Rung(launch.smaller(max_model_len=window), f"{why}: trying --max-model-len {window}.")


def _share(launch: Launch, share: float, why: str) -> Rung:
    return Rung(launch.smaller(utilisation=share), f"{why}: trying --gpu-memory-utilization {share:.2f}.")


def last_word(launch: Launch, failure: Failure, fitting: str) -> str:
    """Return the smallest change that a person has to make; `fitting` are models known to fit, or nothing."""
    other = f" or choose a model that fits: --model {fitting}." if fitting else " or choose a smaller model."
    if failure.kind == "loading":
        return f"The weights do not fit: keep some of them in main memory with `-- --cpu-offload-gb N`,{other}"
    if failure.kind == "taken":
        return "End the programs that hold GPU memory (`nvidia-smi` lists them), and start again."
    if failure.kind in {"cache", "no_cache"}:
        room = f"room for {failure.longest:,} tokens is left" if failure.longest else "no room is left"
        more = "give a larger --gpu-memory-utilization" if launch.share_asked else "free GPU memory"
        return (
            f"Beside the weights {room}, and an agent needs {SMALLEST:,}: {more}, add `-- --kv-cache-dtype fp8`,{other}"
        )
    return f"Add `-- --enforce-eager` (no CUDA graphs, slower),{other}"
