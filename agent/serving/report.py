"""A plan as people read it: the table, and the sentence that says what to do where it does not fit."""

from __future__ import annotations

from collections.abc import Iterable

from agent.serving.figures import Figures
from agent.serving.presets import PRESETS
from agent.serving.sizing import OFFLOAD_LIMIT, SMALLEST, Card, Demand, Plan, plan


def table(made: Plan) -> list[str]:
    """Return the sum, line by line; the amounts add up to the one below the rule."""
    rows = [f"  {row.label:<26}{row.amount / 100:>9.2f} GiB   {row.note}".rstrip() for row in made.rows]
    each = f"{made.kv_bytes / 1024:g} KiB a token"
    rows += [
        f"  {'':<26}{'-' * 9}",
        f"  {'left for the KV cache':<26}{made.left / 100:>9.2f} GiB   {each}",
        f"  {'longest window that fits':<26}{made.longest:>9,} tokens",
    ]
    if made.fits:
        rows.append(f"  {'window to serve':<26}{made.window:>9,} tokens")
    return rows


def verdict(name: str, made: Plan, figures: Figures) -> str:
    """Return one sentence: it fits, or what is missing."""
    where = f"{made.parallel} x {made.rows[0].note}" if made.parallel > 1 else made.rows[0].note
    if made.fits:
        return f"{name} fits on {where} with a window of {made.window:,} tokens."
    if made.window > figures.window:
        return f"{name} has a window of {figures.window:,} tokens at most; {made.window:,} were asked for."
    weights = -made.rows[2].amount / 100
    room = (made.rows[0].amount + made.rows[1].amount) / 100
    if weights > room:
        return f"{name} does not fit on {where}: its weights take {weights:.1f} GiB and vLLM may use {room:.1f} GiB."
    if made.longest >= SMALLEST:
        return f"{name} does not fit on {where} with a window of {made.window:,} tokens; {made.longest:,} fit."
    if not made.longest:
        rest = -made.rows[-1].amount / 100
        return (
            f"{name} does not fit on {where}: its weights take {weights:.1f} GiB and running it {rest:.1f} GiB, so of "
            f"the {room:.1f} GiB that vLLM may use nothing is left for the conversation."
        )
    return (
        f"{name} does not fit on {where}: only {made.longest:,} tokens of conversation would, and an agent needs "
        f"{SMALLEST:,}."
    )


def advice(made: Plan, figures: Figures, cards: tuple[Card, ...], demand: Demand, base: str = "") -> str:
    """Return the smallest change that lets a start succeed; other packings of the same `base` are named first."""
    if made.window > figures.window:
        return f"Use --max-model-len {figures.window}."
    if made.longest >= SMALLEST:
        return f"Use --max-model-len {made.longest}, or leave it out."
    total = made.missing + demand.offload
    if total <= OFFLOAD_LIMIT:
        fitting = others(cards, demand, base)
        smaller = f", or a model that fits: --model {fitting}" if fitting else ""
        return f"Add `-- --cpu-offload-gb {total:g}` (needs as much free main memory, and is slow){smaller}."
    needed = -made.rows[2].amount * made.parallel / 100
    fitting = others(cards, demand, base)
    return f"It needs GPUs with some {needed * 1.15:.0f} GiB in all." + (
        f" Choose a model that fits: --model {fitting}." if fitting else " Choose a smaller model with --model."
    )


def others(cards: tuple[Card, ...], demand: Demand, base: str = "") -> str:
    """Return the short names of the known models that fit these cards, those of `base` and large ones first."""
    plain = Demand(demand.utilisation, None, demand.tensor_parallel)
    sizes = {name: preset.figures.weight_bytes() for name, preset in PRESETS.items()}
    fitting = (
        name
        for name in sorted(sizes, key=lambda each: (PRESETS[each].base != base, -sizes[each]))
        if plan(PRESETS[name].figures, sizes[name], cards, plain).fits
    )
    return " | ".join(_first(fitting, 3))


def _first(names: Iterable[str], count: int) -> list[str]:
    return [name for name, _ in zip(names, range(count), strict=False)]
