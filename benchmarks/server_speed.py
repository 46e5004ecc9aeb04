"""Speed of the embedded server under other settings than its own, each in a fresh process, with ratios to its own.

    python -m benchmarks.server_speed [--model FILE] [--rounds 3] [--busy] [--only NAME ...]

Prompt: tokens a second over 700 tokens with nothing cached. Reply: tokens a second over 48 tokens. With `--busy`
another process computes on one core meanwhile, as an editor or a test run does.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
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


def _serve(pipe: Connection, model: str, variant: str) -> None:
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


def measure(model: str, variant: str, rounds: int) -> dict[str, Any]:
    """Return start seconds and the prompt's and the reply's tokens a second, a value a round."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, model, variant), daemon=True)
    process.start()
    try:
        if not mine.poll(180):
            raise RuntimeError(f"the server did not start under {variant!r}")
        url, start = mine.recv()
        prompts, replies = [], []
        for number in range(rounds + 1):
            prompt = [1000 + (number * 977 + place * 31) % 50000 for place in range(PROMPT_TOKENS)]
            body = {"prompt": prompt, "n_predict": REPLY_TOKENS, "temperature": 0, "ignore_eos": True}
            timings = _ask(url, body)["timings"]
            if number:  # the first round touches the weights for the first time
                prompts.append(timings["prompt_per_second"])
                replies.append(timings["predicted_per_second"])
        return {"variant": variant, "start_s": round(start, 2), "prompt": prompts, "reply": replies}
    finally:
        process.kill()
        process.join()


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures: median (lowest to highest), and the ratio to the first row."""
    lines = ["setting                  start s  prompt tokens/s (range)    ratio  reply tokens/s (range)   ratio"]
    for row in rows:
        cells = []
        for key in ("prompt", "reply"):
            middle, base = statistics.median(row[key]), statistics.median(rows[0][key])
            cells.append(f"{middle:7.1f} ({min(row[key]):.1f} to {max(row[key]):.1f})  {middle / base:6.2f}")
        lines.append(f"{row['variant']:<24} {row['start_s']:>7.1f}  {cells[0]:<32} {cells[1]}")
    return "\n".join(lines)


def main() -> int:
    """Measure the settings one after the other and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.server_speed")
    parser.add_argument("--model", help="as in a2ia-cli")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true", help="beside a process that computes all the time")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="settings beside the shipped ones")
    options = parser.parse_args()
    model = here(resolve(options.model))
    if model is None:
        sys.exit("The weights are not here: run a2ia-cli models pull.")
    names = ["as shipped", *(options.only or [name for name in VARIANTS if name != "as shipped"])]
    spinner = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    if options.busy:
        spinner.start()
    rows = []
    for name in names:
        rows.append(measure(str(Path(model)), name, options.rounds))
        print(table([rows[0], rows[-1]] if len(rows) > 1 else rows).splitlines()[-1], file=sys.stderr, flush=True)
    if options.busy:
        spinner.kill()
    print(f"{report.heading()}\n{table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
