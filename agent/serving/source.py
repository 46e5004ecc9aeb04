"""Where the sizes of a model come from: its folder, the hub's cache here, the hub, or what A2IA knows of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import UsageError
from agent.serving.figures import WEIGHT_BYTES, Figures, from_config
from agent.serving.presets import PRESETS, Preset, base_name, find

if TYPE_CHECKING:
    import httpx

HUB_SECONDS = 5.0
"""How long the hub may take for one answer: it is asked for two small ones before a start of minutes."""

_TRUE = {"1", "ON", "YES", "TRUE"}
_WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")


@dataclass(frozen=True, slots=True)
class Model:
    """A model to serve and what is known of its size."""

    repo: str
    """The repository or folder that vLLM loads."""
    base: str
    """The name under which people ask for it; the same as `repo` where it has no other."""
    figures: Figures | None
    """None where its `config.json` cannot be had, or is of a kind that the arithmetic does not know."""
    weight_bytes: int
    source: str
    """Where the figures come from, for people."""
    folder: Path | None = None
    """Where vLLM puts what it downloads; None for a local model."""


def hub_folder(repo: str) -> Path:
    """Return the folder in which the hub's client keeps this repository."""
    cache = Path(os.environ.get("HF_HUB_CACHE") or _hub_home() / "hub")
    return cache / f"models--{repo.replace('/', '--')}"


def _hub_home() -> Path:
    """Return the folder of the hub's client (huggingface_hub's constants.py)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HF_HOME") or cache / "huggingface").expanduser()


async def find_model(name: str, dtype: str | None = None) -> Model:
    """Return the model that `name` means: a folder, a preset's short name, or a repository of the hub.

    Never fails for want of a network: then the figures are those that A2IA knows, or none. Raises `UsageError` for a
    name that can be none of the three.
    """
    each = WEIGHT_BYTES.get(dtype or "auto", 2.0)
    preset = find(name)
    repo = preset.repo if preset else name
    here = await asyncio.to_thread(_here, name, repo, preset, each)
    if here is not None:
        return here
    kept = hub_folder(repo)
    asked = await _ask_hub(repo)
    if asked is not None and (read := from_config(asked.config)):
        base = preset.base if preset else asked.base or base_name(repo) or repo
        return Model(
            repo,
            base,
            read,
            _scaled(asked.size, asked.config, each) or read.weight_bytes(each),
            f"config.json at {asked.host}",
            kept,
        )
    if preset is not None:
        known = preset.figures
        return Model(repo, preset.base, known, known.weight_bytes(each), "kept by A2IA; the hub did not answer", kept)
    problem = "the hub did not answer" if asked is None else "its config.json is of an unknown kind"
    return Model(repo, base_name(repo) or repo, None, 0, f"unknown: {problem}", kept)


def _here(name: str, repo: str, preset: Preset | None, each: float) -> Model | None:
    """Return the model if it lies on this machine. Raises `UsageError` for a name that can be no repository either."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _local(folder, each)
    if repo.count("/") != 1 or repo.startswith((".", "/", "~")):
        raise UsageError(
            f"There is no folder, preset or repository {name!r}.",
            f"Give a repository as OWNER/NAME, or one of: {', '.join(PRESETS)}.",
        )
    kept = hub_folder(repo)
    config, snapshot = _cached_config(kept)
    if not config or not (read := from_config(config)):
        return None
    base = preset.base if preset else base_name(repo) or repo
    size = _scaled(_size_of(snapshot), config, each) or read.weight_bytes(each)
    return Model(repo, base, read, size, f"config.json in {kept}", kept)


def _local(folder: Path, each: float) -> Model:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder / 'config.json'} cannot be read: {error}.", "Name a folder that holds a model in the hub's form."
        ) from error
    read, name = from_config(config), folder.resolve().name
    size = _scaled(_size_of(folder), config, each) or (read.weight_bytes(each) if read else 0)
    return Model(str(folder.resolve()), name, read, size, f"{folder}/config.json and its weight files")


def _size_of(folder: Path) -> int:
    """Return the bytes of the weight files of a folder; of one kind, since a repository may hold two."""
    for suffix in _WEIGHTS:
        names = _of_one_form([file.name for file in folder.glob(f"*{suffix}") if file.exists()])
        files = {(folder / name).resolve() for name in names}
        if files:
            return sum(file.stat().st_size for file in files)
    return 0


def _of_one_form(names: list[str]) -> list[str]:
    """Return the names of weight files without Mistral's own form of the same weights, which vLLM does not load."""
    others = [name for name in names if not name.startswith("consolidated")]
    return others or names


def _scaled(size: int, config: Mapping[str, Any], each: float) -> int:
    """Return how many bytes weights of `size` bytes take once loaded in a type of `each` bytes; packed ones stay."""
    inner = config.get("text_config") or {}
    kept = str(config.get("dtype") or config.get("torch_dtype") or inner.get("dtype") or inner.get("torch_dtype"))
    packed = config.get("quantization_config") or inner.get("quantization_config")
    return size if packed or kept not in WEIGHT_BYTES else round(size * each / WEIGHT_BYTES[kept])


def _cached_config(folder: Path) -> tuple[dict[str, Any], Path]:
    """Return the newest config of a repository in the hub's cache, with its folder; empty if there is none."""
    for file in sorted(folder.glob("snapshots/*/config.json"), key=lambda each: each.stat().st_mtime, reverse=True):
        try:
            config = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(config, dict) and any(file.parent.glob("*.safetensors")):
            return config, file.parent
    return {}, folder


@dataclass(frozen=True, slots=True)
class _Asked:
    config: dict[str, Any]
    size: int
    base: str
    host: str


async def _ask_hub(repo: str) -> _Asked | None:
    """Return what the hub says of a repository; None where it cannot be reached, or does not show it to us."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        return None
    import httpx

    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    token = _token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with httpx.AsyncClient(headers=headers, timeout=HUB_SECONDS, follow_redirects=True) as http:
            config = await _object(http, f"{endpoint}/{repo}/resolve/main/config.json")
            card = await _object(http, f"{endpoint}/api/models/{repo}?blobs=true")
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError, OSError):
        return None
    return _Asked(config, _listed_size(card), _base_of(card), httpx.URL(endpoint).host)


async def _object(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    value = (await http.get(url)).raise_for_status().json()
    if not isinstance(value, dict):
        raise ValueError(f"{url} is no JSON object")
    return value


def _token() -> str:
    """Return the hub's token as its own client keeps it: `HF_TOKEN`, else the file that `hf auth login` writes."""
    file = Path(os.environ.get("HF_TOKEN_PATH") or _hub_home() / "token")
    try:
        return os.environ.get("HF_TOKEN") or file.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _listed_size(card: dict[str, Any]) -> int:
    """Return the bytes of the safetensors at the top of a repository: copies in other forms lie in folders."""
    files = [entry for entry in card.get("siblings") or [] if isinstance(entry, dict)]
    sizes = {str(entry.get("rfilename")): entry.get("size") or 0 for entry in files}
    names = [name for name in sizes if name.endswith(".safetensors") and "/" not in name]
    return sum(sizes[name] for name in _of_one_form(names))


def _base_of(card: dict[str, Any]) -> str:
    data = card.get("cardData")
    base = data.get("base_model") if isinstance(data, dict) else None
    return str(base[0] if isinstance(base, list) and base else base or "")
