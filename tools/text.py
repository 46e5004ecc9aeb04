import re

RESULT_CHARS = 6_000
"""The most characters that one tool result carries."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_JSON_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def shown(name: str, limit: int = 120) -> str:
    """Give `name` fit for one line of a sentence: control characters escaped, at most `limit` characters."""
    safe = name if name.isprintable() else name.encode("unicode_escape", "backslashreplace").decode("ascii")
    return safe if len(safe) <= limit else safe[:limit] + "..."


def encodable(text: str) -> str:
    """Give `text` with lone surrogates replaced, so that it can be sent as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def whole_escapes(json: str, stand_in: str) -> str:
    """Give JSON text with `stand_in` for each escape of half a character: no strict reader takes those."""
    return _JSON_ESCAPE.sub(lambda hit: stand_in if len(hit[0]) == 6 and hit[0][2] in "dD" else hit[0], json)


def terminal_text(data: bytes) -> str:
    """Give what a terminal would show of `data`, as plain lines: no colours, no control characters."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def cut(text: str, hint: str) -> str:
    """Give `text`, cut to a result's size at a line's end where there is one; `hint` says how to see the rest."""
    if len(text) <= RESULT_CHARS:
        return text
    head = text[:RESULT_CHARS].rpartition("\n")[0] or text[:RESULT_CHARS]
    return f"{head}\n[cut here: {hint}]"


def size_text(size: int) -> str:
    """Give a size in bytes as a person would say it."""
    for unit, width in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= width:
            return f"{size / width:.1f} {unit}"
    return f"{size} bytes"
