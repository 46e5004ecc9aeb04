"""The interactive session: puts the prompt on the screen at once, and brings everything heavy up behind it."""

import asyncio
import importlib
import os
import signal
import textwrap
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from agent.places import state_dir
from cli.paint import Paint, detect, is_dumb
from cli.screen import Screen
from cli.streams import OutputLost, prepare_streams

INTERRUPTED = 130


def run_chat(flags: Mapping[str, Any]) -> int:
    """Talk until the user leaves; return the exit code."""
    prepare_streams(as_json=False)
    try:
        return asyncio.run(Chat(_screen(detect())).run(flags))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except OutputLost:
        return 1
    except Exception as error:
        from cli.display import Display, failure_of

        display = Display(debug=bool(flags.get("debug")))
        display.traceback(error)
        failure = failure_of(error)
        display.failure(failure)
        return failure.exit_code


def _screen(paint: Paint) -> Screen:
    if is_dumb():
        from cli.plain_screen import PlainScreen

        return PlainScreen(paint)
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    from cli.live_screen import LiveScreen

    path = state_dir() / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        why = f"{path} cannot be written ({error.strerror}); your prompts are kept for this session only."
        screen = LiveScreen(paint, InMemoryHistory())
        lines = textwrap.fill(paint.safe(f"warning: {why}"), screen.width - 1)
        screen.say(lines.replace("warning:", paint("yellow", "warning:"), 1))
        return screen
    return LiveScreen(paint, FileHistory(str(path)))


class Chat:
    """Decides what ends what: Ctrl-C the turn, twice the session, Ctrl-D and signals the session."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._turn: asyncio.Task[None] | None = None
        self._talk: asyncio.Task[int] | None = None
        self._armed = False
        self._code = 0
        began = time.monotonic()
        screen.live = lambda width: [screen.paint("dim", f"{screen.paint.spinner(time.monotonic() - began)} loading")]
        screen.on_interrupt, screen.on_key = self.interrupt, self._disarm
        screen.on_leave = lambda: self.leave(0)

    async def run(self, flags: Mapping[str, Any]) -> int:
        """Show the screen and talk; return the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self.interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.leave, INTERRUPTED)
        showing = asyncio.create_task(self.screen.run())
        self._talk = asyncio.create_task(self._converse(flags))
        try:
            await asyncio.wait({showing, self._talk}, return_when=asyncio.FIRST_COMPLETED)
            self._talk.cancel()  # for the case that it is the terminal that is gone
            with suppress(asyncio.CancelledError):
                return await self._talk
            return self._code
        finally:
            self.screen.close()
            await showing

    async def _converse(self, flags: Mapping[str, Any]) -> int:
        await self.screen.shown.wait()
        conversation = await asyncio.to_thread(importlib.import_module, "cli.conversation")
        code: int = await conversation.converse(self, flags)
        return code

    async def turn(self, task: "asyncio.Task[None]") -> bool:
        """Wait for a turn, which Ctrl-C cancels; say whether it came to its end. Whatever it raises is raised."""
        self._turn = task
        self._disarm()
        try:
            await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current and current.cancelling():  # it is the session that ends: the turn first
                task.cancel()
                await asyncio.wait({task})
                raise
            return False
        finally:
            self._turn = None
        return True

    def interrupt(self) -> None:
        """Stop the turn, or else the question, or else the typing; the second time in a row, leave."""
        if self._armed:
            self.leave(INTERRUPTED)
            return
        if self._turn:
            self._turn.cancel()
            self.screen.take_back()
        elif self.screen.question:
            self.screen.answer(None)
        else:
            self.screen.discard()
        self._armed = True
        self.screen.hint = "Ctrl-C again leaves"
        self.screen.update()

    def leave(self, code: int) -> None:
        """End the session, what runs included."""
        self._code = code
        if self._talk:
            self.screen.hint = "leaving"
            self._talk.cancel()

    def _disarm(self) -> None:
        self._armed = False
        self.screen.hint = ""
