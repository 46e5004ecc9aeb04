"""What is read out of vLLM's log; every line is one that vLLM prints."""

from __future__ import annotations

import pytest

from agent.serving.ladder import next_rung
from agent.serving.launch import Launch
from agent.serving.watch import Failure, StartLog

LOADED = (
    "(EngineCore pid=9) INFO 10-26 21:47:46 [gpu_model_runner.py:1975] Model loading took 7.6785 GiB and 2.19 seconds"
)
OUT = (
    "(EngineCore pid=9) ERROR 05-09 16:24:05 [core.py:1136] torch.OutOfMemoryError: CUDA out of memory. Tried to "
    "allocate 1.02 GiB. GPU 0 has a total capacity of 23.52 GiB of which 115.69 MiB is free."
)
CACHE = (
    "ERROR 07-11 06:23:05 [core.py:390] ValueError: To serve at least one request with the models's max seq len "
    "(118000), (6.30 GiB KV cache is needed, which is larger than the available KV cache memory (6.11 GiB). Based on "
    "the available memory, the estimated maximum model length is 114432. Try increasing `gpu_memory_utilization` or "
    "decreasing `max_model_len` when initializing the engine."
)
OLD_CACHE = (
    "ERROR 03-25 21:32:48 engine.py:387] The model's max seq len (131072) is larger than the maximum number of tokens "
    "that can be stored in KV cache (37696). Try increasing `gpu_memory_utilization` or decreasing `max_model_len`"
)
TAKEN = (
    "(EngineCore pid=17635) ValueError: Free memory on device cuda:0 (15.32/22.04 GiB) on startup is less than desired "
    "GPU memory utilization (0.88, 19.39 GiB). Decrease GPU memory utilization or reduce GPU memory used by other "
    "processes."
)
NO_CACHE = (
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing"
)
ECHO = (
    "(APIServer pid=8) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
)


def failed(*lines: str) -> Failure:
    log = StartLog()
    for line in (*lines, ECHO):
        log.feed(line)
    return log.failure()


@pytest.mark.parametrize(
    ("lines", "kind", "longest"),
    [
        ([LOADED, CACHE], "cache", 114432),
        ([LOADED, OLD_CACHE], "cache", 37696),
        ([TAKEN], "taken", 0),
        ([LOADED, NO_CACHE], "no_cache", 0),
        ([OUT], "loading", 0),
        ([LOADED, OUT], "running", 0),
        (["ValueError: unknown"], "other", 0),
        ([], "other", 0),
    ],
)
def test_a_failure_is_told_apart(lines: list[str], kind: str, longest: int) -> None:
    failure = failed(*lines)
    assert (failure.kind, failure.longest) == (kind, longest)


def test_the_cause_is_told_and_not_its_echo() -> None:
    assert (
        failed("(EngineCore pid=9) ERROR 11-02 08:00:00 [core.py:1] KeyError: 'layers.0'").said
        == "KeyError: 'layers.0'"
    )
    assert failed(TAKEN).said.startswith("ValueError: Free memory on device")


def test_memory_that_is_free_is_read() -> None:
    failure = failed(TAKEN)
    assert (failure.free, failure.total) == (15.32, 22.04)


def test_progress_only_goes_forward() -> None:
    log, seen = StartLog(), []
    for line in (
        "(APIServer pid=1) INFO 04-18 20:22:57 [utils.py:299]   █▄█▀ █     █     █     █  version 0.19.0",
        "INFO 05-21 13:04:03 model_runner.py:1110] Starting to load model Qwen/Qwen2.5-VL-7B-Instruct-AWQ...",
        "Loading safetensors checkpoint shards:  67% Completed | 2/3 [00:00<00:00,  3.58it/s]",
        LOADED,
        "(EngineCore_0 pid=3) INFO 10-26 21:47:50 [backends.py:549] Dynamo bytecode transform time: 3.70 s",
        "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):   1%|▏         | 1/102 [00:01<02:00]",
        "Loading safetensors checkpoint shards:  67% Completed | 2/3 [00:00<00:00,  3.58it/s]",
        "INFO:     Application startup complete.",
    ):
        if log.feed(line):
            seen.append(log.progress.text)
    assert seen == [
        "Starting vLLM 0.19.0",
        "Loading the weights",
        "Loading the weights: 2 of 3 files",
        "Measuring what memory is left",
        "Compiling",
        "Compiling: CUDA graph 1 of 102",
        "Ready",
    ]
    assert log.ready


def test_what_was_tried_is_not_tried_again() -> None:
    launch, tried = Launch("m", ("m",), max_model_len=4096, utilisation=0.9), list[Launch]()
    failure, steps = Failure("running", "out of memory"), 0
    while (rung := next_rung(launch, failure, [*tried, launch])) is not None:
        tried.append(launch)
        launch, steps = rung.launch, steps + 1
    assert (steps, launch.utilisation, launch.max_model_len) == (3, 0.8, 2048)


def test_a_smaller_start_takes_the_place_of_a_flag_that_was_handed_on() -> None:
    extra = ("--max-model-len", "9500", "--enforce-eager", "--gpu-memory-utilization=0.9", "--host", "10.0.0.5")
    launch = Launch("m", ("m",), extra=extra)
    smaller = launch.smaller(max_model_len=8992, utilisation=0.8).flags()
    assert smaller.count("--max-model-len") == 1 and smaller[smaller.index("--max-model-len") + 1] == "8992"
    assert smaller[smaller.index("--gpu-memory-utilization") + 1] == "0.80" and "--enforce-eager" in smaller
    assert launch.host == "10.0.0.5"


@pytest.mark.parametrize("estimate", [0, 16, 2047])
def test_a_window_too_short_for_an_agent_is_not_served(estimate: int) -> None:
    launch = Launch("m", ("m",), max_model_len=4096, utilisation=0.95)
    assert next_rung(launch, Failure("cache", "", longest=estimate), []) is None
