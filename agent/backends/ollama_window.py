"""How large an Ollama model's window should be: what the task needs, within what the memory can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent.backends.wire import count

TASK = 8192
"""Tokens that A2IA needs to work: its prompt (some 2,000) and six tool results. Ollama's own default on small cards,
4,096, is full after two."""

ROOMY = 2 * TASK
"""Tokens asked for where the cache for them is small beside the memory."""

_ROOMY_SHARE, _TASK_SHARE = 1 / 16, 1 / 4
"""How much of the machine's memory the cache may take: weights and other programs need the rest."""

_BYTES = 2
"""Bytes of one number in the cache: Ollama's default is f16 (its docs/faq, `OLLAMA_KV_CACHE_TYPE`)."""


def num_ctx(shown: Mapping[str, Any], loaded: int | None, memory: int | None) -> int:
    """Return the `num_ctx` of a run: the Modelfile's, else ours within what the model was trained on.

    `shown` is what `/api/show` says, `loaded` the window with which the model is loaded now, `memory` the bytes of the
    server's machine; None where unknown. A model that is loaded with enough is left as it is, since another number
    would load it anew.
    """
    own = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters") or ""), re.M)
    if own:
        return max(int(own[1]), loaded or 0)
    trained = [count(size) for key, size in _info(shown).items() if key.endswith(".context_length")]
    wanted = min([_fitting(_cache_bytes(shown), memory), *(size for size in trained if size)])
    return loaded if loaded and loaded >= min(wanted, TASK) else wanted


def _fitting(cache: int | None, memory: int | None) -> int:
    """Return the window for a cache of so many bytes a token."""
    if not cache or not memory:
        return TASK
    if cache * ROOMY <= memory * _ROOMY_SHARE:
        return ROOMY
    return TASK if cache * TASK <= memory * _TASK_SHARE else TASK // 2


def _info(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    info = shown.get("model_info")
    return info if isinstance(info, Mapping) else {}


def _cache_bytes(shown: Mapping[str, Any]) -> int | None:
    """Return the bytes that one token takes in the cache, from the GGUF file's own description; None if it lacks it."""
    info = _info(shown)
    of = f"{info.get('general.architecture')}."
    heads = info.get(f"{of}attention.head_count")
    layers, pairs, width = (
        info.get(of + key) for key in ("block_count", "attention.head_count_kv", "embedding_length")
    )
    size = info.get(f"{of}attention.key_length") or (width // heads if isinstance(heads, int) and width else None)
    if not (isinstance(layers, int) and isinstance(pairs, int) and isinstance(size, int)):
        return None
    return 2 * layers * pairs * size * _BYTES
