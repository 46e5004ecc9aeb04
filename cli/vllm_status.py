"""`a2ia-cli vllm status` and `vllm lora`."""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.backends.address import is_loopback
from agent.errors import A2IAError, ModelServerError
from agent.serving.gpu import detect
from agent.serving.launch import PORT
from agent.serving.monitor import Monitor, Status
from agent.serving.record import Place
from agent.serving.server import starting
from agent.serving.sizing import Card
from cli.streams import printable, write


def _monitor(given: argparse.Namespace) -> Monitor:
    return Monitor(given.vllm_url or f"http://127.0.0.1:{given.port or PORT}", _api_key(given))


async def run_status(given: argparse.Namespace) -> int:
    """Show how a server is, once or until Ctrl-C; return the exit code."""
    monitor, drawn, code = _monitor(given), 0, 0
    try:
        await _first_sample(monitor, given)
        while True:
            status, problem = await _look(monitor)
            cards = detect().cards if is_loopback(monitor.url) else ()
            code = 0 if status and status.healthy else 3
            if given.json:
                write(json.dumps(_as_json(monitor.url, status, problem, cards)) + "\n")
            elif problem and not given.watch:
                raise problem
            else:
                lines = _lines(status, cards) if status else [f"{problem.message if problem else 'no answer'}"]
                write((f"\x1b[{drawn}A\x1b[J" if drawn else "") + "".join(f"{printable(line)}\n" for line in lines))
                drawn = len(lines) if _moves() else 0
            if not given.watch:
                return code
            await asyncio.sleep(given.interval)
    finally:
        await monitor.aclose()


async def _first_sample(monitor: Monitor, given: argparse.Namespace) -> None:
    """Look once before what is shown: speeds are differences."""
    _, problem = await _look(monitor)
    if problem is None and not given.watch:
        await asyncio.sleep(given.interval)


async def _look(monitor: Monitor) -> tuple[Status | None, A2IAError | None]:
    try:
        return await monitor.status(), None
    except A2IAError as error:
        return None, await asyncio.to_thread(_while_it_starts, monitor.url) or error


def _while_it_starts(url: str) -> A2IAError | None:
    """Return what to say of a server of ours that does not answer yet."""
    port = url.rpartition(":")[2]
    progress = starting(Place(int(port))) if is_loopback(url) and port.isdecimal() else ""
    if not progress:
        return None
    return ModelServerError(
        f"The vLLM server at port {port} is still starting: {progress}.",
        f"Follow it: a2ia-cli vllm logs --follow --port {port}",
    )


def _as_json(url: str, status: Status | None, problem: A2IAError | None, cards: tuple[Card, ...]) -> dict[str, Any]:
    gpus = [{"name": card.name, "total_gib": card.total, "free_gib": card.free} for card in cards]
    if status is None:
        said = {"message": problem.message, "hint": problem.hint} if problem else None
        return {"url": url, "healthy": False, "error": said, "gpus": gpus}
    return {**status.as_json(), "error": None, "gpus": gpus}


def _lines(status: Status, cards: tuple[Card, ...]) -> list[str]:
    base = next((model for model in status.models if model.window), None)
    names = [model.name for model in status.models if model.parent is None]
    adapters = [model.name for model in status.models if model.parent is not None]
    state = "healthy" if status.healthy else "its engine is down"
    rows = [
        ("server", f"{status.url} {state}, vLLM {status.version or 'of unknown version'}"),
        ("model", " and ".join(names) or "none"),
        ("adapters", ", ".join(adapters)),
        ("window", f"{base.window:,} tokens" if base and base.window else ""),
        ("requests", _requests(status)),
        ("KV cache", _percent(status.kv_usage, "in use")),
        ("prefix cache", _percent(status.hit_rate, "of prompt tokens found, since the start")),
        ("speed", _speed(status)),
        *(("GPU memory", _memory(card)) for card in cards),
    ]
    return [f"{name:<14}{text}" for name, text in rows if text]


def _requests(status: Status) -> str:
    if status.running is None:
        return ""
    return f"{status.running} running, {status.waiting or 0} waiting"


def _percent(share: float | None, of: str) -> str:
    return "" if share is None else f"{share:.0%} {of}"


def _speed(status: Status) -> str:
    if status.prompt_rate is None or status.generation_rate is None:
        return ""
    return f"{status.prompt_rate:,.0f} prompt tokens/s, {status.generation_rate:,.1f} written tokens/s"


def _memory(card: Card) -> str:
    return f"{card.total - card.free:.1f} of {card.total:.1f} GiB in use, {card.name}"


def _adapter_path(path: str) -> str:
    """Return a folder of this machine as an absolute path; anything else may be a repository."""
    local = Path(path).expanduser()
    return str(local.resolve()) if local.exists() else path


async def run_lora(given: argparse.Namespace) -> int:
    """Load, unload or list adapters; return the exit code."""
    monitor = _monitor(given)
    try:
        if given.lora == "load":
            said = await monitor.load(given.name, await asyncio.to_thread(_adapter_path, given.path))
        elif given.lora == "unload":
            said = await monitor.unload(given.name)
        else:
            adapters = [asdict(model) for model in await monitor.models() if model.parent is not None]
            said = "\n".join(f"{each['name']} on {each['parent']}" for each in adapters) or "no adapters"
        write(f"{printable(said)}\n")
        return 0
    finally:
        await monitor.aclose()


def _api_key(given: argparse.Namespace) -> str | None:
    """Return the key for a server that was started with one."""
    return given.api_key or os.environ.get("A2IA_API_KEY")


def _moves() -> bool:
    """Say whether standard output is a terminal that can be drawn over."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb").lower() not in {"", "dumb"}
