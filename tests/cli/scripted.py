"""The tests' own backend: an entry point of `a2ia.backends`, whose model says what a JSON file tells it to.

`A2IA_TEST_SCRIPT` names the file: `{"replies": [...], "protocol": "react", "window": 8192, "piece": 7}`; with `refuse`
the server cannot be reached, with `hangs` it never comes up. A reply has `answer`, `calls` ([[tool, arguments], ...])
or `raw`, `odds` (of yes against no), and `fails` (before the reply), `breaks` (after its first piece) or `waits` (for
ever, after its first piece).
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from langchain_core.outputs import ChatGenerationChunk

from agent.backends.base import ModelProfile, Progress, Report
from agent.config import Settings
from agent.errors import ContextOverflow, ModelServerError
from tests.fakes import Say, ScriptedModel

SCRIPT = "A2IA_TEST_SCRIPT"

_ERRORS: dict[str, Exception] = {
    "transport": httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    "overflow": ContextOverflow(9000, 8192),
    "bug": ZeroDivisionError("division by zero"),
}


class Breaking(Say):
    """A reply that breaks off after its first piece."""

    def __init__(self, error: Exception, **rest: Any) -> None:
        super().__init__(**rest)
        self.breaks = error


class CliModel(ScriptedModel):
    """A scripted model that can break off in the middle of a reply."""

    def _written(self, say: Say) -> Iterator[ChatGenerationChunk]:
        for chunk in super()._written(say):
            yield chunk
            if isinstance(say, Breaking):
                raise say.breaks


def _say(reply: dict[str, Any]) -> Say:
    fields: dict[str, Any] = {key: reply[key] for key in ("answer", "thought", "raw", "finish", "odds") if key in reply}
    fields["calls"] = [(name, args) for name, args in reply.get("calls", [])]
    if "breaks" in reply:
        return Breaking(_ERRORS[reply["breaks"]], **fields)
    wait = asyncio.Event() if reply.get("waits") else None
    return Say(**fields, error=_ERRORS[reply["fails"]] if "fails" in reply else None, wait=wait)


class ScriptedBackend:
    """A model server in this process."""

    name = "scripted"

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report
        self._script: dict[str, Any] = json.loads(Path(os.environ[SCRIPT]).read_text(encoding="utf-8"))

    async def profile(self) -> ModelProfile:
        self._report(Progress("starting the scripted server"))
        if self._script.get("hangs"):
            await asyncio.Event().wait()
        if self._script.get("refuse"):
            raise ModelServerError("The scripted server does not answer.", "Start it.")
        native = self._script.get("protocol") == "native"
        window = self._script.get("window", 8192)
        return ModelProfile(self._settings.model or "scripted-1", window, native, "The script says so.")

    def chat_model(self, profile: ModelProfile) -> CliModel:
        replies = [_say(reply) for reply in self._script["replies"]]
        protocol, piece = self._script.get("protocol", "react"), self._script.get("piece", 7)
        return CliModel(script=replies, protocol=protocol, piece=piece)

    def odds(self) -> dict[str, Any]:
        return {"logprobs": True}

    def constrain(self, constraint: str) -> dict[str, Any]:
        return {"grammar": constraint}

    async def health(self) -> bool:
        return True

    async def aclose(self) -> None:
        self._report(Progress("let go of the scripted server"))


def create(settings: Settings, report: Report) -> ScriptedBackend:
    """What the entry point names."""
    return ScriptedBackend(settings, report)
