"""Whether a model fits a GPU under vLLM, and with which window: a sum that `docs/serving.md` explains.

Pure arithmetic. Every amount is held in hundredths of a GiB, as it is shown, so the table that is printed adds up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.serving.figures import Figures

GIB = 1 << 30

DRIVER_GIB = 0.35
"""What a card has less than the driver's own count says: a 24 GiB card gives PyTorch 23.64 to 23.69 GiB, one of 40 GiB
39.39 (vllm issues 1949, 2312, 2363)."""

RUNTIME_GIB = 0.75
"""CUDA context, libraries and captured graphs: vLLM logs 0.05 to 0.25 GiB outside PyTorch and 0.4 to 0.6 GiB of graphs,
which it counts into its share since 0.21 (`gpu_worker.py`)."""

INNER_COPIES = 1.5
"""What a step holds of its inner layer at once, in both halves of it: the gated pair and their product."""

LARGE_CARD = 70.0
"""GiB from which on vLLM takes larger steps (`vllm/engine/arg_utils.py`)."""

BATCH_TOKENS, LARGE_BATCH_TOKENS = 2048, 8192
"""Tokens of one step that vLLM tries its memory with (`max_num_batched_tokens`), on smaller and on large cards."""

BATCH_REPLIES = 256
"""Replies that it samples at once in that trial: `max_num_seqs` on smaller cards. Large ones sample 1,024, but there
the step is what decides (three starts on an H100, `docs/serving.md`)."""

LOGIT_COPIES = 5
"""Float32 copies of the logits that the trial of the sampler holds at once. Two start-up logs of a model with 128,256
words leave 0.64 GiB to all but weights and cache at 256 replies and 2.2 GiB at 1024: four, and one to spare."""

BLOCK = 16
"""Tokens in a block of the KV cache: windows are whole blocks (vLLM's `block_size` on CUDA)."""

STEP = 1024
"""Windows that we choose are multiples of this: vLLM's own count of the cache differs by some hundred tokens."""

SMALLEST = 2048
"""Tokens below which an agent cannot work: tools, a file and a step; also the seed's last resort."""

OFFLOAD_LIMIT = 32.0
"""GiB of weights that may lie in main memory. They cross the bus for every token: at 25 GB/s (PCIe 4.0 x16) 32 GiB take
1.4 s, unless the model has experts and needs only some of them."""

UTILISATION = 0.90
"""Share of the card that vLLM may take, if nobody says otherwise (vLLM's own default is 0.92 since 0.20)."""


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU; sizes in GiB, as the driver counts them."""

    name: str
    total: float
    free: float
    capability: tuple[int, int] | None = None
    """Compute capability; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a person asked for; None leaves it to the sum."""

    utilisation: float | None = None
    max_model_len: int | None = None
    tensor_parallel: int | None = None
    offload: float = 0.0
    """GiB of weights to keep in main memory, for each card (`--cpu-offload-gb`)."""
    kv_each: float = 2.0
    """Bytes of one number in the KV cache: 1 with `--kv-cache-dtype fp8`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the sum, in hundredths of a GiB."""

    label: str
    amount: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The sum for one card of the `parallel` that share the model."""

    rows: tuple[Row, ...]
    """What the card has and what goes off; their sum is `left`."""
    left: int
    """Hundredths of a GiB for the KV cache; negative where even the rest does not fit."""
    kv_bytes: int
    """Bytes of one token in the KV cache of one card."""
    longest: int
    """The longest window that fits, in tokens; 0 where none does."""
    window: int
    """The window to serve, in tokens: what was asked for, else what fits."""
    parallel: int
    utilisation: float
    fits: bool
    missing: int
    """Whole GiB of weights for each card that would have to go to main memory, beyond those that already do."""


def _hundredths(size_gib: float) -> int:
    return math.ceil(size_gib * 100 - 1e-9)


def overhead_gib(figures: Figures, card: Card, parallel: int = 1) -> float:
    """Return the GiB that this card needs beside weights and KV cache while vLLM tries its largest step."""
    tokens = LARGE_BATCH_TOKENS if card.total >= LARGE_CARD else BATCH_TOKENS
    logits = LOGIT_COPIES * BATCH_REPLIES * figures.vocab * 4
    inner = 2 * figures.intermediate * (figures.active_experts if figures.experts > 1 else 1) // parallel
    step = tokens * (4 * figures.hidden + INNER_COPIES * inner) * 2
    return max(logits, step) / GIB + RUNTIME_GIB


def plan(figures: Figures, weight_bytes: int, cards: tuple[Card, ...], demand: Demand) -> Plan:
    """Return the sum for the fewest cards that the model fits on, or for all of them where it fits on none.

    `weight_bytes` is the size of the weights; `cards` are of one kind, the smallest decides.
    """
    sizes = [demand.tensor_parallel] if demand.tensor_parallel else _divisions(figures, len(cards))
    plans = [_plan(figures, weight_bytes, cards[:size] or cards, size, demand) for size in sizes]
    return next((made for made in plans if made.fits), plans[-1])


def _divisions(figures: Figures, count: int) -> list[int]:
    """Return the numbers of cards that vLLM can split the model over: they divide its attention heads."""
    return [size for size in (1, 2, 4, 8, 16) if size <= max(count, 1) and figures.heads % size == 0] or [1]


def _plan(figures: Figures, weight_bytes: int, cards: tuple[Card, ...], parallel: int, demand: Demand) -> Plan:
    card = min(cards, key=lambda each: each.total)
    share = demand.utilisation or _share(card)
    weights = weight_bytes / parallel / GIB
    offload = min(demand.offload, weights)
    usable = int(max(0.0, card.total - DRIVER_GIB) * 100 * share + 1e-9)
    rows = [
        Row("GPU memory", round(card.total * 100), card.name),
        Row("not for vLLM", usable - round(card.total * 100), f"driver {DRIVER_GIB} GiB, then utilization {share:.2f}"),
        Row("weights", -_hundredths(weights), _weights_note(figures, weight_bytes, parallel)),
    ]
    if offload:
        rows.append(Row("in main memory", int(offload * 100), "--cpu-offload-gb: slow, crosses the bus every token"))
    rows.append(Row("activations, CUDA graphs", -_hundredths(overhead_gib(figures, card, parallel)), "estimate"))
    left = sum(row.amount for row in rows)
    kv_bytes = figures.kv_bytes(parallel, demand.kv_each)
    longest = min(max(0, left) * GIB // 100 // kv_bytes // BLOCK * BLOCK, figures.window)
    window = demand.max_model_len or (longest if longest < STEP else longest // STEP * STEP)
    need = demand.max_model_len or min(SMALLEST, figures.window)
    short = _hundredths(need * kv_bytes / GIB) - left
    return Plan(
        rows=tuple(rows),
        left=left,
        kv_bytes=kv_bytes,
        longest=longest,
        window=window,
        parallel=parallel,
        utilisation=share,
        fits=short <= 0 and need <= figures.window,
        missing=max(0, math.ceil(short / 100)),
    )


def _share(card: Card) -> float:
    """Return the share of the card to take: less than usual where others hold some of it (vLLM refuses to start)."""
    total = max(card.total - DRIVER_GIB, 0.01)
    return max(0.05, min(UTILISATION, math.floor(card.free / total * 100) / 100))


def _weights_note(figures: Figures, weight_bytes: int, parallel: int) -> str:
    packed = figures.quantisation
    kind = f"{packed.method} {packed.bits:g} bit" if packed else "not packed"
    size = f"{weight_bytes / 1e9:.1f} GB, {kind}"
    return f"{size}, over {parallel} cards" if parallel > 1 else size
