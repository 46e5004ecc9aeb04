"""What the runtime costs per agent step, beside a bare loop on the same servers in the same run.

    python -m benchmarks.overhead [--rounds 9] [--side-by-side 16] [--rivals]

A step is a model call (an OpenAI server that answers at once) and a tool call (a stdio MCP server); a run is ten steps
and the answer. The bare loop is `openai.AsyncOpenAI` and `mcp.Client` with nothing between them; A2IA is what the
program runs: graph, toolbox, `ChatOpenAI` with streaming, and where a saver keeps the thread the session with its
events. `--rivals` adds other frameworks on the same servers, each in a process and an environment of its own
(`benchmarks/rivals`). Rounds take turns; a round's figure is one run's, or that of all runs started together. The
ratios are those of the medians of the runs alone.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import aiosqlite
import openai
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from mcp import Client, StdioServerParameters, stdio_client

from agent.backends.base import ModelProfile
from agent.backends.vllm import VLLMBackend
from agent.config import load_settings
from agent.mcp.config import ServerSpec
from agent.mcp.toolbox import Toolbox
from benchmarks import report
from benchmarks.rivals.launch import PACKAGES, Timed, rival
from benchmarks.servers.instant import CALLS
from graphs.events import Result
from graphs.session import Session, Speaker
from graphs.wiring import wire

_SERVERS = Path(__file__).parent / "servers"
_ECHO = [sys.executable, str(_SERVERS / "echo.py")]
_STEPS = CALLS + 1
_MODEL = "instant"
_PROMPT = "Call the tool ten times."

Run = Callable[[], Awaitable[None]]


@contextmanager
def _openai_server() -> Iterator[str]:
    """Give the URL of the server that answers at once."""
    command = [sys.executable, str(_SERVERS / "instant.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@asynccontextmanager
async def bare(url: str, *, stream: bool) -> AsyncIterator[Run]:
    """Give a run of the loop that anyone would write first."""
    server = StdioServerParameters(command=_ECHO[0], args=_ECHO[1:])
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as model, Client(stdio_client(server)) as tools:
        listed = (await tools.list_tools()).tools
        functions = [{"name": t.name, "description": t.description, "parameters": t.input_schema} for t in listed]
        specs = [{"type": "function", "function": function} for function in functions]

        async def run() -> None:
            messages: list[Any] = [{"role": "user", "content": _PROMPT}]
            for _ in range(_STEPS):
                message = await (_streamed if stream else _whole)(model, messages, specs)
                messages.append(message)
                for call in message.get("tool_calls") or []:
                    arguments = json.loads(call["function"]["arguments"])
                    result = await tools.call_tool(call["function"]["name"], arguments)
                    text = "".join(getattr(block, "text", "") for block in result.content)
                    messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
            if messages[-1].get("content") != "That is all.":
                raise RuntimeError(f"the bare loop ended with {messages[-1]}")

        yield run


async def _whole(model: openai.AsyncOpenAI, messages: list[Any], tools: list[Any]) -> dict[str, Any]:
    reply = await model.chat.completions.create(model=_MODEL, messages=messages, tools=tools)
    return reply.choices[0].message.model_dump(exclude_none=True)


async def _streamed(model: openai.AsyncOpenAI, messages: list[Any], tools: list[Any]) -> dict[str, Any]:
    content, calls = "", list[Any]()
    async for chunk in await model.chat.completions.create(model=_MODEL, messages=messages, tools=tools, stream=True):
        for choice in chunk.choices:
            content += choice.delta.content or ""
            calls += [call.model_dump(exclude={"index"}) for call in choice.delta.tool_calls or []]
    return {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}


@asynccontextmanager
async def ours(url: str, saver: BaseCheckpointSaver[Any] | None) -> AsyncIterator[Run]:
    """Give a run: of the graph alone without `saver`, else of the program's session, a thread of its own each."""
    settings = load_settings({"vllm_url": url, "react": False, "yes": True, "builtin_tools": False})
    backend = VLLMBackend(settings, lambda progress: None)
    profile = ModelProfile(_MODEL, 32_768, native_tools=True, evidence="not asked", constraint=None, system_role=True)
    spec = ServerSpec(name="echo", command=_ECHO[0], args=tuple(_ECHO[1:]))
    with tempfile.TemporaryDirectory(prefix="a2ia-overhead-") as folder:
        async with Toolbox([spec], log_dir=Path(folder)) as toolbox:
            tools = await toolbox.tools()
            wired = wire(settings, backend, profile, tools, checkpointer=saver)
            speaker = Speaker(_MODEL, backend.name, wired.protocol)

            async def invoke() -> None:
                state = await wired.graph.ainvoke({"messages": [HumanMessage(_PROMPT)]})
                if state["messages"][-1].text != "That is all." or len(state["messages"]) != 2 * _STEPS:
                    raise RuntimeError(f"the graph ended with {state['messages'][-1]}")

            async def converse() -> None:
                session = Session(wired.graph, speaker, tools, may_rerun=wired.may_rerun)
                result = None
                async with aclosing(cast(Any, session.run(_PROMPT))) as events:
                    async for event in events:
                        result = event if isinstance(event, Result) else result
                if result is None or result.answer != "That is all." or len(result.steps) != CALLS:
                    raise RuntimeError(f"the session ended with {result}")

            yield converse if saver else invoke
            await backend.aclose()


