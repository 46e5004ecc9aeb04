import re
import unicodedata
from urllib.parse import unquote

from tools.errors import ToolFailure
from tools.text import shown

_MAX_PATH = 1024
_MAX_NAME = 255
_MAX_DEPTH = 100
_BIDI = re.compile("[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOT_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:|[A-Za-z]:|[~-]|\$\{?[A-Za-z_]+\}?(?:/|$)", re.IGNORECASE)
_UP = re.compile(r"\.\.+$|\.\.;|.*(?:%c0%a[ef]|%c0%2[ef]|%c1%9c|%u00)", re.IGNORECASE)
_EXAMPLE = "write it from the workspace folder, for example src/app.py"


def names_of(path: str, root: str) -> tuple[str, ...]:
    """Give the names that lead from `root` (absolute, resolved) to `path`; none for `root` itself.

    Looks at the text only, not at the disk.

    Raises:
        ToolFailure: `path` is not a plain path inside `root`.
    """
    _refuse_odd_text(path)
    if _NOT_PLAIN.match(path):
        raise ToolFailure(f"'{shown(path)}' is not a plain path: {_EXAMPLE}.")
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if any(_UP.match(name) for name in names) or _hides_a_way_up(path):
        raise ToolFailure(f"'{shown(path)}' has '..' in it, which is not allowed: {_EXAMPLE}.")
    if path.startswith("/"):
        names = _below(names, root, path)
    if len(names) > _MAX_DEPTH or any(len(name.encode()) > _MAX_NAME for name in names):
        raise ToolFailure("The path is too long: use a shorter one.")
    return names


def belongs_to_git(name: str) -> bool:
    """Say whether some file system would take `name` for `.git`."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(char for char in folded if unicodedata.category(char) != "Cf").rstrip(" .")
    return plain in (".git", "git~1") or plain.startswith(".git:")


def _refuse_odd_text(path: str) -> None:
    if not path.strip():
        raise ToolFailure(f"The path is empty: {_EXAMPLE}, or use . for the workspace folder.")
    if len(path) > _MAX_PATH or len(path.encode("utf-8", "replace")) > _MAX_PATH * 2:
        raise ToolFailure("The path is too long: use a shorter one.")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in path) or _BIDI.search(path):
        raise ToolFailure(f"'{shown(path)}' has characters that a path can not have: {_EXAMPLE}.")
    if "\\" in path:
        raise ToolFailure(f"'{shown(path)}' has a backslash in it: put / between folders.")


def _hides_a_way_up(path: str) -> bool:
    """Say whether another reading of `path` (percent codes, look-alike characters) would climb or be absolute."""
    decoded = path
    for _ in range(3):
        decoded = unquote(decoded)
        plain = unicodedata.normalize("NFKC", decoded).replace("\\", "/")
        if ".." in plain.split("/") or "\0" in plain or (plain.startswith("/") and not path.startswith("/")):
            return True
    return False


def _below(names: tuple[str, ...], root: str, path: str) -> tuple[str, ...]:
    base = tuple(name for name in root.split("/") if name)
    if names[: len(base)] != base:
        raise ToolFailure(f"'{shown(path)}' is outside of the workspace: {_EXAMPLE}.")
    return names[len(base) :]
