"""Everything that A2IA needs, looked at one by one; what is wrong comes with what mends it."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from agent.config import Settings, cache_dir, config_dir, state_dir
from agent.diagnosis import Check
from agent.doctor_backends import backend_names, look
from agent.errors import A2IAError

MCP_SECONDS = 30.0
"""How long an MCP server may take to start."""

FREE_BYTES = 2_000_000_000
"""Free disk below which the weights of the embedded model (1.1 GB) may not fit."""


async def diagnose(settings: Settings, tell: Callable[[Check], None]) -> list[Check]:
    """Look at everything, telling each line as it is known, and return all of them."""
    checks: list[Check] = []

    def say(more: Iterable[Check]) -> None:
        for check in more:
            checks.append(check)
            tell(check)

    say(await asyncio.to_thread(_machine))
    say(await asyncio.to_thread(_places, settings))
    for work in (_vllm_program, _gpus):
        say(await asyncio.to_thread(work))
    names = await asyncio.to_thread(backend_names)
    if settings.backend and settings.backend not in names:
        say([Check(f"backend {settings.backend}", "fail", "is not known", f"Choose one of: {', '.join(names)}.")])
    for name in names:
        say([await look(name, settings)])
    say(await _mcp(settings))
    return checks


def _machine() -> list[Check]:
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    fine = sys.version_info >= (3, 11)
    return [
        Check("python", "ok" if fine else "fail", python, "" if fine else "Install Python 3.11 or newer."),
        _packages(),
    ]


def _packages() -> Check:
    """Look whether every package that A2IA asks for is there, and how old the telling ones are."""
    try:
        wanted = [line for line in requires("a2ia") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return Check("packages", "fail", "a2ia itself is not installed.", "make install")
    names = [found[0] for line in wanted if (found := re.match(r"[\w.-]+", line))]
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "make install", facts=versions)
    telling = ("langgraph", "langchain-core", "mcp", "xllamacpp")
    shown = ", ".join(f"{name} {versions[name]}" for name in telling if versions.get(name))
    return Check("packages", "ok", f"a2ia {version('a2ia')}, {shown}", facts=versions)


def _places(settings: Settings) -> list[Check]:
    checks = [_workspace(settings)]
    for area, folder, variable in (
        ("cache", cache_dir(), "XDG_CACHE_HOME"),
        ("state", state_dir(), "XDG_STATE_HOME"),
    ):
        problem = _unwritable(folder)
        if problem:
            checks.append(Check(area, "fail", f"{folder}: {problem}", f"Make it writable, or set {variable}."))
            continue
        free = shutil.disk_usage(_existing(folder)).free
        little = area == "cache" and free < FREE_BYTES
        mend = f"Free some space, or point {variable} at a larger disk." if little else ""
        checks.append(Check(area, "note" if little else "ok", f"{folder}, {free / 1e9:.1f} GB free", mend))
    file = config_dir() / "a2ia.toml"
    checks.append(Check("settings", "ok", f"{file}{'' if file.is_file() else ' (none)'}"))
    return checks


def _workspace(settings: Settings) -> Check:
    from agent.mcp.servers import check_workspace

    try:
        folder = check_workspace(settings)
    except A2IAError as error:
        return Check("workspace", "fail", error.message, error.hint)
    if not os.access(folder, os.R_OK | os.X_OK):
        return Check("workspace", "fail", f"{folder} cannot be read.", f"chmod u+rx {folder}")
    git = "" if shutil.which("git") else "; git is not installed, so its tools will fail"
    if not os.access(folder, os.W_OK):
        return Check("workspace", "note", f"{folder} cannot be written{git}.", f"chmod u+w {folder}")
    return Check("workspace", "note" if git else "ok", f"{folder}{git}", "Install git." if git else "")


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _unwritable(folder: Path) -> str:
    """Return why nothing can be written there; nothing if it can."""
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _gpus() -> list[Check]:
    from agent.serving.gpu import detect

    found = detect()
    if not found.cards:
        return [Check("gpu", "note", found.problem, "Not needed for the embedded model; vLLM wants one: nvidia-smi.")]
    return [
        Check(
            "gpu",
            "ok",
            f"{card.name}, {card.free:.1f} of {card.total:.1f} GiB free, driver {found.driver}, CUDA {found.cuda}",
            facts={"total_gib": card.total, "free_gib": card.free, "driver": found.driver, "cuda": found.cuda},
        )
        for card in found.cards
    ]


def _vllm_program() -> list[Check]:
    from agent.serving.launch import find_program
    from agent.serving.record import running

    servers = [f"port {record.port}: {record.names[0]}" for record in running()]
    try:
        words = " ".join(find_program().words)
    except A2IAError as error:
        return [Check("vllm program", "note", error.message, error.hint)]
    return [Check("vllm program", "ok", f"{words}{'; runs at ' + ', '.join(servers) if servers else ''}")]


async def _mcp(settings: Settings) -> list[Check]:
    """Start every MCP server of a run and tell how that went."""
    from agent.mcp.servers import check_workspace, server_specs
    from agent.mcp.toolbox import Toolbox

    warnings: list[str] = []
    try:
        specs = await asyncio.to_thread(server_specs, settings, check_workspace(settings), warnings.append)
    except A2IAError as error:
        return [Check("mcp", "fail", error.message, error.hint)]
    toolbox = Toolbox(specs, log_dir=state_dir() / "logs", start_timeout=MCP_SECONDS)
    async with toolbox:
        await toolbox.tools()
        statuses = toolbox.status()
    checks = [Check("mcp", "note", text) for text in warnings]
    for status in statuses:
        facts = {"tools": status.tools, "seconds": round(status.seconds, 2)}
        if status.state == "ready":
            text = f"{status.tools} tools, up in {status.seconds:.1f} s"
            checks.append(Check(f"mcp {status.name}", "ok", text, facts=facts))
            continue
        said = status.cause.message if status.cause else status.error or "did not start"
        mend = status.cause.hint if status.cause else "Read its log."
        checks.append(Check(f"mcp {status.name}", "fail", said, mend or "Correct its entry.", facts=facts))
    return checks
