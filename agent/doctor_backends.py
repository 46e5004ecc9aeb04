"""How the backends are doing, for `a2ia-cli doctor`: whether they answer, and what they were seen to do."""

from __future__ import annotations

import asyncio
import time

from agent.backends.base import Progress
from agent.config import Settings
from agent.diagnosis import Check
from agent.errors import A2IAError

PROFILE_SECONDS = 180.0
"""How long a backend may take to answer its questions: Ollama loads the model for them."""

ASK_SECONDS = 5.0
"""How long a server may take to tell its version and models."""


def backend_names() -> list[str]:
    """Return the names of all backends, in the order in which they are looked for."""
    from importlib.metadata import entry_points

    from agent.backends.select import GROUP, SERVERS

    known = {entry.name for entry in entry_points(group=GROUP)}
    return [*SERVERS, "embedded", *sorted(known - {*SERVERS, "embedded"})]


async def look(name: str, settings: Settings) -> Check:
    """Return how one backend is doing. Never raises an `A2IAError`."""
    try:
        return await _backend(name, settings)
    except A2IAError as error:
        return Check(f"backend {name}", "fail", error.message, error.hint or "See its log.", error.exit_code)


async def _backend(name: str, settings: Settings) -> Check:
    """Ask one backend for what it says of itself; one that nobody asked for may be absent."""
    from agent.backends.select import open_backend

    area, asked = f"backend {name}", settings.backend == name or bool(getattr(settings, f"{name}_url", None))
    model = settings.model if asked else None
    chosen = settings.model_copy(update={"backend": name, "model": model})
    backend = await asyncio.to_thread(open_backend, chosen, _quiet)
    try:
        if not await backend.health():
            if name == "embedded":
                return await asyncio.to_thread(_weights)
            hint = f"Start it: {_STARTS.get(name, 'see its documentation')}."
            return Check(area, "fail" if asked else "note", "does not answer", hint, 3)
        begun = time.monotonic()
        async with asyncio.timeout(PROFILE_SECONDS):
            profile = await backend.profile()
        told = await _told(name, settings)
        text = f"{told}{profile.model}, window {profile.window:,} tokens, {_speaks(profile.native_tools)}"
        facts = {
            "model": profile.model,
            "window": profile.window,
            "native_tools": profile.native_tools,
            "constraint": profile.constraint,
            "evidence": profile.evidence,
            "seconds": round(time.monotonic() - begun, 1),
        }
        return Check(area, "ok", f"{text}. {profile.evidence}", facts=facts)
    except TimeoutError:
        hint = "Restart the server, or use a smaller model."
        return Check(area, "fail", f"did not answer its questions in {PROFILE_SECONDS:g} s", hint, 3)
    finally:
        await backend.aclose()


_STARTS = {"ollama": "ollama serve", "vllm": "a2ia-cli vllm start"}


def _quiet(step: Progress) -> None:
    """Take a backend's progress, of which a diagnosis shows nothing."""


def _speaks(native: bool) -> str:
    return "its own tool calls" if native else "ReAct"


async def _told(name: str, settings: Settings) -> str:
    """Return the server's version and models, as far as it is one that tells them."""
    try:
        if name == "vllm":
            return await _told_vllm(settings)
        return await _told_ollama(settings) if name == "ollama" else ""
    except A2IAError as error:
        return f"{error.message} "


async def _told_vllm(settings: Settings) -> str:
    from agent.serving.monitor import Monitor

    monitor = Monitor(settings.vllm_url, settings.api_key.get_secret_value() if settings.api_key else None)
    try:
        status = await monitor.status()
    finally:
        await monitor.aclose()
    return f"vLLM {status.version}, serves {', '.join(model.name for model in status.models)}; "


async def _told_ollama(settings: Settings) -> str:
    from agent.backends import ollama, wire

    async with wire.client(ollama.address(settings), ASK_SECONDS, ollama.key()) as http:
        version = (await wire.ask(http.get("/api/version"), "ollama")).get("version")
        models = (await wire.ask(http.get("/api/tags"), "ollama")).get("models") or []
    return f"Ollama {version}, has {', '.join(str(model.get('name')) for model in models)}; "


def _weights() -> Check:
    """Say whether the embedded server could start: it is started by the first prompt."""
    from agent.backends.weights import list_models

    ready = [row.name for row in list_models() if row.complete]
    if not ready:
        return Check("backend embedded", "note", "its weights are not fetched yet", "a2ia-cli models pull")
    return Check("backend embedded", "ok", f"ready to start: {', '.join(ready)}", facts={"models": ready})
