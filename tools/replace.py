import difflib
import re
import time

from tools.errors import ToolFailure
from tools.text import shown

_MAX_COMPARED = 5_000
_SHOWN = 160
_SHORT_FILE = 1_000
_MAX_SPACED = 200_000
_HOLDS = " holds:\n"
_HOW = "Call edit_file again: old is a whole line of it, new is that line with the change."


def replace_once(text: str, old: str, new: str, name: str) -> tuple[str, int]:
    r"""Give `text` with its one `old` replaced by `new`, and the line where that was (from 1).

    A "\n" in `old` matches "\r\n" too, and `new` gets the line ends of the file. An empty `old` stands for the end of
    the text: `new` begins a line there.

    Raises:
        ToolFailure: `old` is equal to `new`, or does not occur exactly once.
    """
    if old == "" and new:
        return _appended(text, new)
    if old == new:
        raise ToolFailure(f"old and new are the same: nothing to change.{_whole(text, name)}")
    starts = _matches(text, old)
    if not starts:
        hint = _whole(text, name) or _other_spaces(text, old) or _nearest(text, old)
        raise ToolFailure(f"The text old is not in '{name}'.{hint}")
    if len(starts) > 1:
        lines = ", ".join(dict.fromkeys(str(_line(text, start)) for start, _ in starts[:5]))
        count = f"{len(starts)} times" if len(starts) < 100 else "100 times or more"
        them = _lines_at(text, [start for start, _ in starts[:3]])
        raise ToolFailure(
            f"The text old is in '{name}' {count} (lines {lines}): give a whole line or more, so that it is once.{them}"
        )
    start, end = starts[0]
    return text[:start] + _with_ends(new, text) + text[end:], _line(text, start)


def _appended(text: str, new: str) -> tuple[str, int]:
    end = "\r\n" if _with_ends("\n", text) == "\r\n" else "\n"
    start = text if not text or text.endswith("\n") else text + end
    added = _with_ends(new.removeprefix("\n"), text)
    return start + added + ("" if added.endswith("\n") else end), _line(start, len(start))


def _matches(text: str, old: str) -> list[tuple[int, int]]:
    """Give where `old` stands in `text` (at most 100 places, overlaps too), with other line ends if need be."""
    for wanted in (old, old.replace("\r\n", "\n").replace("\n", "\r\n"), old.replace("\r\n", "\n")):
        found, at = list[tuple[int, int]](), text.find(wanted)
        while at >= 0 and len(found) < 100:
            found.append((at, at + len(wanted)))
            at = text.find(wanted, at + 1)
        if found:
            return found
    return []


def _with_ends(new: str, text: str) -> str:
    crlf = text.count("\r\n")
    if crlf and crlf * 2 > text.count("\n"):
        return new.replace("\r\n", "\n").replace("\n", "\r\n")
    return new


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _other_spaces(text: str, old: str) -> str:
    """Give the one place of `text` that differs from `old` in its spaces alone, to be copied."""
    squeezed = _squeezed(old)
    if not 3 <= len(squeezed) <= _SHOWN:
        return ""
    found = re.findall(r"\s*".join(map(re.escape, squeezed)), text[:_MAX_SPACED])
    return f" Only its spaces differ. Call edit_file again with old: {found[0]}" if len(found) == 1 else ""


def _whole(text: str, name: str) -> str:
    """Give the file, if it is short: a model that guessed `old` can then copy it, without reading the file first."""
    if not text.strip() or len(text) > _SHORT_FILE:
        return ""
    return f" Nothing was changed yet. {name}{_HOLDS}{text.rstrip()}\n{_HOW}"


def _nearest(text: str, old: str) -> str:
    wanted = next((line.strip() for line in old.splitlines() if line.strip()), "")
    lines = {line.strip()[:200]: number for number, line in enumerate(text.split("\n")[:_MAX_COMPARED], 1)}
    squeezed = _squeezed(wanted)
    same = (line for line in lines if squeezed and squeezed in _squeezed(line))
    best = next(same, None) or _most_alike(wanted[:200], [line for line in lines if line])
    if best is None:
        return " Read the file and copy the text exactly."
    number = lines[best]
    line = text.split("\n")[number - 1].rstrip("\r")
    return f" The nearest is line {number}: {shown(line, _SHOWN)}\nCopy the text exactly, with its spaces."


def _lines_at(text: str, starts: list[int]) -> str:
    """Give the lines that begin or hold these places, if they are short."""
    lines = [text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0].rstrip("\r") for at in starts]
    return " They are:\n" + "\n".join(lines) if all(len(line) <= _SHOWN for line in lines) else ""


def told_text(error: str) -> str:
    """Return the file that an error of `replace_once` brought whole, or nothing."""
    _, _, rest = error.partition(_HOLDS)
    return rest.removesuffix(f"\n{_HOW}") if rest.endswith(_HOW) else ""


def _squeezed(line: str) -> str:
    return "".join(line.split())


def _most_alike(wanted: str, lines: list[str]) -> str | None:
    """Give the line that is most like `wanted`, from as many as can be compared in half a second."""
    deadline, best = time.monotonic() + 0.5, list[str]()
    for at in range(0, len(lines), 50):
        best = difflib.get_close_matches(wanted, [*best, *lines[at : at + 50]], 1, 0.6)
        if time.monotonic() > deadline:
            break
    return best[0] if best else None
