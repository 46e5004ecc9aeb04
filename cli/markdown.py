"""Text for the terminal: Markdown while it streams in, and plain text wrapped or cut to a width."""

import re
from io import StringIO

from markdown_it import MarkdownIt
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown
from rich.text import Text
from rich.theme import Theme

from cli.paint import Paint

_THEME = Theme({"markdown.code": "cyan", "markdown.code_block": "none", "markdown.item.number": "none"})
_WITHOUT_UNICODE = str.maketrans({"•": "*", "▌": "|", "─": "-", "━": "-", "│": "|"})
_ESCAPE = re.compile(r"\x1b\[[\d;]*m")
_END = re.compile(r"(?:\x1b\[[\d;]*m| )+$")


def _trimmed(end: re.Match[str]) -> str:
    return "\x1b[0m" if "\x1b" in end[0] else ""


class _Heading(Heading):
    """A heading in bold at the left margin; rich centres it, in a box of its own."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text


class _Markdown(Markdown):
    elements = {**Markdown.elements, "heading_open": _Heading}  # noqa: RUF012  rich's own form


class Renderer:
    """Renders for one terminal."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self._parser = MarkdownIt().enable("table")

    def markdown(self, text: str, width: int) -> str:
        """Return Markdown as lines of at most `width` columns."""
        out = StringIO()
        console = Console(
            file=out,
            width=max(width, 20),
            force_terminal=True,
            color_system="standard" if self._paint.colours else None,
            theme=_THEME,
            legacy_windows=False,
        )
        console.print(_Markdown(self._paint.safe(text), code_theme="ansi_dark", hyperlinks=False))
        shown = "\n".join(_END.sub(_trimmed, line) for line in out.getvalue().splitlines()).strip("\n")
        if not self._paint.colours:
            shown = _ESCAPE.sub("", shown)
        return shown if self._paint.unicode else shown.translate(_WITHOUT_UNICODE)

    def finished(self, lines: str) -> tuple[int, bool]:
        """Return how much of growing Markdown, in whole lines, is blocks that more lines cannot change any more.

        Of a list at the end these are all items but the last; then the second value is true.
        """
        tokens = self._parser.parse(lines)
        last = max((token.map[0] for token in tokens if token.level == 0 and token.map), default=0)
        items = [t for t in tokens if t.type == "list_item_open" and t.level == 1 and t.map and t.map[0] >= last]
        in_order = bool(items) and items[-1].info in ("", str(int(items[0].info or 0) + len(items) - 1))
        start = items[-1].map[0] if in_order and items[-1].map else last  # else the list would be numbered anew
        return sum(len(line) + 1 for line in lines.split("\n")[:start]), start > last

    def is_code(self, lines: str) -> bool:
        """Say whether whole lines of growing Markdown begin with a block of code, whose rows stay as they are."""
        tokens = self._parser.parse(lines)
        return bool(tokens) and tokens[0].type == "fence" and bool(tokens[0].content.strip())

    def wrap(self, text: str, width: int, indent: str = "  ") -> str:
        """Return plain text in lines of at most `width` columns, each begun with `indent`."""
        room = max(width - len(indent), 10)
        console = Console(file=StringIO(), width=room, color_system=None)
        lines = Text(self._paint.safe(text).strip()).wrap(console, room)
        return "\n".join(f"{indent}{line.plain.rstrip()}" for line in lines)

    def clip(self, text: str, width: int) -> str:
        """Return `text` as one line of at most `width` columns."""
        line = self._paint.safe(text).replace("\n", " ")
        if cell_len(line) <= width:
            return line
        more = self._paint.sign("more")
        return (chop_cells(line, max(width - len(more), 1)) or [""])[0] + more
