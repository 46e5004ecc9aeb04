"""Which backend a run uses: the entry point of the group `a2ia.backends` that it names, or the first that answers."""

from __future__ import annotations

import asyncio
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from agent.backends.base import Backend, ModelProfile, Progress, Report
from agent.config import Settings
from agent.errors import UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

GROUP = "a2ia.backends"

SERVERS = ("ollama", "vllm")
"""Backends that are looked for, first choice first; `embedded` is used where none of them answers."""


def open_backend(settings: Settings, report: Report) -> Backend:
    """Return the backend of a run, not yet contacted. Raises `UsageError` for a name that none bears."""
    return _named(settings.backend, settings, report) if settings.backend else FirstThatAnswers(settings, report)


def chosen(backend: Backend) -> Backend:
    """Return the backend that is behind one which looked for the first that answers, itself for any other.

    What a backend can do beyond `Backend` (`KeepsPrefix`, `TellsOdds`) is a question to this one, after `profile`.
    """
    return backend.chosen if isinstance(backend, FirstThatAnswers) else backend


def split_name(text: str) -> tuple[str | None, str | None]:
    """Return backend and model of `BACKEND:MODEL`, either of which may be missing; a model's name may have colons."""
    first, colon, rest = text.partition(":")
    return (first, rest or None) if colon and first in entry_points(group=GROUP).names else (None, text)


def _named(name: str, settings: Settings, report: Report) -> Backend:
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    entry = known.get(name)
    if entry is None:
        raise UsageError(
            f"There is no backend {name!r}.", f"Choose one of: {', '.join(sorted(known))} (--backend NAME)."
        )
    backend: Backend = entry.load()(settings, report)
    return backend


class FirstThatAnswers:
    """The backend of a run that names none; it becomes the chosen one, `name` included, when `profile` is asked.

    An address that was given (`--ollama-url`, `--vllm-url`) narrows the choice to its server, which then has to answer.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self.name = ""
        self._settings = settings
        self._report = report
        self._opened: list[Backend] = []
        self._chosen: Backend | None = None

    async def profile(self) -> ModelProfile:
        """Choose, tell the choice and its reason, and ask the chosen one. Raises what that one raises."""
        if self._chosen is None:
            self._chosen = await self._choose()
            self.name = self._chosen.name
        return await self._chosen.profile()

    def chat_model(self, profile: ModelProfile) -> BaseChatModel:
        """Return the chosen backend's chat model."""
        return self.chosen.chat_model(profile)

    def constrain(self, constraint: str) -> dict[str, Any]:
        """Return the chosen backend's keyword arguments for `constraint`."""
        return self.chosen.constrain(constraint)

    async def health(self) -> bool:
        """Say whether the chosen backend's server answers; False while none is chosen."""
        return self._chosen is not None and await self._chosen.health()

    async def aclose(self) -> None:
        """Let go of every backend that was looked at."""
        for backend in self._opened:
            await backend.aclose()

    @property
    def chosen(self) -> Backend:
        """The backend that was chosen. Raises `RuntimeError` before `profile`."""
        if self._chosen is None:
            raise RuntimeError("profile has to come first: it chooses the backend")
        return self._chosen

    def _open(self, name: str) -> Backend:
        self._opened.append(_named(name, self._settings, self._report))
        return self._opened[-1]

    async def _choose(self) -> Backend:
        # Opening imports modules and reads certificates, so it is done in threads: the loop may have other work.
        given = [name for name in SERVERS if getattr(self._settings, f"{name}_url")]
        if not given and await asyncio.to_thread(_embedded_only, self._settings.model):
            return await asyncio.to_thread(self._open, "embedded")
        servers = [await asyncio.to_thread(self._open, name) for name in given or SERVERS]
        up = await asyncio.gather(*(server.health() for server in servers))
        first = next((server for server, answers in zip(servers, up, strict=True) if answers), None)
        if first is not None:
            self._report(Progress(f"Using {first.name}, which answers; --backend NAME chooses another"))
            return first
        if given:
            return servers[0]
        self._report(Progress(f"Using embedded: neither {' nor '.join(SERVERS)} answers"))
        return await asyncio.to_thread(self._open, "embedded")


def _embedded_only(model: str | None) -> bool:
    """Say whether the model is a file or one of the names of weights that only the embedded server has."""
    from agent.backends.weights_model import KNOWN

    return model is not None and (model in KNOWN or model.endswith(".gguf"))
