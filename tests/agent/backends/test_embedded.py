"""The embedded backend on a real llama.cpp server: found, shared, healed, ended, and held to a grammar."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage

from agent.backends.base import Progress
from agent.backends.embedded import EmbeddedBackend, create
from agent.backends.embedded_prefix import bring
from agent.backends.embedded_process import ServerOptions
from agent.backends.embedded_record import Process, write
from agent.backends.embedded_server import EmbeddedServer, running, stop_all
from agent.config import Settings, state_dir
from agent.errors import ModelServerError
from agent.places import prefixes_dir

pytestmark = pytest.mark.timeout(180)
"""About 25 s on two idle cores, all in all; models that compute beside these tests make them many times slower."""

YES_OR_NO = '%llguidance {}\nstart: "yes" | "no"\n'


def ignore(_: Progress) -> None:
    pass


def server(weights: Path, keep_alive: float = 60) -> EmbeddedServer:
    return EmbeddedServer(ServerOptions(weights, "small", window=1024), keep_alive, ignore)


@pytest.fixture
async def clean() -> AsyncIterator[None]:
    """End what a test leaves running."""
    yield
    await stop_all()


async def gone(pid: int) -> None:
    """Wait until a process has ended; 10 s are an order of magnitude more than it needs."""
    await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)], 10)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_broken_model_file_ends_with_llama_cpp_s_reason(tmp_path: Path, clean: None) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelServerError, match="error loading model") as caught:
        await server(file).ensure()
    assert "--model" in caught.value.hint
    assert running() == []


async def test_health_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    backend = create(Settings(model=str(file)), ignore)
    assert not await backend.health()
    await backend.aclose()
    assert running() == []


def test_importing_the_backend_imports_no_langchain_and_no_llama_cpp() -> None:
    code = (
        "import sys, agent.backends.embedded; print([m for m in ('langchain_core', 'xllamacpp') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert out.stdout.strip() == "[]"


@pytest.mark.embedded
async def test_two_sessions_that_start_at_once_start_one_server(real_weights: Path, clean: None) -> None:
    addresses = await asyncio.gather(*(server(real_weights).ensure() for _ in range(3)))
    assert len({*addresses}) == len(running()) == 1


@pytest.mark.embedded
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_killed_or_hanging_server_is_replaced(real_weights: Path, clean: None, how: signal.Signals) -> None:
    mine = server(real_weights)
    before = await mine.ensure()
    pid = running()[0].pid
    os.kill(pid, how)
    # Until it has stopped it may answer once more, on a busy machine.
    await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
    mine.doubt()
    assert await mine.ensure() != before
    assert len(running()) == 1


@pytest.mark.embedded
async def test_a_record_of_another_program_is_replaced_and_the_lost_server_ends(
    real_weights: Path, clean: None
) -> None:
    before = await server(real_weights).ensure()
    (path,) = (state_dir() / "embedded").glob("*.json")
    lost = running()[0]
    me = Process.current()
    write(path, replace(lost, pid=me.pid, born=me.born - 5000))
    assert await server(real_weights).ensure() != before
    await gone(lost.pid)
    assert len(running()) == 1


@pytest.mark.embedded
async def test_a_server_ends_with_its_session_when_the_keep_alive_is_zero(real_weights: Path, clean: None) -> None:
    mine = server(real_weights, keep_alive=0)
    await mine.ensure()
    pid = running()[0].pid
    mine.close()
    await gone(pid)
    assert running() == []


@pytest.mark.embedded
async def test_a_server_ends_after_its_session_was_killed(real_weights: Path, clean: None) -> None:
    code = (
        "import asyncio, os, signal, sys; from pathlib import Path\n"
        "from agent.backends.embedded_server import *; from agent.backends.embedded_process import ServerOptions\n"
        "asyncio.run(EmbeddedServer(ServerOptions(Path(sys.argv[1]), 'small', 1024), 0, lambda _: None).ensure())\n"
        "print(running()[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(real_weights)]
    session = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, timeout=150, check=False)
    await gone(int(session.stdout))
    assert running() == []


@pytest.fixture
async def backend(real_weights: Path, clean: None) -> AsyncIterator[EmbeddedBackend]:
    made = create(Settings(model=str(real_weights), keep_alive=0, timeout=60), ignore)
    yield made
    await made.aclose()


async def say(backend: EmbeddedBackend, text: str, **arguments: object) -> AIMessageChunk:
    model = backend.chat_model(await backend.profile())
    chunks = [chunk async for chunk in model.astream(text, **arguments)]  # type: ignore[arg-type]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


@pytest.mark.embedded
async def test_the_model_is_profiled_held_to_grammars_and_counted(backend: EmbeddedBackend) -> None:
    profile = await backend.profile()
    assert (profile.window, profile.constraint, profile.native_tools, profile.system_role) == (
        8192,
        "lark",
        False,
        True,
    )
    assert await backend.health()
    text = "Tell me about the sea at length. " * 10
    first = await say(backend, text, **backend.constrain(YES_OR_NO))
    assert first.content in {"yes", "no"}
    again = await say(backend, text, **backend.constrain(YES_OR_NO))
    usage = again.usage_metadata
    assert usage is not None
    assert usage["input_token_details"]["cache_read"] > usage["input_tokens"] - 10
    schema = json.dumps({"type": "string", "not": {"type": "string"}})
    assert await backend.holds(YES_OR_NO)
    assert not await backend.holds(f"%llguidance {{}}\nstart: %json {schema}\n")


@pytest.mark.embedded
async def test_a_server_killed_in_mid_stream_is_an_error_and_the_next_request_heals(backend: EmbeddedBackend) -> None:
    model = backend.chat_model(await backend.profile())
    stream = model.astream("Count from 1 to 500.")
    await anext(aiter(stream))
    os.kill(running()[0].pid, signal.SIGKILL)
    with pytest.raises(Exception, match="Connection error"):
        [chunk async for chunk in stream]
    assert (await say(backend, "Say hello.", max_tokens=2)).content


@pytest.mark.embedded
async def test_a_prompts_beginning_is_computed_once_for_all_servers(real_weights: Path, clean: None) -> None:
    """A file that llama.cpp cannot read is made anew."""
    prompt = [SystemMessage("Tell me about the sea at length. " * 10)]

    async def steps() -> list[str]:
        said: list[Progress] = []
        backend = create(Settings(model=str(real_weights), keep_alive=0, timeout=60), said.append)
        model = backend.chat_model(await backend.profile())
        await backend.keep_prefix(prompt)
        usage = (await model.ainvoke([*prompt, HumanMessage("Hi")], max_tokens=1)).usage_metadata
        assert usage and usage["input_token_details"]["cache_read"] > usage["input_tokens"] - 20
        await backend.aclose()
        await stop_all()
        return [step.text for step in said if step.text.startswith("Reading")]

    assert len(await steps()) == 1
    assert await steps() == []
    (file,) = prefixes_dir().iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert len(await steps()) == 1
    assert await steps() == []


@pytest.mark.parametrize(("saved", "kept"), [(100, 1), (101, 1), (140, 0)])
async def test_what_another_session_said_meanwhile_is_not_kept(saved: int, kept: int) -> None:
    prefixes_dir().mkdir(parents=True)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/slots/0":
            return httpx.Response(200, json={"usage": {"prompt_tokens": 100}})
        (prefixes_dir() / json.loads(request.content)["filename"]).touch()
        return httpx.Response(200, json={"n_saved": saved})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://server") as http:
        await bring(http, "server", [SystemMessage("Be brief.")], ignore)
    assert len(list(prefixes_dir().iterdir())) == kept
