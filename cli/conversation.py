"""What the interactive session does once its heavy parts are loaded: turns and commands, one after the other."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from agent.config import Settings, load_settings
from cli.actions import Actions
from cli.commands import resolve
from cli.debug import DebugLog
from cli.opening import Opening
from cli.page import Page
from cli.streams import OutputLost
from cli.turn_view import TurnView
from graphs.session import Session

if TYPE_CHECKING:
    from cli.chat import Chat


async def converse(chat: "Chat", flags: Mapping[str, Any]) -> int:
    """Talk until the user leaves; return the exit code. Raises what keeps the runtime from opening."""
    settings = load_settings(flags)
    async with AsyncExitStack() as stack:
        return await Conversation(chat, settings).run(stack)


class Conversation:
    """Takes what the user enters; the runtime opens meanwhile."""

    def __init__(self, chat: "Chat", settings: Settings) -> None:
        self._chat = chat
        self._page = Page(chat.screen)
        self._debug = DebugLog(self._page.debug, on=settings.debug)
        self._opening = Opening(self._page, settings)
        self._actions = Actions(self._page, self._opening, self._debug)
        self._view: TurnView | None = None
        self._busy = False

    async def run(self, stack: AsyncExitStack) -> int:
        """Take line after line until the user leaves; `stack` closes what is opened."""
        screen = self._page.screen
        await self._opening.ask_trust()
        self._opening.start(stack)
        screen.live, screen.status = self._live, self._status
        try:
            while (line := await self._next()) is not None:
                await self._take(line)
            return 0
        finally:
            screen.live = lambda width: ()
            await self._opening.stop()

    async def _next(self) -> str | None:
        """Return the next line, None for /exit. Raises what kept the runtime from opening."""
        line = asyncio.create_task(self._page.screen.next_line())
        try:
            if self._opening.runtime is None:
                await asyncio.wait({line, self._opening.task}, return_when=asyncio.FIRST_COMPLETED)
            if self._opening.task.done():
                await self._opening.task
            text = await line
        finally:
            line.cancel()
        return None if resolve(text) == ("/exit", "") else text

    async def _take(self, line: str) -> None:
        screen, command = self._page.screen, resolve(line)
        if not screen.streams:
            screen.say(self._page.paint("bold", self._page.renderer.wrap(f"> {line}", self._page.width, "")))
        work = self._turn(line) if command is None else self._actions.run(*command)
        self._busy = True
        try:
            finished = await self._chat.turn(asyncio.create_task(work))
            if not finished and self._view is None:
                self._page.note("stopped")
        except OutputLost:
            raise
        except Exception as error:
            if self._opening.runtime is None:
                raise
            self._page.error(error, trace=self._debug.on)
        finally:
            self._view, self._busy = None, False

    async def _turn(self, line: str) -> None:
        runtime = await self._opening.ready()
        self._view = TurnView(self._page)
        try:
            async for event in runtime.session.run(line):
                self._view.event(event)
        finally:
            self._view.close()

    def _live(self, width: int) -> list[str]:
        if self._view:
            return self._view.live(width)
        return self._opening.live(width) if self._opening.runtime is None or self._busy else []

    def _status(self, width: int) -> str:
        runtime = self._opening.runtime
        if runtime is None:
            return "starting; what you enter now waits"
        return self._page.paint.status(_status_parts(runtime.session, runtime.profile.window), width)


def _status_parts(session: Session, window: int) -> list[str]:
    """Return what the status line tells, the most important first."""
    speaker, call = session.speaker, session.latest_call
    parts = [speaker.model, speaker.backend, speaker.protocol]
    if call is None or call.prompt_tokens is None:
        return [*parts, f"window 0/{window}"]
    used = call.prompt_tokens + (call.completion_tokens or 0)
    parts.append(f"window {used}/{window}")
    if call.completion_tokens and call.completion_tokens > 1 and call.seconds > 0:
        parts.append(f"{(call.completion_tokens - 1) / call.seconds:.0f} tok/s")
    if call.cached_tokens is not None:
        parts.append(f"cache {call.cached_tokens / max(call.prompt_tokens, 1):.0%}")
    return parts
