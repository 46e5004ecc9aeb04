"""The GPUs of this machine, asked of NVIDIA's driver (nvidia-ml-py, which is imported only here: 0.3 s)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from agent.serving.sizing import GIB, Card


@dataclass(frozen=True, slots=True)
class Gpus:
    """What the driver says; `problem` is a sentence where it says nothing."""

    cards: tuple[Card, ...] = ()
    driver: str = ""
    cuda: str = ""
    """The newest CUDA that the driver runs."""
    problem: str = ""


def detect() -> Gpus:
    """Return the GPUs that a child of ours may use (`CUDA_VISIBLE_DEVICES` is obeyed). Never raises."""
    try:
        import pynvml
    except ImportError:
        return Gpus(problem="nvidia-ml-py is not installed, so the GPUs cannot be counted.")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Gpus(problem=f"No NVIDIA GPU answers: {error}.")
    try:
        return _read(pynvml)
    except pynvml.NVMLError as error:
        return Gpus(problem=f"The NVIDIA driver does not answer: {error}.")
    finally:
        pynvml.nvmlShutdown()


def _read(nvml: Any) -> Gpus:
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in _visible(nvml.nvmlDeviceGetCount())]
    version = nvml.nvmlSystemGetCudaDriverVersion_v2()
    return Gpus(
        cards=tuple(_card(nvml, handle) for handle in handles),
        driver=_text(nvml.nvmlSystemGetDriverVersion()),
        cuda=f"{version // 1000}.{version % 1000 // 10}",
        problem="" if handles else "The driver sees no GPU (CUDA_VISIBLE_DEVICES may hide them).",
    )


def _card(nvml: Any, handle: Any) -> Card:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    capability = tuple(nvml.nvmlDeviceGetCudaComputeCapability(handle))
    name = _text(nvml.nvmlDeviceGetName(handle))
    return Card(name, memory.total / GIB, memory.free / GIB, (capability[0], capability[1]))


def _visible(count: int) -> list[int]:
    """Return the indices that `CUDA_VISIBLE_DEVICES` leaves; names instead of numbers leave all."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return list(range(count))
    chosen = [part.strip() for part in given.split(",") if part.strip()]
    if any(not part.lstrip("-").isdecimal() for part in chosen):
        return list(range(count))
    return [int(part) for part in chosen if 0 <= int(part) < count]


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def imagined(vram: float, count: int = 1) -> tuple[Card, ...]:
    """Return `count` cards of `vram` GiB that are all free, to plan for a machine that is not here."""
    return (Card(f"a GPU of {vram:g} GiB", vram, vram),) * count
