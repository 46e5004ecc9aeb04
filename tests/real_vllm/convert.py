"""Makes a model folder that vLLM serves of a Qwen2 GGUF file: `python convert.py GGUF FOLDER`.

Runs in the virtual environment of vLLM, which has torch, transformers and gguf.
"""

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""What llama.cpp's `gguf-py/gguf/tensor_mapping.py` calls the parts of Qwen2, and what transformers calls them."""


def renamed(name: str) -> str:
    """Return the name in transformers of the tensor that llama.cpp calls `name`."""
    part, _, kind = name.rpartition(".")
    if not part.startswith("blk."):
        return f"{NAMES[part]}.{kind}"
    _, layer, part = part.split(".", 2)
    return f"model.layers.{layer}.{NAMES[part]}.{kind}"


def tensors(reader: Any) -> dict[str, Any]:
    """Return all weights as bfloat16."""
    found = {}
    for tensor in reader.tensors:
        plain = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type))
        found[renamed(tensor.name)] = plain.to(torch.bfloat16).contiguous()
    return found


def config(reader: Any, *, tied: bool) -> dict[str, Any]:
    """Return transformers' configuration of the model, from the file's own metadata."""

    def value(key: str) -> Any:
        return reader.fields[key].contents()

    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "torch_dtype": "bfloat16",
        "hidden_act": "silu",
        "hidden_size": value("qwen2.embedding_length"),
        "intermediate_size": value("qwen2.feed_forward_length"),
        "num_hidden_layers": value("qwen2.block_count"),
        "num_attention_heads": value("qwen2.attention.head_count"),
        "num_key_value_heads": value("qwen2.attention.head_count_kv"),
        "max_position_embeddings": value("qwen2.context_length"),
        "rms_norm_eps": value("qwen2.attention.layer_norm_rms_epsilon"),
        "rope_theta": value("qwen2.rope.freq_base"),
        "vocab_size": len(value("tokenizer.ggml.tokens")),
        "tie_word_embeddings": tied,
        "bos_token_id": 151643,
        "eos_token_id": value("tokenizer.ggml.eos_token_id"),
    }


def main(source: Path, folder: Path) -> None:
    """Write the weights, the configuration and the tokenizer to `folder`."""
    reader = gguf.GGUFReader(source)
    weights = tensors(reader)
    made = config(reader, tied="lm_head.weight" not in weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(made, indent=1))
    ends = {"eos_token_id": [made["eos_token_id"], made["bos_token_id"]]}
    (folder / "generation_config.json").write_text(json.dumps(ends))
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
