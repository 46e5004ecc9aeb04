"""The arithmetic of memory: against sizes that were published, and against what vLLM itself logged."""

from __future__ import annotations

import re

import pytest

from agent.serving.gpu import imagined
from agent.serving.presets import PRESETS, find, tool_parser
from agent.serving.report import advice, table, verdict
from agent.serving.sizing import BLOCK, GIB, SMALLEST, Card, Demand, Plan, plan


def planned(name: str, vram: float, count: int = 1, **demand: float) -> Plan:
    preset = PRESETS[name]
    asked = Demand(**{"max_model_len": preset.max_model_len, **demand})  # type: ignore[arg-type]
    return plan(preset.figures, preset.figures.weight_bytes(), imagined(vram, count), asked)


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("mixtral-awq", 24.65),  # the size that the hub lists for the repository
        ("mixtral-gptq", 23.81),
        ("mistral-7b", 14.48),
        ("mistral-7b-awq", 4.15),
        ("mixtral-8x22b", 281.2),
        ("qwen2.5-7b-awq", 5.57),
        ("llama-3.1-8b", 16.06),
        ("llama-3.1-8b-awq", 5.73),
        ("qwen2.5-0.5b", 0.988),
    ],
)
def test_weights_weigh_what_the_repositories_hold(name: str, gigabytes: float) -> None:
    assert PRESETS[name].figures.weight_bytes() / 1e9 == pytest.approx(gigabytes, rel=0.005)


@pytest.mark.parametrize(
    ("name", "parallel", "gib", "tokens"),
    [
        ("llama-3.1-8b", 1, 4.60, 37_696),  # vLLM 0.8 on a card of 22.07 GiB
        ("llama-3.1-8b", 1, 19.92, 163_168),  # vLLM 0.19 on an A100 of 40 GB
        ("qwen2.5-0.5b", 1, 2.0, 174_762),
        ("qwen2.5-7b", 2, 7.0, 262_144),
    ],
)
def test_a_token_takes_what_vllm_logged_of_its_cache(name: str, parallel: int, gib: float, tokens: int) -> None:
    assert gib * GIB / PRESETS[name].figures.kv_bytes(parallel) == pytest.approx(tokens, rel=0.001)


@pytest.mark.parametrize(
    ("name", "utilisation", "gib"),
    [("qwen2.5-7b", 0.9, 55.60), ("qwen2.5-7b", 0.25, 4.13), ("mixtral-awq", 0.9, 46.13), ("mistral-7b", 0.95, 60.62)],
)
def test_the_cache_gets_what_vllm_logged_on_an_h100(name: str, utilisation: float, gib: float) -> None:
    """Logged without CUDA graphs, which take up to 0.6 GiB: the sum may promise that much less, and no more."""
    preset, card = PRESETS[name], Card("NVIDIA H100 80GB HBM3", 79.647, 79.179)
    made = plan(preset.figures, preset.figures.weight_bytes(), (card,), Demand(utilisation=utilisation))
    assert gib - 0.6 <= made.left / 100 <= gib + 0.05


@pytest.mark.parametrize("vram", [8, 11.5, 12, 16, 24, 48, 80])
@pytest.mark.parametrize("name", PRESETS)
def test_the_table_adds_up_as_printed(name: str, vram: float) -> None:
    made = planned(name, vram, offload=3.3)
    amounts = [float(found[1]) for line in table(made) if (found := re.search(r"(-?\d+\.\d\d) GiB", line))]
    assert len(amounts) == len(made.rows) + 1
    assert round(sum(amounts[:-1]) * 100) == round(amounts[-1] * 100) == made.left


@pytest.mark.parametrize("vram", [8, 12, 16, 24, 48, 80])
@pytest.mark.parametrize("name", PRESETS)
def test_a_window_that_fits_really_fits_and_is_one_that_the_model_has(name: str, vram: float) -> None:
    made, figures = planned(name, vram), PRESETS[name].figures
    assert made.longest <= figures.window
    assert made.longest % BLOCK == 0
    assert made.longest * made.kv_bytes <= max(0, made.left) * GIB / 100
    if made.fits:
        assert min(SMALLEST, figures.window) <= made.window <= made.longest
        assert made.window * made.kv_bytes <= made.left * GIB / 100


