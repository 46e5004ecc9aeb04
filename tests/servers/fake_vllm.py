#!/usr/bin/env python3
"""A `vllm` that starts, fails and serves as the real one does, in the words of 0.32, on a card of `FAKE_VLLM`.

`FAKE_VLLM` is a JSON file: {"window": most tokens that fit, "share": highest utilization that works, "free": GiB that
are free of "total", "weights": whether they fit, "error": another failure, "lora": whether adapters may be loaded,
"slow": never become ready, "deaf": ignore SIGTERM, "downloads": the folder to fill first}. Each start's flags go to the
file's `.argv`.
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

FILE = Path(os.environ["FAKE_VLLM"])
CARD: dict[str, Any] = json.loads(FILE.read_text())
ARGV = sys.argv[1:]
with FILE.with_suffix(".argv").open("a") as file:
    file.write(json.dumps(ARGV) + "\n")


def flag(name: str, default: str = "") -> str:
    return ARGV[ARGV.index(name) + 1] if name in ARGV else default


def many(name: str) -> list[str]:
    at = ARGV.index(name) + 1 if name in ARGV else len(ARGV)
    end = next((place for place in range(at, len(ARGV)) if ARGV[place].startswith("-")), len(ARGV))
    return ARGV[at:end]


def plain(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say(text: str, where: str, level: str = "INFO", who: str = "EngineCore") -> None:
    plain(f"({who} pid={os.getpid()}) {level} 11-25 22:04:31 [{where}] {text}")


def die(error: str) -> NoReturn:
    say("EngineCore failed to start.", "core.py:1136", "ERROR")
    say("Traceback (most recent call last):", "core.py:1136", "ERROR")
    say(error, "core.py:1136", "ERROR")
    plain(f"(APIServer pid={os.getpid()}) RuntimeError: Engine core initialization failed. See root cause above.")
    sys.exit(1)


OUT = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 11.53 GiB "
    "of which 187.75 MiB is free. Including non-PyTorch memory, this process has 11.34 GiB memory in use."
)
window, share = int(flag("--max-model-len", "32768")), float(flag("--gpu-memory-utilization", "0.92"))
model = ARGV[1]
if CARD.get("deaf"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
say("       █▄█▀ █     █     █     █  version 0.32.0", "utils.py:299", who="APIServer")
say(f"non-default args: {{'model_tag': '{model}'}}", "utils.py:233", who="APIServer")
if CARD.get("error"):
    die(CARD["error"])
if CARD.get("free", 99) < CARD.get("total", 100) * share and "free" in CARD:
    want = CARD["total"] * share
    die(
        f"ValueError: Free memory on device cuda:0 ({CARD['free']}/{CARD['total']} GiB) on startup is less than "
        f"desired GPU memory utilization ({share}, {want:.2f} GiB). Decrease GPU memory utilization or reduce GPU "
        "memory used by other processes."
    )
say(f"Starting to load model {model}...", "gpu_model_runner.py:5040")
if not CARD.get("weights", True):
    die(OUT)
if CARD.get("downloads"):
    part = Path(CARD["downloads"], "blobs", "abc.incomplete")
    part.parent.mkdir(parents=True)
    for size in (1, 2, 3):
        part.write_bytes(b"x" * 1_000_000 * size)
        time.sleep(0.3)
    part.rename(part.with_suffix(""))
    say("Time spent downloading weights for it: 0.900000 seconds", "weight_utils.py:533")
sys.stderr.write("\rLoading safetensors checkpoint shards:   0% Completed | 0/2 [00:00<?, ?it/s]\n")
sys.stderr.write("\rLoading safetensors checkpoint shards: 100% Completed | 2/2 [00:03<00:00,  1.69s/it]\n")
if CARD.get("slow"):
    while True:
        time.sleep(0.05)
say("Model loading took 3.88 GiB memory and 5.093811 seconds", "gpu_model_runner.py:5150")
say("Dynamo bytecode transform time: 3.70 s", "backends.py:1167")
if share > CARD.get("share", 1):
    die(OUT)
say("Available KV cache memory: 0.47 GiB", "gpu_worker.py:760")
if CARD.get("window") == 0:
    die(
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when "
        "initializing the engine."
    )
if window > CARD.get("window", window):
    die(
        f"ValueError: To serve at least one request with the model's max seq len ({window}), (0.58 GiB KV cache is "
        "needed, which is larger than the available KV cache memory (0.47 GiB). Based on the available memory, the "
        f"estimated maximum model length is {CARD['window']}. Try increasing `gpu_memory_utilization` (which also "
        "controls CPU memory on the CPU backend) or decreasing `max_model_len` when initializing the engine."
    )
say(
    "GPU KV cache size: 3,792 tokens, Maximum concurrency for 3,280 tokens per request: 1.16x",
    where="kv_cache_utils.py:2328",
)
sys.stderr.write("Capturing CUDA graphs (mixed prefill-decode, PIECEWISE): 100%|██████████| 35/35 [00:20<00:00]\n")
say("Graph capturing finished in 20 secs, took 0.46 GiB", "gpu_model_runner.py:6582")

CARDS: list[dict[str, Any]] = [
    {"id": name, "parent": None, "max_model_len": window} for name in many("--served-model-name")
]
CARDS += [{"id": each.partition("=")[0], "parent": model, "max_model_len": None} for each in many("--lora-modules")]
LOOKS = [0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
        pass

    def reply(self, status: int, text: str, kind: str = "application/json") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.path == "/health":
            self.reply(200, "")
        elif self.path == "/version":
            self.reply(200, '{"version": "0.32.0"}')
        elif self.path == "/v1/models":
            self.reply(200, json.dumps({"object": "list", "data": CARDS}))
        elif self.path == "/metrics":
            LOOKS[0] += 1
            label = f'{{engine="0",model_name="{model}"}}'
            self.reply(
                200,
                "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
                f"vllm:num_requests_running{label} 2.0\n"
                f"vllm:num_requests_waiting{label} 1.0\n"
                f"vllm:kv_cache_usage_perc{label} 0.25\n"
                f"vllm:prefix_cache_queries_total{label} 2000.0\n"
                f"vllm:prefix_cache_hits_total{label} 1800.0\n"
                f"vllm:prompt_tokens_total{label} {1000.0 * LOOKS[0]}\n"
                f"vllm:generation_tokens_total{label} {1e2 * LOOKS[0]}\n",
                "text/plain; version=0.0.4",
            )
        else:
            self.reply(404, '{"detail": "Not Found"}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.path.removeprefix("/v1/").removesuffix("_lora_adapter")
        name = body.get("lora_name")
        if not CARD.get("lora") or action not in {"load", "unload"}:
            self.reply(404, '{"detail": "Not Found"}')
        elif action == "load":
            CARDS.append({"id": name, "parent": model, "max_model_len": None})
            self.reply(200, f"Success: LoRA adapter '{name}' added successfully.", "text/plain")
        elif all(card["id"] != name for card in CARDS):
            error = {"message": f"The lora adapter '{name}' cannot be found.", "type": "NotFoundError", "code": 404}
            self.reply(404, json.dumps({"error": error}))
        else:
            CARDS[:] = [card for card in CARDS if card["id"] != name]
            self.reply(200, f"Success: LoRA adapter '{name}' removed successfully.", "text/plain")


server = ThreadingHTTPServer(("127.0.0.1", int(flag("--port", "8000"))), Handler)
say(f"Starting vLLM server on http://0.0.0.0:{flag('--port')}", "entry.py:140", who="APIServer")
plain(f"(APIServer pid={os.getpid()}) INFO:     Application startup complete.")
server.serve_forever()
