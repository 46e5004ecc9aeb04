"""The interactive session: one thread, a prompt at a time."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from agent.config import Settings, load_settings, state_dir
from agent.mcp.trust import is_trusted, remember
from cli.display import Display, call_arguments, failure_of
from cli.streams import OutputLost, prepare_streams, printable, write
from graphs.events import AnswerDelta, Event, FormatError, PendingCall, Result, ThoughtDelta, ToolFinished
from graphs.session import Decisions, Session

_INTERRUPTED = 130
_LEAVE = {"/exit", "/quit"}


def run_chat(flags: Mapping[str, Any]) -> int:
    """Talk until the user leaves (Ctrl-D or /exit); return the exit code."""
    prepare_streams(as_json=False)
    display = Display(debug=bool(flags.get("debug")))
    try:
        settings = load_settings(flags)
        return asyncio.run(_chat(settings, display))
    except (KeyboardInterrupt, asyncio.CancelledError):
        display.note("interrupted")
        return _INTERRUPTED
    except OutputLost:
        return 1
    except Exception as error:
        display.traceback(error)
        failure = failure_of(error)
        display.failure(failure)
        return failure.exit_code


async def _chat(settings: Settings, display: Display) -> int:
    from cli.runtime import open_runtime

    current = asyncio.current_task()
    if current:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    prompt: PromptSession[str] = PromptSession(history=_history(display))
    await _ask_trust(settings)
    turns = _Turns(display)
    asker = _Asker(display, turns)
    opening = open_runtime(settings, display.progress, display.warn, approve=asker.approve, strict=False)
    async with opening as runtime:
        profile = runtime.profile
        display.note(
            f"{profile.model} on {runtime.backend}, window {profile.window} tokens, {len(runtime.tools)} tools. "
            "Ctrl-C stops an answer, Ctrl-D leaves."
        )
        while (text := await _next(prompt)) is not None:
            if text.strip():
                await turns.run(runtime.session, text)
    return 0


def _history(display: Display) -> History:
    """Return the prompts of earlier sessions; those of this one only where they cannot be kept."""
    path = state_dir() / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        display.warn(f"{path} cannot be written ({error.strerror}); your prompts are kept for this session only.")
        return InMemoryHistory()
    return FileHistory(str(path))


async def _ask_trust(settings: Settings) -> None:
    project = settings.workspace.expanduser().resolve() / ".mcp.json"
    if not project.is_file() or settings.yes or is_trusted(project):
        return
    answer = await _question(f"{project} starts programs of this project. Use it, now and later? [y/N] ")
    if answer.lower() in {"y", "yes"}:
        remember(project)


async def _question(text: str) -> str:
    """Ask beside the conversation: the answer does not enter its history. Ctrl-D is an empty answer."""
    question: PromptSession[str] = PromptSession()
    try:
        return (await question.prompt_async(text)).strip()
    except EOFError:
        return ""


async def _next(prompt: PromptSession[str]) -> str | None:
    """Return what the user types, None when they leave."""
    while True:
        try:
            text = await prompt.prompt_async("> ")
        except EOFError:
            return None
        except KeyboardInterrupt:
            continue
        return None if text.strip() in _LEAVE else text


class _Turns:
    """Runs turns as tasks of their own, so that Ctrl-C ends the turn and not the session."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._turn: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Have Ctrl-C stop the turn; to be called again after every question, which takes Ctrl-C for itself."""
        if self._turn is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._turn.cancel)

    async def run(self, session: Session, text: str) -> None:
        """Run one turn; whatever becomes of it, the conversation goes on."""
        self._turn = asyncio.create_task(_Screen(self._display).show(session.run(text)))
        self.listen()
        try:
            await self._turn
        except asyncio.CancelledError:
            await self._pass_on()
            self._display.note("stopped; the conversation goes on")
        except OutputLost:
            raise
        except Exception as error:
            self._display.traceback(error)
            self._display.failure(failure_of(error))
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)

    async def _pass_on(self) -> None:
        """Where it is the session that was cancelled, end the turn first, then the session."""
        current = asyncio.current_task()
        if current and current.cancelling() and self._turn:
            self._turn.cancel()
            with suppress(asyncio.CancelledError):
                await self._turn
            raise asyncio.CancelledError


class _Screen:
    """Shows one turn: thoughts dimmed, the answer, a line per tool call."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._open = False
        """Whether the line is unfinished."""
        self._thinking = False

    async def show(self, events: AsyncIterator[Event]) -> None:
        """Show the events of a turn as they come."""
        async for event in events:
            if isinstance(event, ThoughtDelta | AnswerDelta):
                self._text(event.text, thought=isinstance(event, ThoughtDelta))
                continue
            self._end_line()
            if isinstance(event, ToolFinished):
                self._display.tool(event)
            elif isinstance(event, FormatError):
                self._display.note(f"unreadable reply: {event.message}")
            elif isinstance(event, Result) and event.error:
                self._display.failure(event.error)

    def _text(self, text: str, *, thought: bool) -> None:
        if self._open and thought != self._thinking:
            self._end_line()
        self._open, self._thinking = True, thought
        dim = thought and self._display.colours
        write(f"\x1b[2m{printable(text)}\x1b[0m" if dim else printable(text))

    def _end_line(self) -> None:
        if self._open:
            write("\n")
        self._open = False


class _Asker:
    """Asks for approvals; remembers which tools may always run in this session."""

    def __init__(self, display: Display, turns: _Turns) -> None:
        self._display = display
        self._turns = turns
        self._always: set[str] = set()

    async def approve(self, calls: Sequence[PendingCall]) -> Decisions:
        """Return a decision for each of `calls`; Ctrl-C at a question stops the turn."""
        try:
            return {call.id: await self._decide(call) for call in calls}
        except KeyboardInterrupt:  # left alone it would end the event loop
            raise asyncio.CancelledError from None
        finally:
            self._turns.listen()

    async def _decide(self, call: PendingCall) -> dict[str, Any]:
        if call.tool in self._always:
            return {"decision": "approve"}
        self._display.note(f"{call.tool}({call_arguments(call.args, 400)})")
        answer = await _question("Run it? [y]es, [a]lways, or why not: ")
        if answer.lower() in {"a", "always"}:
            self._always.add(call.tool)
        if answer.lower() in {"y", "yes", "a", "always"}:
            return {"decision": "approve"}
        return {"decision": "deny", "reason": "" if answer.lower() in {"n", "no"} else answer}