@asynccontextmanager
async def sqlite() -> AsyncIterator[AsyncSqliteSaver]:
    """Give a saver on a file of its own, as threads that outlive the program are kept."""
    with tempfile.TemporaryDirectory(prefix="a2ia-overhead-") as folder:
        async with aiosqlite.connect(Path(folder, "threads.sqlite")) as connection:
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=NORMAL")
            yield AsyncSqliteSaver(connection)


async def timed(run: Run, together: int) -> float:
    """Return the seconds of one run, or of several side by side."""
    began = time.perf_counter()
    await asyncio.gather(*(run() for _ in range(together)))
    return time.perf_counter() - began


async def measure(rounds: int, together: int, rivals: Sequence[str]) -> dict[str, dict[int, list[float]]]:
    """Return milliseconds per step by way and by the number of runs at once."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(_openai_server())
        saver = await stack.enter_async_context(sqlite())
        runs = {
            "bare loop": bare(url, stream=False),
            "bare loop, streaming": bare(url, stream=True),
            "A2IA without saver": ours(url, None),
            "A2IA in memory": ours(url, InMemorySaver()),
            "A2IA with SQLite": ours(url, saver),
        }
        ways: dict[str, Timed] = {
            name: partial(timed, await stack.enter_async_context(run)) for name, run in runs.items()
        }
        for name in rivals:
            version = PACKAGES[name][0].rpartition("==")[2]
            ways[f"{name} {version}"] = await stack.enter_async_context(rival(name, url, _ECHO))
        times: dict[str, dict[int, list[float]]] = {name: {1: [], together: []} for name in ways}
        for number in range(rounds + 1):
            for name, way in ways.items():
                for count in (1, together):
                    took = await way(count)
                    if number:  # the first round imports and connects
                        times[name][count].append(took * 1000 / (_STEPS * count))
        return times


def table(times: dict[str, dict[int, list[float]]]) -> str:
    """Return the figures: median (lowest to highest) and the ratio to the bare loop."""
    counts = list(next(iter(times.values())))
    lines = ["way                     " + "".join(f"{f'{n} at once: ms a step':<32} ratio  " for n in counts)]
    for name, mine in times.items():
        cells = [f"{_spread(mine[n]):<32} {ratio(times, name, n):5.2f}  " for n in counts]
        lines.append(f"{name:<24}" + "".join(cells))
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{report.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def ratio(times: dict[str, dict[int, list[float]]], name: str, count: int = 1) -> float:
    """Return the ratio of the medians to the bare loop's."""
    return report.median(times[name][count]) / report.median(times["bare loop"][count])


def main() -> int:
    """Measure, print the table and end with the two ratios."""
    parser = argparse.ArgumentParser(prog="benchmarks.overhead")
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count (9)")
    parser.add_argument("--side-by-side", type=int, default=16, metavar="N", help="runs at once (16)")
    parser.add_argument("--rivals", action="store_true", help="beside other frameworks, fetched once with pip")
    options = parser.parse_args()
    rivals = list(PACKAGES) if options.rivals else []
    times = asyncio.run(measure(options.rounds, options.side_by_side, rivals))
    print(f"{report.heading()}\nn {options.rounds} rounds, {_STEPS} model calls and {CALLS} tool calls a run")
    print(table(times))
    print(f"ratio without saver: {ratio(times, 'A2IA without saver'):.2f}")
    print(f"ratio with sqlite: {ratio(times, 'A2IA with SQLite'):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
