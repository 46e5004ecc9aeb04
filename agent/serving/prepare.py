"""From what a person asked of `vllm start` to the start itself: model, GPUs, plan, flags."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import UsageError
from agent.serving import gpu
from agent.serving.figures import WEIGHT_BYTES, Quantisation
from agent.serving.launch import Launch, value_of, without
from agent.serving.presets import DEFAULT, PRESETS, Preset, find, tool_parser
from agent.serving.report import advice, others, table, verdict
from agent.serving.sizing import Demand, Plan, plan
from agent.serving.source import Model, find_model

_ON_THE_FLY = {"fp8": Quantisation("fp8", 8, 0), "bitsandbytes": Quantisation("bitsandbytes", 4, 64)}
"""Packings that vLLM makes itself while it loads weights that are not packed."""

_PACKED_BEFORE = {"awq", "awq_marlin", "gptq", "gptq_marlin"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What stands on the command line; None where it does not."""

    model: str | None = None
    quantization: str | None = None
    dtype: str | None = None
    max_model_len: int | None = 0
    """Tokens; None: the longest that fits; 0: not given."""
    utilisation: float | None = None
    chunked_prefill: bool = False
    tensor_parallel: int | None = None
    loras: tuple[str, ...] = ()
    tool_parser: str | None = None
    port: int = 8000
    vram: float | None = None
    gpus: int = 1
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A start that is ready, and what to tell of it."""

    launch: Launch
    model: Model
    lines: tuple[str, ...]
    """The plan, for people."""
    problem: str = ""
    """Why it will not fit; nothing where it does, or where that is not known."""
    hint: str = ""
    gpu: bool = True
    """Whether there is a GPU, or one was imagined."""
    fitting: str = ""
    """Known models that fit these cards, for the last sentence of a start that failed."""


async def prepare(wanted: Wanted) -> Prepared:
    """Return the start that `wanted` asks for, sized for the GPUs. Raises `UsageError`."""
    name = wanted.model or DEFAULT
    preset = find(name)
    quantization = wanted.quantization or (preset.quantization if preset else None)
    dtype = wanted.dtype or (preset.dtype if preset else None)
    model, seen = await asyncio.gather(find_model(name, dtype), asyncio.to_thread(gpu.detect))
    model = _packed(model, quantization, dtype)
    cards = gpu.imagined(wanted.vram, wanted.gpus) if wanted.vram else seen.cards
    demand = _demand(wanted, preset, dtype)
    made = plan(model.figures, model.weight_bytes, cards, demand) if model.figures and cards else None
    if dtype is None:
        dtype = _dtype(model, quantization, cards[0].capability if cards else None)
    launch = Launch(
        repo=model.repo,
        names=_names(model),
        port=_port(wanted),
        quantization=quantization,
        dtype=dtype,
        max_model_len=_window(wanted, preset, made),
        utilisation=wanted.utilisation or (made.utilisation if made else None),
        share_asked=wanted.utilisation is not None,
        chunked_prefill=wanted.chunked_prefill or (preset is not None and preset.chunked_prefill),
        tensor_parallel=wanted.tensor_parallel or (made.parallel if made else 1),
        tool_parser=_parser(wanted, model),
        loras=tuple(_adapter(text) for text in wanted.loras),
        extra=without(wanted.extra, "--port"),
    )
    title = [f"{model.repo} ({model.source})"]
    if made is None or model.figures is None:
        why = seen.problem if not cards else "The size of the model is not known, so what fits is left to vLLM."
        return Prepared(launch, model, (*title, why), gpu=bool(cards))
    lines, said = (*title, *table(made)), verdict(name, made, model.figures)
    fitting = others(cards, demand, model.base)
    if made.fits:
        return Prepared(launch, model, (*lines, said), fitting=fitting)
    hint = advice(made, model.figures, cards, demand, model.base)
    return Prepared(launch, model, lines, said, hint, fitting=fitting)


def _packed(model: Model, quantization: str | None, dtype: str | None) -> Model:
    """Return the model as it will lie in memory. Raises `UsageError` where its weights are not packed that way."""
    figures = model.figures
    if figures is None or figures.quantisation is not None or quantization is None:
        return model
    if quantization in _ON_THE_FLY:
        packed = replace(figures, quantisation=_ON_THE_FLY[quantization])
        size = packed.weight_bytes(WEIGHT_BYTES.get(dtype or "auto", 2.0))
        return replace(model, figures=packed, weight_bytes=size)
    if quantization in _PACKED_BEFORE:
        method = quantization.removesuffix("_marlin")
        same = [key for key, each in PRESETS.items() if each.base == model.base and each.quantization == method]
        hint = f"Use --model {same[0]}." if same else f"Name a repository whose weights are ({method.upper()}), or fp8."
        raise UsageError(f"The weights of {model.repo} are not packed with {method}.", hint)
    return model


def _demand(wanted: Wanted, preset: Preset | None, dtype: str | None) -> Demand:
    offload = value_of(wanted.extra, "--cpu-offload-gb")
    try:
        gib = float(offload) if offload else 0.0
    except ValueError as error:
        raise UsageError(f"--cpu-offload-gb cannot be {offload!r}.", "Give a number of GiB.") from error
    asked = wanted.max_model_len
    if asked == 0 and preset is not None:
        asked = preset.max_model_len
    cache = value_of(wanted.extra, "--kv-cache-dtype") or ""
    each = 1.0 if "fp8" in cache else WEIGHT_BYTES.get(dtype or "auto", 2.0)
    return Demand(wanted.utilisation, asked or None, wanted.tensor_parallel, gib, each)


def _port(wanted: Wanted) -> int:
    given = value_of(wanted.extra, "--port") or str(wanted.port)
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise UsageError(f"--port cannot be {given!r}.", "Give a number from 1 to 65535.")
    return int(given)


def _window(wanted: Wanted, preset: Preset | None, made: Plan | None) -> int | str | None:
    if wanted.max_model_len:
        return wanted.max_model_len
    if wanted.max_model_len == 0 and preset is not None and preset.max_model_len:
        return preset.max_model_len
    if made is not None:
        return made.window or None
    return "auto" if wanted.max_model_len is None else None


def _dtype(model: Model, quantization: str | None, capability: tuple[int, int] | None) -> str | None:
    """Return `half` where vLLM would refuse bfloat16: AWQ's kernels, and cards before Ampere (8.0)."""
    packed = model.figures.quantisation.method if model.figures and model.figures.quantisation else ""
    old = capability is not None and capability < (8, 0)
    return "half" if old or (quantization or packed) == "awq" else None


def _parser(wanted: Wanted, model: Model) -> str | None:
    if wanted.tool_parser:
        return None if wanted.tool_parser == "none" else wanted.tool_parser
    return tool_parser(model.figures) if model.figures else None


def _names(model: Model) -> tuple[str, ...]:
    """Return both names; a folder's own path comes last, since nobody wants to type it."""
    both = (model.base, model.repo) if model.folder is None else (model.repo, model.base)
    return tuple(dict.fromkeys(both))


def _adapter(text: str) -> str:
    """Return NAME=PATH with a local path made absolute, as vLLM runs elsewhere. Raises `UsageError`."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise UsageError(f"--lora cannot be {text!r}.", "Write it as NAME=PATH.")
    local = Path(path).expanduser()
    return f"{name}={local.resolve()}" if local.exists() else text
