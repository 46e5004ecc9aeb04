"""The screen of a terminal that can move its cursor: what is going on, the input and a status line stay at the end."""

import asyncio
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.formatted_text import ANSI, AnyFormattedText
from prompt_toolkit.history import DummyHistory, History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import ConditionalContainer, Dimension, HSplit, Layout, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from cli.commands import COMMANDS
from cli.paint import Paint
from cli.screen import Screen
from cli.streams import sendable

_FRAME = 0.25
"""Seconds between pictures while only a spinner turns."""
_LEAST = 0.08
"""Seconds between pictures however much there is to show."""
_BUSY = 20
"""A picture that comes late is followed by a pause this many times as long, at most `_LONGEST` seconds: where cores are
few, each wake-up takes the interpreter from the thread that imports, which then waits for its turn far longer."""
_LONGEST = 3.0
_REST_ROWS = 6
"""Rows that are kept for the input and what stands below it."""
_STYLE = Style.from_dict({"completion-menu": "bg:default fg:default", "completion-menu.completion.current": "reverse"})


def _size() -> Size:
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:  # the terminal is gone
        columns, rows = 0, 0
    return Size(rows or 24, columns or 80)


class _Output(Vt100_Output):
    """Can hold back what is written, so that the terminal gets a whole picture at once and nothing flickers."""

    held = False

    @property
    def responds_to_cpr(self) -> bool:
        """Never ask the terminal where its cursor is: the answer may come late, into what the user types."""
        return False

    def flush(self) -> None:
        """Write, if nothing more is to come."""
        if not self.held:
            super().flush()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold back until the next flush after the block."""
        self.held = True
        try:
            yield
        finally:
            self.held = False


class _Commands(Completer):
    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Offer the commands that begin with what stands before the cursor."""
        typed = document.text_before_cursor
        if typed.startswith("/"):
            for name, text in COMMANDS.items():
                if name.startswith(typed):
                    yield Completion(name, -len(typed), display_meta=text.partition(";")[0])


class LiveScreen(Screen):
    """A prompt_toolkit application that runs for the whole session."""

    def __init__(self, paint: Paint, history: History) -> None:
        super().__init__(paint)
        self._output = _Output(sys.stdout, _size, term=os.environ.get("TERM"))
        self._input = Buffer(
            history=history,
            completer=_Commands(),
            complete_while_typing=True,
            multiline=False,
            accept_handler=self._accept,
            on_text_changed=lambda _: self.on_key(),
        )
        self._reply = Buffer(history=DummyHistory(), multiline=False, accept_handler=self._accept)
        self._lines_now: list[str] = []
        self._app: Application[None] = Application(
            self._layout(),
            key_bindings=self._keys(),
            output=self._output,
            style=_STYLE,
            erase_when_done=True,
            min_redraw_interval=_LEAST,
            before_render=lambda _: self._look(),
            after_render=lambda _: self.shown.set(),
        )

    @property
    def width(self) -> int:
        """The terminal's width in columns."""
        return self._output.get_size().columns

    async def run(self) -> None:
        """Show the screen until `close`."""
        drawing = asyncio.create_task(self._draw())
        try:
            await self._app.run_async(handle_sigint=False, set_exception_handler=False)
        finally:
            drawing.cancel()

    async def _draw(self) -> None:
        """Draw again while something moves: what is live has a spinner."""
        late = 0.0
        while True:
            pause = min(max(_FRAME, _BUSY * late), _LONGEST)
            due = time.monotonic() + pause
            await asyncio.sleep(pause)
            late = time.monotonic() - due
            if self._lines_now or self.live(self.width):
                self._app.invalidate()

    def close(self) -> None:
        """Have `run` return."""
        if self._app.is_running:
            self._app.exit()

    def say(self, text: str) -> None:
        """Write lines above the input, in one go with the next picture."""
        if not self._app.is_running:
            super().say(text)
            return
        with self._output.holding():
            self._app.renderer.erase()
            self._output.write_raw(text.replace("\n", "\r\n") + "\r\n")
        self._app.invalidate()

    def clear(self) -> None:
        """Empty the screen."""
        self._app.renderer.clear()
        self._app.invalidate()

    def update(self) -> None:
        """Show anew what is live, with the cursor where the next key goes."""
        if self._app.is_running:
            self._app.layout.focus(self._reply if self.question else self._input)
            self._reply.reset()
            self._app.invalidate()

    def take_back(self) -> None:
        """Put what was typed ahead back into the input."""
        texts = [*self.waiting, self._input.text]
        super().take_back()
        self._input.text = "\n".join(filter(None, texts))
        self._input.cursor_position = len(self._input.text)

    def discard(self) -> None:
        """Empty the input."""
        self._input.reset()

    def _accept(self, buffer: Buffer) -> bool:
        if buffer is self._reply:
            self.answer(sendable(buffer.text))
        else:
            self.enter(sendable(buffer.text))
        return False

    def _look(self) -> None:
        """Gather what is live, as much of its end as the terminal has room for."""
        width, room = self.width, max(self._output.get_size().rows - _REST_ROWS, 1)
        queued = [f"  next: {self.paint.safe(line)}".replace("\n", " ")[: width - 1] for line in self.waiting]
        lines = [*self.live(width), *(self.paint("bold", line) for line in self.question.splitlines())]
        self._lines_now = [*lines, *(self.paint("dim", line) for line in queued[:3])][-room:]

    def _layout(self) -> Layout:
        asked = Condition(lambda: bool(self.question))
        search = SearchToolbar()
        live = FormattedTextControl(lambda: ANSI("\n".join(self._lines_now)))
        entry = self._entry(self._input, "> ", search)
        return Layout(
            HSplit(
                [
                    Window(live, height=lambda: Dimension.exact(len(self._lines_now)), always_hide_cursor=True),
                    ConditionalContainer(entry, ~asked),
                    ConditionalContainer(self._entry(self._reply, "? ", None), asked),
                    search,
                    CompletionsMenu(max_height=len(COMMANDS)),
                    Window(FormattedTextControl(self._status), height=1),
                ]
            ),
            focused_element=entry,
        )

    @staticmethod
    def _entry(buffer: Buffer, sign: str, search: SearchToolbar | None) -> Window:
        control = BufferControl(
            buffer,
            input_processors=[BeforeInput(sign)],
            search_buffer_control=search.control if search else None,
            preview_search=True,
        )
        return Window(control, wrap_lines=True, dont_extend_height=True, height=Dimension(min=1, max=10))

    def _status(self) -> AnyFormattedText:
        return ANSI(self.paint("dim", self.hint or self.status(self.width - 1)))

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        empty = Condition(lambda: not self._app.current_buffer.text)

        @keys.add("c-c", filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            self.on_interrupt()

        @keys.add("c-d", filter=empty)
        def _(event: KeyPressEvent) -> None:
            self.give_up()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            event.app.suspend_to_background()

        return keys
