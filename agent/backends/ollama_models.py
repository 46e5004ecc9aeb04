"""Which of the installed Ollama models can stand in for one that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.errors import ModelMissing

OVERHEAD = 1.2
"""What a loaded model takes beside its file, as a factor: cache, buffers, the program itself."""


def fitting(tags: Mapping[str, Any], memory: int | None) -> list[str]:
    """Return the installed chat models that fit into `memory` bytes (None: unknown), the largest first."""
    models = sorted(tags.get("models") or [], key=lambda entry: entry.get("size") or 0, reverse=True)
    return [
        str(entry["name"])
        for entry in models
        if "completion" in (entry.get("capabilities") or ["completion"])
        and (memory is None or (entry.get("size") or 0) * OVERHEAD <= memory)
    ]


def missing(wanted: str, where: str, tags: Mapping[str, Any], fit: Sequence[str], *, default: bool) -> ModelMissing:
    """Return the error for a model that the server at `where` lacks; `default`: nobody asked for it by name."""
    if fit:
        hint = f"Use one that it has and that fits with --model NAME: {', '.join(fit)}."
    elif tags.get("models"):
        names = ", ".join(str(entry["name"]) for entry in tags["models"])
        hint = f"What it has does not fit into this machine's memory ({names}): fetch a smaller one, as "
        hint += "`ollama pull qwen2.5-coder:1.5b`, or use --backend embedded."
    else:
        hint = "It has none: fetch one with `ollama pull qwen2.5-coder:7b`, or use --backend embedded."
    if default:
        hint += f" `ollama create {wanted} -f Modelfile` in A2IA's folder makes {wanted}."
    return ModelMissing(f"The ollama server at {where} has no model {wanted!r}.", hint, tuple(fit))
