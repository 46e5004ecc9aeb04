"""What this terminal can show: colours or none, Unicode signs or ASCII. Cheap to import."""

import locale
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from cli.streams import printable

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
_UNICODE = {"ok": "✓", "error": "✗", "denied": "-", "interrupted": "-", "more": "…", "dot": "·"}
_ASCII = {"ok": "+", "error": "x", "denied": "-", "interrupted": "-", "more": "...", "dot": "|"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Gives text the form that the terminal takes."""

    colours: bool = True
    """Whether colours, bold and dim may be used."""
    unicode: bool = True
    """Whether the terminal shows more than the characters of its locale's encoding."""
    encoding: str = "utf-8"
    """What text is written in."""

    def __call__(self, style: str, text: str) -> str:
        """Return `text` in `style`: bold, dim, red, green, yellow or cyan. Every line is coloured by itself."""
        if not self.colours:
            return text
        return "\n".join(f"\x1b[{_CODES[style]}m{line}\x1b[0m" if line else "" for line in text.split("\n"))

    def sign(self, name: str) -> str:
        """Return a sign: ok, error, denied, interrupted, more or dot."""
        return (_UNICODE if self.unicode else _ASCII)[name]

    def spinner(self, seconds: float) -> str:
        """Return the spinner as it stands after `seconds`."""
        frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self.unicode else "|/-\\"
        return frames[int(seconds * 10) % len(frames)]

    def safe(self, text: str) -> str:
        """Return `text` without what would steer the terminal or what its encoding cannot say."""
        return printable(text.expandtabs(4)).encode(self.encoding, "replace").decode(self.encoding)

    def status(self, parts: Iterable[str], width: int) -> str:
        """Return as many of `parts` as go on a line of `width` characters, the first ones first."""
        between = f" {self.sign('dot')} "
        line = ""
        for part in parts:
            longer = f"{line}{between}{part}" if line else part
            if len(longer) <= width:
                line = longer
        return line


def detect() -> Paint:
    """Ask the environment. NO_COLOR is obeyed, a pipe gets no colours, a locale other than UTF-8 gets ASCII signs."""
    encoding = sys.stdout.encoding or "ascii"
    wide = encoding.lower().replace("-", "") == "utf8"
    return Paint(
        colours=sys.stdout.isatty() and not (os.environ.get("NO_COLOR") or is_dumb()),
        unicode=wide and locale.getencoding().lower().replace("-", "") == "utf8",
        encoding=encoding,
    )


def is_dumb() -> bool:
    """Say whether the terminal cannot move its cursor."""
    return os.environ.get("TERM", "dumb").lower() in {"", "dumb", "unknown"}
