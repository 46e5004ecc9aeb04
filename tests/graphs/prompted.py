"""A backend whose model does what the prompt says: an entry point of `a2ia.backends` for servers of many threads.

The last line of a prompt is a JSON list of replies, each the arguments of a `Say`: `[{"calls": [["read_file", {"path":
"a"}]]}, {"answer": "done"}]`. The same thread always gets the same reply, whoever asks and however often. A reply with
`meets: N` goes on only while N such replies are under way, one with `waits` never does after its first piece.
"""

import asyncio
import functools
import json
from typing import Any

from langchain_core.messages import BaseMessage

from agent.backends.base import ModelProfile, Report
from agent.config import Settings
from agent.errors import ModelServerError
from tests.fakes import Say, ScriptedModel, ScriptExhausted

_barrier = functools.cache(asyncio.Barrier)


def prompt(*replies: dict[str, Any]) -> str:
    """Return the prompt to which the model replies so."""
    return json.dumps(replies)


class PromptedModel(ScriptedModel):
    """Says what the thread's latest prompt tells it to, as native calls if tools are bound, else as ReAct text."""

    def _next(self, messages: list[BaseMessage], options: dict[str, Any]) -> Say:
        self.asked.append(messages)
        at, script = [(at, _script(message)) for at, message in enumerate(messages) if _script(message)][-1]
        said, replies = sum(message.type == "ai" for message in messages[at:]), json.loads(script)
        if said >= len(replies):
            raise ScriptExhausted(f"the prompt has only {len(replies)} replies: {script}")
        say = _say(**replies[said])
        if say.error:
            raise say.error
        return say if "tools" in options else Say(raw=say.react_text(), wait=say.wait)


def _script(message: BaseMessage) -> str:
    line = message.text.rpartition("\n")[2]
    return line if message.type == "human" and line.startswith("[{") else ""


def _say(*, meets: int = 0, waits: bool = False, fails: str = "", **said: Any) -> Say:
    wait = asyncio.Event() if waits else _barrier(meets) if meets else None
    return Say(**said, wait=wait, error=ModelServerError(fails, "Start it.") if fails else None)


class PromptedBackend:
    """A model server in this process; the model named `native` is seen to call tools itself."""

    name = "prompted"

    def __init__(self, settings: Settings, report: Report) -> None:
        self._model = settings.model or "prompted-1"

    async def profile(self) -> ModelProfile:
        return ModelProfile(self._model, 8192, self._model == "native", "The model's name says so.")

    def chat_model(self, profile: ModelProfile) -> PromptedModel:
        return PromptedModel(piece=32)

    def constrain(self, constraint: str) -> dict[str, Any]:
        return {"grammar": constraint}

    async def health(self) -> bool:
        return True

    async def aclose(self) -> None: ...


def create(settings: Settings, report: Report) -> PromptedBackend:
    """What the entry point names."""
    return PromptedBackend(settings, report)
