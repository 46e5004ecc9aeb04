"""What a model's `config.json` says about its size. Plain data, so that it can be read without any library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WEIGHT_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "half": 2.0, "auto": 2.0}
"""Bytes of one unquantised number by `dtype`, of vLLM or of a `config.json` (where it may be called `torch_dtype`).

`auto` stores the 16-bit types as they are and halves float32.
"""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How the weights of the linear layers are packed."""

    method: str
    bits: float
    group: int
    """Weights that share one scale; 0 where a whole column does, which weighs nothing."""

    def bytes_each(self) -> float:
        """Return the bytes of one weight with its share of the group's scale, and of the zero point of awq and gptq.

        Formats: AutoAWQ and GPTQ store `qweight` of `bits`, `scales` in float16 and `qzeros` of `bits` a group.
        """
        zero = self.bits / 8 if self.method in {"awq", "gptq"} else 0.0
        return self.bits / 8 + ((2 + zero) / self.group if self.group else 0.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """The sizes of one model, as its `config.json` names them."""

    model_type: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    window: int
    """The longest window that the model was made for, in tokens (`max_position_embeddings`)."""
    experts: int = 1
    active_experts: int = 1
    tied: bool = False
    """Whether one matrix serves as embedding and output."""
    latent: int = 0
    """Numbers that one layer keeps of a token in multi-head latent attention (DeepSeek); 0 for other models."""
    quantisation: Quantisation | None = None

    def linear_parameters(self) -> int:
        """Return how many weights the attention and feed-forward matrices have: those that quantisation packs."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate * self.experts)

    def other_parameters(self) -> int:
        """Return the weights that stay unpacked: embedding, output, norms and the experts' router."""
        embedding = self.vocab * self.hidden * (1 if self.tied else 2)
        router = self.hidden * self.experts if self.experts > 1 else 0
        return embedding + self.layers * (2 * self.hidden + router) + self.hidden

    def weight_bytes(self, each: float = 2.0) -> int:
        """Return the bytes of all weights; unpacked ones take `each` bytes."""
        packed = self.quantisation.bytes_each() if self.quantisation else each
        return round(self.linear_parameters() * packed + self.other_parameters() * each)

    def kv_bytes(self, parallel: int = 1, each: float = 2.0) -> int:
        """Return the bytes that one token takes of the KV cache of each of `parallel` cards.

        Two vectors a layer and KV head (key and value); a head that cannot be split is kept on every card.
        """
        if self.latent:
            return round(self.layers * self.latent * each)
        return round(2 * self.layers * max(1, self.kv_heads // parallel) * self.head_dim * each)


def from_config(config: Mapping[str, Any]) -> Figures | None:
    """Read a `config.json`; None where it lacks what the arithmetic needs (another kind of model)."""
    text = config.get("text_config")
    inner: Mapping[str, Any] = {**config, **text} if isinstance(text, Mapping) else config
    try:
        heads, hidden = int(inner["num_attention_heads"]), int(inner["hidden_size"])
        experts = _first(inner, "num_local_experts", "num_experts", "n_routed_experts") or 1
        return Figures(
            model_type=str(config.get("model_type", "")),
            layers=int(inner["num_hidden_layers"]),
            hidden=hidden,
            intermediate=(_first(inner, "moe_intermediate_size") if experts > 1 else 0)
            or int(inner["intermediate_size"]),
            heads=heads,
            kv_heads=_first(inner, "num_key_value_heads") or heads,
            head_dim=_first(inner, "head_dim") or hidden // heads,
            vocab=int(inner["vocab_size"]),
            window=_window(inner),
            experts=experts,
            active_experts=_first(inner, "num_experts_per_tok") or 1,
            tied=bool(inner.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
            latent=_first(inner, "kv_lora_rank") and _first(inner, "kv_lora_rank") + _first(inner, "qk_rope_head_dim"),
            quantisation=_quantisation(config.get("quantization_config") or inner.get("quantization_config")),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _window(config: Mapping[str, Any]) -> int:
    """Return the longest window in tokens; with YaRN it is the trained one times a factor, as vLLM takes it."""
    window = _first(config, "max_position_embeddings") or 2048
    scaling = config.get("rope_scaling") or config.get("rope_parameters")
    if not isinstance(scaling, Mapping) or (scaling.get("rope_type") or scaling.get("type")) != "yarn":
        return window
    trained = _first(scaling, "original_max_position_embeddings") or window
    return max(window, round(trained * float(scaling.get("factor") or 1)))


def _first(config: Mapping[str, Any], *names: str) -> int:
    """Return the first of these keys that has a number, else 0."""
    return next((int(config[name]) for name in names if isinstance(config.get(name), int)), 0)


def _quantisation(given: object) -> Quantisation | None:
    """Read a `quantization_config`; methods without a number of bits get the one that their name says."""
    if not isinstance(given, Mapping):
        return None
    method = str(given.get("quant_method", ""))
    if method == "compressed-tensors":
        groups = given.get("config_groups")
        first: Any = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
        weights = (first or {}).get("weights") or {}
        return Quantisation(method, float(weights.get("num_bits") or 8), int(weights.get("group_size") or 0))
    if method == "bitsandbytes":
        return Quantisation(method, 4.0 if given.get("load_in_4bit") else 8.0, 64)
    bits = _first(given, "bits", "w_bit") or {"mxfp4": 4, "fp8": 8, "awq": 4, "gptq": 4}.get(method, 8)
    group = _first(given, "group_size", "q_group_size")
    return Quantisation(method, float(bits), max(0, group))