@pytest.mark.parametrize(
    ("name", "vram", "fits"),
    [
        ("mixtral-awq", 12, False),
        ("mixtral-gptq", 12, False),
        ("mixtral-awq", 24, False),
        ("mixtral-awq", 32, True),
        ("mistral-7b", 12, False),
        ("mistral-7b", 24, True),
        ("mistral-7b-awq", 12, True),
        ("mixtral-8x22b", 80, False),
        ("qwen2.5-7b-awq", 8, True),  # barely: 3,072 tokens
        ("llama-3.1-8b-awq", 8, False),
        ("qwen2.5-7b-awq", 12, True),
        ("llama-3.1-8b-awq", 12, True),
        ("llama-3.1-8b", 24, True),
        ("qwen2.5-0.5b", 4, True),
    ],
)
def test_known_models_on_known_cards(name: str, vram: float, fits: bool) -> None:
    made = planned(name, vram)
    assert made.fits is fits
    assert ("does not fit" in verdict(name, made, PRESETS[name].figures)) is not fits


def test_mixtral_on_12_gb_is_told_with_its_numbers_and_what_to_offload() -> None:
    preset, cards, demand = PRESETS["mixtral-awq"], imagined(12), Demand(max_model_len=4096)
    made = plan(preset.figures, preset.figures.weight_bytes(), cards, demand)
    said = verdict("mixtral-awq", made, preset.figures)
    assert "weights take 23.0 GiB and vLLM may use 10.5 GiB" in said
    assert "24.7 GB" in "\n".join(table(made))
    mend = advice(made, preset.figures, cards, demand, preset.base)
    assert "--cpu-offload-gb 15" in mend
    again = plan(preset.figures, preset.figures.weight_bytes(), cards, Demand(max_model_len=4096, offload=15))
    assert again.fits
    assert not plan(preset.figures, preset.figures.weight_bytes(), cards, Demand(max_model_len=4096, offload=14)).fits


def test_mistral_7b_on_12_gb_is_sent_to_its_own_packed_weights() -> None:
    preset, cards, demand = PRESETS["mistral-7b"], imagined(12), Demand(max_model_len=8192)
    made = plan(preset.figures, preset.figures.weight_bytes(), cards, demand)
    assert "14.5 GB" in "\n".join(table(made))
    assert "--model mistral-7b-awq" in advice(made, preset.figures, cards, demand, preset.base)


def test_mixtral_8x22b_is_refused_without_an_offload_that_nobody_could_use() -> None:
    preset, cards = PRESETS["mixtral-8x22b"], imagined(12)
    made = plan(preset.figures, preset.figures.weight_bytes(), cards, Demand())
    mend = advice(made, preset.figures, cards, Demand(), preset.base)
    assert "--cpu-offload-gb" not in mend
    assert re.search(r"GPUs with some 30\d GiB in all", mend)


@pytest.mark.parametrize(
    ("name", "vram", "count", "parallel"),
    [("mixtral-awq", 24, 2, 2), ("mistral-7b-awq", 12, 4, 1), ("mixtral-8x22b", 80, 8, 4), ("qwen2.5-7b", 12, 4, 2)],
)
def test_as_few_cards_as_it_takes_share_a_model(name: str, vram: float, count: int, parallel: int) -> None:
    made = planned(name, vram, count)
    assert (made.fits, made.parallel) == (True, parallel)


def test_memory_that_others_hold_lowers_the_share() -> None:
    figures = PRESETS["mistral-7b-awq"].figures
    busy = (Card("RTX 3060", 12.0, 8.0),)
    made = plan(figures, figures.weight_bytes(), busy, Demand())
    assert made.utilisation == pytest.approx(0.68)
    assert made.utilisation * (12.0 - 0.35) <= 8.0
    assert made.fits and made.longest < 32768


def test_an_8_bit_cache_holds_twice_the_tokens() -> None:
    figures = PRESETS["llama-3.1-8b"].figures
    plain, packed = (plan(figures, figures.weight_bytes(), imagined(24), Demand(kv_each=each)) for each in (2.0, 1.0))
    assert packed.longest == pytest.approx(2 * plain.longest, abs=2 * BLOCK)


def test_a_window_longer_than_the_model_has_is_refused() -> None:
    figures = PRESETS["mistral-7b-awq"].figures
    made = plan(figures, figures.weight_bytes(), imagined(80), Demand(max_model_len=65536))
    assert not made.fits
    assert "32,768 tokens at most" in verdict("m", made, figures)
    assert advice(made, figures, imagined(80), Demand(max_model_len=65536)) == "Use --max-model-len 32768."


@pytest.mark.parametrize(
    ("name", "parser"),
    [("mixtral-awq", None), ("mistral-7b", None), ("qwen2.5-7b-awq", "hermes"), ("llama-3.1-8b", "llama3_json")],
)
def test_the_tool_parser_follows_the_kind_of_model(name: str, parser: str | None) -> None:
    assert tool_parser(PRESETS[name].figures) == parser


def test_a_preset_is_found_by_its_repository_too() -> None:
    assert find("thebloke/mixtral-8x7b-instruct-v0.1-awq") is PRESETS["mixtral-awq"]
    assert find("somebody/else") is None
