"""Runs other agent frameworks for `benchmarks.overhead`, each in an environment of its own.

They do not stand in the extra `bench`: LangChain's MCP adapters need mcp 1, and what the others pin may change.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from agent.places import cache_dir

PACKAGES = {
    "openai_agents": ["openai-agents==0.24.0"],
    "pydantic_ai": ["pydantic-ai-slim[openai,mcp]==2.68.0"],
    "langchain": ["langchain==1.5.2", "langchain-mcp-adapters==0.3.2", "langchain-openai==1.7.4"],
}
"""What pip installs for each script of this folder."""

_ROOT = Path(__file__).parents[2]

Timed = Callable[[int], Awaitable[float]]
"""Makes so many runs at once and returns the seconds that they took."""


def interpreter(name: str) -> str:
    """Return the Python that has a rival's packages; its environment is made once, in the user's cache."""
    folder = cache_dir() / "rivals" / name
    python, installed, wanted = str(folder / "bin" / "python"), folder / "installed", " ".join(PACKAGES[name])
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        print(f"Installing {wanted} into {folder}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
        installed.write_text(wanted, encoding="utf-8")
    return python


@asynccontextmanager
async def rival(name: str, url: str, tools: list[str]) -> AsyncIterator[Timed]:
    """Give a rival on the OpenAI server at `url` and the stdio MCP server that the command `tools` starts."""
    command = [interpreter(name), "-m", f"benchmarks.rivals.{name}", url, *tools]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdin=pipe, stdout=pipe)
    given, said = process.stdin, process.stdout
    if given is None or said is None:
        raise RuntimeError("asyncio gave no pipes")

    async def timed(together: int) -> float:
        given.write(f"{together}\n".encode())
        line = await said.readline()
        if not line:
            raise RuntimeError(f"{name} ended; what it wrote stands above")
        return float(json.loads(line)["seconds"])

    try:
        yield timed
    finally:
        given.close()
        await process.wait()
