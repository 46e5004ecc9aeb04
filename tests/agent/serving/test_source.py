"""Where the sizes of a model come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.errors import UsageError
from agent.serving.figures import from_config
from agent.serving.presets import PRESETS
from agent.serving.source import find_model, hub_folder
from tests.servers.http import Asked, LoopbackServer, Reply, reply_json

QWEN = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "max_position_embeddings": 32768,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
    "vocab_size": 152064,
    "quantization_config": {"bits": 4, "group_size": 128, "quant_method": "awq", "version": "gemm", "zero_point": True},
}
"""The config.json of Qwen/Qwen2.5-7B-Instruct-AWQ, as far as it matters."""


class Hub(LoopbackServer):
    """A hub with one repository."""

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/owner/Model-AWQ/resolve/main/config.json":
            return reply_json(QWEN)
        if asked.path == "/api/models/owner/Model-AWQ?blobs=true":
            files = [("model-1.safetensors", 3_990_000_000), ("model-2.safetensors", 1_580_000_000), ("README.md", 9)]
            siblings = [{"rfilename": name, "size": size} for name, size in files]
            return reply_json({"siblings": siblings, "cardData": {"base_model": ["maker/Model"]}})
        return reply_json({"error": "Repository not found"}, 404)


def test_a_config_is_read_as_the_preset_has_it() -> None:
    assert from_config(QWEN) == PRESETS["qwen2.5-7b-awq"].figures


async def test_a_folder_tells_its_own_size(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / "model.safetensors").write_bytes(b"x" * 5000)
    model = await find_model(str(tmp_path))
    assert (model.repo, model.base, model.weight_bytes, model.folder) == (str(tmp_path), tmp_path.name, 5000, None)


@pytest.mark.parametrize(
    ("stored", "dtype", "size"), [("float32", None, 2500), ("bfloat16", "float32", 10_000), ("bfloat16", None, 5000)]
)
async def test_weights_take_what_their_type_takes_once_loaded(
    tmp_path: Path, stored: str, dtype: str | None, size: int
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**QWEN, "quantization_config": None, "torch_dtype": stored}))
    (tmp_path / "model.safetensors").write_bytes(b"x" * 5000)
    assert (await find_model(str(tmp_path), dtype)).weight_bytes == size


async def test_of_weights_in_two_forms_and_two_revisions_one_is_counted(tmp_path: Path) -> None:
    for name in ("old", "new"):
        snapshot = hub_folder("owner/Twice") / "snapshots" / name
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text(json.dumps(QWEN))
        (snapshot / "model-1.safetensors").write_bytes(b"x" * 5000)
        (snapshot / "consolidated.safetensors").write_bytes(b"x" * 5000)
    assert (await find_model("owner/Twice")).weight_bytes == 5000


@pytest.mark.parametrize("text", [None, "{"])
async def test_a_folder_without_a_config_is_named(tmp_path: Path, text: str | None) -> None:
    if text:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match=r"config\.json cannot be read"):
        await find_model(str(tmp_path))


async def test_the_hub_tells_sizes_and_the_name_of_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with Hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        model = await find_model("owner/Model-AWQ")
        assert {asked.headers["authorization"] for asked in hub.asked} == {"Bearer hf_secret"}
        missing = await find_model("owner/None-AWQ")
    assert (model.base, model.weight_bytes, model.figures) == ("maker/Model", 5_570_000_000, from_config(QWEN))
    assert (missing.figures, missing.base) == (None, "owner/None")
    assert "did not answer" in missing.source


async def test_what_the_hubs_client_has_here_is_used_offline() -> None:
    snapshot = hub_folder("owner/Model-AWQ") / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(QWEN))
    (snapshot / "model.safetensors").write_bytes(b"x" * 700)
    model = await find_model("owner/Model-AWQ")
    assert (model.weight_bytes, model.base) == (700, "owner/Model")


async def test_without_a_network_a_preset_is_known_and_its_source_is_said() -> None:
    model = await find_model("mixtral-awq")
    assert model.repo == "TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ"
    assert model.weight_bytes == PRESETS["mixtral-awq"].figures.weight_bytes()
    assert "kept by A2IA" in model.source


@pytest.mark.parametrize("name", ["no-such-preset", "./nowhere", "a/b/c", "/no/such/folder"])
async def test_a_name_that_is_nothing_is_answered_with_the_presets(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        await find_model(name)
    assert name in caught.value.message and "mixtral-awq" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"text_config": {**QWEN, "num_hidden_layers": 3}, "num_hidden_layers": 99}, ("layers", 3)),
        ({"num_key_value_heads": None}, ("kv_heads", 28)),
        ({"head_dim": 256}, ("head_dim", 256)),
        ({"num_experts": 8, "moe_intermediate_size": 100}, ("intermediate", 100)),
        ({"kv_lora_rank": 512, "qk_rope_head_dim": 64}, ("latent", 576)),
        ({"quantization_config": None}, ("quantisation", None)),
        (
            {"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
            ("window", 131072),
        ),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, ("window", 32768)),
    ],
)
def test_other_forms_of_a_config_are_read(change: dict[str, Any], check: tuple[str, Any]) -> None:
    read = from_config({**QWEN, **change})
    assert read is not None and getattr(read, check[0]) == check[1]


@pytest.mark.parametrize("config", [{}, {"model_type": "t5"}, {**QWEN, "hidden_size": None}])
def test_a_config_of_another_kind_is_not_guessed_at(config: dict[str, Any]) -> None:
    assert from_config(config) is None


@pytest.mark.parametrize(
    ("quantisation", "each"),
    [
        ({"quant_method": "fp8"}, 1.0),
        ({"quant_method": "mxfp4"}, 0.5),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 0.53125),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, 1.0),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 128}, 0.51953125),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"g": {"weights": {"num_bits": 4, "group_size": 128}}},
            },
            0.515625,
        ),
    ],
)
def test_every_packing_has_its_weight(quantisation: dict[str, Any], each: float) -> None:
    read = from_config({**QWEN, "quantization_config": quantisation})
    assert read is not None and read.quantisation is not None
    assert read.quantisation.bytes_each() == pytest.approx(each)
