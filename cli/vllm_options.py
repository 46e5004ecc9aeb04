"""The command line of `a2ia-cli vllm`. Imports nothing heavy."""

import argparse
from collections.abc import Sequence

from cli.options import Parser

_EPILOG = """\
examples:
  a2ia-cli vllm start                                     Mixtral 8x7B, packed with AWQ
  a2ia-cli vllm start --model qwen2.5-7b-awq --max-model-len auto
  a2ia-cli vllm start --model mistral-7b --vram 12 --dry-run
  a2ia-cli vllm start --model mixtral-awq -- --cpu-offload-gb 15

exit codes: 0 it serves (--dry-run: it fits), 2 it does not fit or cannot be done, 3 vLLM failed, 130 interrupted
"""


def split_extra(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words before the first `--`, and those behind it, which are vLLM's."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _window(text: str) -> int | None:
    """Return a number of tokens, or None for `auto`."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tokens and not auto")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1")
    return value


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return value


def vllm_parser() -> argparse.ArgumentParser:
    """Return the parser of `a2ia-cli vllm`; `action` is what to do."""
    top = Parser(prog="a2ia-cli vllm", description="Run vLLM as a service, and see how it does.")
    actions = top.add_subparsers(dest="action", required=True)
    _add_start(actions)
    stop = actions.add_parser("stop", help="stop the servers that A2IA started")
    stop.add_argument("--port", type=int, metavar="N", help="only the one at this port")
    status = actions.add_parser("status", help="how a server is doing")
    _add_address(status)
    status.add_argument("--watch", action="store_true", help="refresh in place until Ctrl-C")
    status.add_argument(
        "--interval", type=_positive, default=1.0, metavar="S", help="seconds between looks (default 1)"
    )
    status.add_argument("--json", action="store_true", help="print one JSON object (with --watch: one a look)")
    logs = actions.add_parser("logs", help="what a server said")
    logs.add_argument("--port", type=int, metavar="N", help="port of the server (default: the latest started)")
    logs.add_argument("--follow", "-f", action="store_true", help="go on until Ctrl-C")
    logs.add_argument("--lines", "-n", type=int, default=50, metavar="N", help="lines to begin with (default 50)")
    _add_lora(actions)
    return top


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, metavar="N", help="port on this machine (default 8000)")
    parser.add_argument("--vllm-url", metavar="URL", help="where the server is, if not on this machine")
    parser.add_argument("--api-key", metavar="KEY", help="what it was started with (or A2IA_API_KEY)")


def _add_start(actions: "argparse._SubParsersAction[Parser]") -> None:
    start = actions.add_parser(
        "start", help="start a server", epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    start.add_argument("--model", metavar="M", help="preset, OWNER/NAME on the hub, or folder (default mixtral-awq)")
    start.add_argument("--quantization", metavar="Q", help="awq, gptq, fp8, ...: how the weights are packed")
    start.add_argument("--dtype", metavar="T", help="half, bfloat16, auto")
    start.add_argument(
        "--max-model-len",
        type=_window,
        default=0,
        metavar="N|auto",
        help="window in tokens; auto: the longest that fits",
    )
    start.add_argument("--gpu-memory-utilization", type=_share, metavar="F", help="share of the GPU (default 0.90)")
    start.add_argument("--enable-chunked-prefill", action="store_true", help="read long prompts in parts")
    start.add_argument("--tensor-parallel-size", type=int, metavar="N", help="GPUs to use (default: as few as fit)")
    start.add_argument("--lora", action="append", default=[], metavar="NAME=PATH", help="adapter; may be given again")
    start.add_argument("--tool-call-parser", metavar="P", help="vLLM's tool parser (default: by the kind of model)")
    start.add_argument("--port", type=int, default=8000, metavar="N", help="port to serve at (default 8000)")
    start.add_argument(
        "--vram", type=_positive, metavar="GIB", help="plan for a GPU of this size instead of the real one"
    )
    start.add_argument("--gpus", type=int, default=1, metavar="N", help="with --vram: how many of them")
    start.add_argument("--force", action="store_true", help="start although it does not seem to fit")
    start.add_argument("--dry-run", action="store_true", help="print the plan and the command, start nothing")


def _add_lora(actions: "argparse._SubParsersAction[Parser]") -> None:
    lora = actions.add_parser("lora", help="adapters of a running server")
    what = lora.add_subparsers(dest="lora", required=True)
    load = what.add_parser("load", help="load an adapter")
    load.add_argument("name")
    load.add_argument("path", help="folder on the server's machine, or repository of the hub")
    unload = what.add_parser("unload", help="unload an adapter")
    unload.add_argument("name")
    for each in (load, unload, what.add_parser("list", help="list the loaded adapters")):
        _add_address(each)


def doctor_parser() -> argparse.ArgumentParser:
    """Return the parser of `a2ia-cli doctor`."""
    top = Parser(prog="a2ia-cli doctor", description="Check everything that A2IA needs, and say how to mend it.")
    top.add_argument("--json", action="store_true", help="print one JSON object")
    top.add_argument("--backend", metavar="NAME", help="the backend that has to work")
    top.add_argument("--model", metavar="NAME", help="model to look for on the server that --backend or a URL names")
    top.add_argument("--ollama-url", metavar="URL", help="where Ollama is")
    top.add_argument("--vllm-url", metavar="URL", help="where vLLM is")
    top.add_argument("--api-key", metavar="KEY", help="what vLLM asks for")
    top.add_argument("--workspace", metavar="DIR", help="folder the built-in tools work in")
    top.add_argument("--mcp-config", action="append", metavar="FILE", help="mcpServers file; may be given again")
    return top
