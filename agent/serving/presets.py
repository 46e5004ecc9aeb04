"""Models that `a2ia-cli vllm start` knows by a short name, and the sizes of those that can be planned offline."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.serving.figures import Figures, Quantisation

_AWQ = Quantisation("awq", 4, 128)
"""`quant_config.json` of TheBloke's, Qwen's and hugging-quants' AWQ repositories: w_bit 4, q_group_size 128."""

_MISTRAL_7B = Figures("mistral", 32, 4096, 14336, 32, 8, 128, 32000, 32768)
_MIXTRAL_8X7B = replace(_MISTRAL_7B, model_type="mixtral", experts=8, active_experts=2)
_MIXTRAL_8X22B = Figures("mixtral", 56, 6144, 16384, 48, 8, 128, 32768, 65536, experts=8, active_experts=2)
_QWEN_7B = Figures("qwen2", 28, 3584, 18944, 28, 4, 128, 152064, 32768)
_LLAMA_8B = Figures("llama", 32, 4096, 14336, 32, 8, 128, 128256, 131072)
_QWEN_HALF_B = Figures("qwen2", 24, 896, 4864, 14, 2, 64, 151936, 32768, tied=True)


@dataclass(frozen=True, slots=True)
class Preset:
    """What a short name stands for; None leaves a setting to the sizing, or to vLLM."""

    repo: str
    base: str
    """The name of the model as it was published, before somebody packed its weights."""
    figures: Figures
    """The sizes in the repository's `config.json`, as published."""
    quantization: str | None = None
    dtype: str | None = None
    max_model_len: int | None = None
    chunked_prefill: bool = False


PRESETS = {
    "mixtral-awq": Preset(
        "TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ",
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        replace(_MIXTRAL_8X7B, quantisation=_AWQ),
        "awq",
        "half",
        4096,
        chunked_prefill=True,
    ),
    "mixtral-gptq": Preset(
        "TheBloke/Mixtral-8x7B-Instruct-v0.1-GPTQ",
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        replace(_MIXTRAL_8X7B, quantisation=Quantisation("gptq", 4, 0)),
        "gptq",
        "half",
        4096,
    ),
    "mistral-7b": Preset(
        "mistralai/Mistral-7B-Instruct-v0.2", "mistralai/Mistral-7B-Instruct-v0.2", _MISTRAL_7B, None, "half", 8192
    ),
    "mistral-7b-awq": Preset(
        "TheBloke/Mistral-7B-Instruct-v0.2-AWQ",
        "mistralai/Mistral-7B-Instruct-v0.2",
        replace(_MISTRAL_7B, quantisation=_AWQ),
        "awq",
        "half",
    ),
    "mixtral-8x22b": Preset(
        "mistralai/Mixtral-8x22B-Instruct-v0.1", "mistralai/Mixtral-8x22B-Instruct-v0.1", _MIXTRAL_8X22B
    ),
    "qwen2.5-7b-awq": Preset(
        "Qwen/Qwen2.5-7B-Instruct-AWQ", "Qwen/Qwen2.5-7B-Instruct", replace(_QWEN_7B, quantisation=_AWQ), "awq", "half"
    ),
    "qwen2.5-coder-7b-awq": Preset(
        "Qwen/Qwen2.5-Coder-7B-Instruct-AWQ",
        "Qwen/Qwen2.5-Coder-7B-Instruct",
        replace(_QWEN_7B, quantisation=_AWQ),
        "awq",
        "half",
    ),
    "qwen2.5-7b": Preset("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct", _QWEN_7B),
    "qwen2.5-0.5b": Preset("Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-0.5B-Instruct", _QWEN_HALF_B),
    "llama-3.1-8b": Preset("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct", _LLAMA_8B),
    "llama-3.1-8b-awq": Preset(
        "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
        "meta-llama/Llama-3.1-8B-Instruct",
        replace(_LLAMA_8B, quantisation=_AWQ),
        "awq",
        "half",
    ),
}

DEFAULT = "mixtral-awq"
"""What `vllm start` without `--model` serves."""


def find(model: str) -> Preset | None:
    """Return the preset of this short name, or of this repository, whatever the case of its letters."""
    wanted = model.lower()
    named = PRESETS.get(wanted)
    return named or next((preset for preset in PRESETS.values() if preset.repo.lower() == wanted), None)


def base_name(repo: str) -> str | None:
    """Return the repository's name without what says how it was packed; None where it says nothing of it."""
    for suffix in ("-AWQ-INT4", "-AWQ", "-GPTQ-Int4", "-GPTQ-Int8", "-GPTQ", "-FP8-dynamic", "-FP8", "-bnb-4bit"):
        if repo.lower().endswith(suffix.lower()):
            return repo[: -len(suffix)]
    return None


def tool_parser(figures: Figures) -> str | None:
    """Return vLLM's tool parser for this kind of model (vLLM docs, "Tool Calling"); None where it has none.

    The tokenizer tells the generations of one kind apart: Mistral before v0.3 and Mixtral 8x7B (32,000 words) were not
    made for tool calls, Llama before 3 (32,000) neither.
    """
    if figures.model_type == "mistral":
        return "mistral" if figures.vocab > 32000 else None
    if figures.model_type == "llama":
        return "llama3_json" if figures.vocab >= 128256 else None
    return _PARSERS.get(figures.model_type)


_PARSERS = {
    "qwen2": "hermes",
    "qwen2_moe": "hermes",
    "qwen3": "hermes",
    "qwen3_moe": "hermes",
    "llama4": "llama4_pythonic",
    "gpt_oss": "openai",
    "granite": "granite",
    "deepseek_v3": "deepseek_v3",
    "glm4_moe": "glm45",
    "jamba": "jamba",
    "olmo3": "olmo3",
    "phi3": "phi4_mini_json",
    "seed_oss": "seed_oss",
    "kimi_k2": "kimi_k2",
    "gemma4": "gemma4",
    "lfm2": "lfm2",
}
