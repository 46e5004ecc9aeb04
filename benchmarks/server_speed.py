"""Speed of the embedded server under other settings than its own, with ratios to its own.

    python -m benchmarks.server_speed [--model FILE] [--rounds 3] [--busy N] [--only NAME ...]

Prompt: tokens a second over 700 tokens with nothing cached. Reply: tokens a second over 48 tokens. The settings take
turns, each time in a fresh process. With `--busy N` so many other processes compute meanwhile, as a test run does.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from agent.backends.embedded_child import tuned
from agent.backends.weights_model import here, resolve
from benchmarks import report

PROMPT_TOKENS, REPLY_TOKENS = 700, 48


def _set(path: str, value: object) -> Callable[[Any], None]:
    """Return what sets the field at the dotted `path`."""

    def apply(params: Any) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            params = getattr(params, parent)
        setattr(params, last, value)

    return apply


VARIANTS: dict[str, list[Callable[[Any], None]]] = {
    "as shipped": [],
    "spin 0": [],
    "spin 1000": [],
    "spin 10000": [],
    "spin 100000": [],
    "poll 0": [_set("cpuparams.poll", 0), _set("cpuparams_batch.poll", 0)],
    "poll 100": [_set("cpuparams.poll", 100), _set("cpuparams_batch.poll", 100)],
    "1 thread": [_set("cpuparams.n_threads", 1), _set("cpuparams_batch.n_threads", 1)],
    "1 thread for replies": [_set("cpuparams.n_threads", 1)],
    "ubatch 128": [_set("n_ubatch", 128)],
    "ubatch 256": [_set("n_ubatch", 256)],
    "no flash attention": [_set("flash_attn_type", 0)],
    "flash attention": [_set("flash_attn_type", 1)],
    "no repacking": [_set("no_extra_bufts", True)],
    "window 4096": [_set("n_ctx", 4096)],
}
"""What each setting changes. xllamacpp's threads are OpenMP's, which look for work `spin N` times before they sleep;
`poll` says that for builds without OpenMP."""


def _serve(pipe: Connection, model: str, variant: str) -> None:
    if variant.startswith("spin "):
        os.environ["GOMP_SPINCOUNT"] = variant.removeprefix("spin ")  # read when the library is loaded
    import xllamacpp

    params = tuned(xllamacpp.CommonParams(), threads=2)
    params.model.path = model
    params.n_ctx = 8192
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.cache_ram_mib = 0
    for apply in VARIANTS[variant]:
        apply(params)
    began = time.monotonic()
    server = xllamacpp.Server(params)
    pipe.send((server.listening_address, time.monotonic() - began))
    pipe.recv()


def _spin() -> None:
    while True:
        pass


def _ask(url: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/completion", json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=600) as reply:  # noqa: S310
        answer: dict[str, Any] = json.load(reply)
        return answer


def measure(model: str, variant: str, number: int) -> tuple[float, float, float]:
    """Return start seconds and the prompt's and the reply's tokens a second; each `number` has a prompt of its own."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, model, variant), daemon=True)
    process.start()
    try:
        if not mine.poll(180):
            raise RuntimeError(f"the server did not start under {variant!r}")
        url, start = mine.recv()
        prompt = [1000 + (number * 977 + place * 31) % 50000 for place in range(PROMPT_TOKENS)]
        _ask(url, {"prompt": prompt[-32:], "n_predict": 2})  # touches the weights for the first time
        body = {"prompt": prompt, "n_predict": REPLY_TOKENS, "temperature": 0, "ignore_eos": True}
        timings = _ask(url, body)["timings"]
        return start, timings["prompt_per_second"], timings["predicted_per_second"]
    finally:
        process.kill()
        process.join()


def table(rows: dict[str, list[tuple[float, float, float]]]) -> str:
    """Return the figures: median (lowest to highest), and the median of the rounds' ratios to the first row."""
    lines = ["setting                  start s  prompt tokens/s (range)    ratio  reply tokens/s (range)   ratio"]
    first = next(iter(rows.values()))
    for name, row in rows.items():
        cells = []
        for place in (1, 2):
            mine = [figures[place] for figures in row]
            share = statistics.median(one / base[place] for one, base in zip(mine, first, strict=True))
            cells.append(f"{statistics.median(mine):7.1f} ({min(mine):.1f} to {max(mine):.1f})  {share:6.2f}")
        start = statistics.median(figures[0] for figures in row)
        lines.append(f"{name:<24} {start:>7.1f}  {cells[0]:<32} {cells[1]}")
    return "\n".join(lines)


def main() -> int:
    """Measure the settings one after the other and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.server_speed")
    parser.add_argument("--model", help="as in a2ia-cli")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="beside N processes that compute all the time")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="settings beside the shipped ones")
    options = parser.parse_args()
    model = here(resolve(options.model))
    if model is None:
        sys.exit("The weights are not here: run a2ia-cli models pull.")
    names = ["as shipped", *(options.only or [name for name in VARIANTS if name != "as shipped"])]
    spinners = [multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) for _ in range(options.busy)]
    for spinner in spinners:
        spinner.start()
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names:
            rows[name].append(measure(str(Path(model)), name, number))
            start, prompt, reply = rows[name][-1]
            print(f"{number} {name}: start {start:.1f}, {prompt:.1f}, {reply:.1f}", file=sys.stderr, flush=True)
    for spinner in spinners:
        spinner.kill()
    print(f"{report.heading()}\n{table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
