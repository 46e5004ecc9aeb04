import codecs
import re

from tools.errors import ToolFailure

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

MAX_WIDE = 5_000_000
"""Bytes of a UTF-16 file that are read: it has to be turned into UTF-8 as a whole."""
_WITH_BYTES = "utf-8 with other bytes"
_STRANGE = re.compile("[\udc80-\udcff]")


def decoded(data: bytes, name: str) -> tuple[str, str]:
    """Give the text of `data` and the encoding that turns it back into the same bytes.

    Raises:
        ToolFailure: the bytes are no text.
    """
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    if encoding in ("utf-8", "utf-8-sig") and is_binary(data):
        raise not_text(name)
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    strange = len(_STRANGE.findall(text))
    is_utf8 = encoding == "utf-8" and sum(not char.isascii() for char in text) > 2 * strange
    return (text, _WITH_BYTES) if is_utf8 else (data.decode("latin-1"), "latin-1")


def encoded(text: str, encoding: str) -> bytes:
    """Give `text` as bytes.

    Raises:
        ToolFailure: the encoding has no such character.
    """
    try:
        return text.encode("utf-8", "surrogateescape") if encoding == _WITH_BYTES else text.encode(encoding)
    except UnicodeEncodeError as error:
        character = text[error.start].encode("unicode_escape").decode("ascii")
        raise ToolFailure(
            f"The character {character} can not be written in this file ({encoding}): leave it out."
        ) from error


def is_binary(data: bytes) -> bool:
    """Say whether the start of a file has a zero byte, which text has not."""
    return b"\0" in data[:8192]


def is_wide(data: bytes) -> bool:
    """Say whether the start of a file is marked as UTF-16."""
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def not_text(name: str) -> ToolFailure:
    """Give the refusal of a file that is no text."""
    return ToolFailure(f"'{name}' is a binary file, not text: use execute_command (file, strings) to look into it.")
