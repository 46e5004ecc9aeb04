"""Reads one value out of text that is meant as JSON or Python but need not be either.

`read_value` tries strict JSON first, so that valid JSON is never repaired, and says what it had to repair.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

_MAX_DEPTH = 50
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_SPACE = re.compile(r"(?:\s+|\\[nrt]|/\*.*?\*/|//[^\n]*|\#[^\n]*)*", re.S)
_NUMBER = re.compile(r"[$€£¥]?([+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?=\s*(?:[,}\]);#/]|$|\n))")
_BARE = re.compile(r"[^,;{}\[\]()\"'`\n]+")
_KEY = re.compile(r"[^\W\d][\w\\. -]{0,80}?(?=\s*(?:[:：]|=(?!=)))")
_CALL = re.compile(r"([^\W\d][\w.\\]*)\s*\(")
_QUOTE = re.compile(r"([rRfFbBuU]{1,2}(?=[\"']))?(\"\"\"|'''|\\\"|[\"'`“‘])")
_TAIL = r"</(?:tool|func|invoke|call|param|arg|action|xml|json)|<\||`{3}|\[/?[A-Z_]{3,}\]"
"""What stands behind a value and belongs to the form around it."""
_ENDED = re.compile(_TAIL, re.I)
_AFTER_STRING = re.compile(
    rf"\s*(?:$|[}}\]:：;#\n]|(?:\\[nrt]|\s)+[}}\]]|{_TAIL}|=(?!=)|/[/*]"
    r"|,\s*(?:$|[\"'`{\[(}\])$#\d/,-]|[^\W\d][\w ]{0,80}[:=(,}\]]|\w{1,80}$))|\s+[\"'`]"
)
_AFTER_IN_CALL = re.compile(r"\s*\)")
_PATH = re.compile(r"[A-Za-z]:\\[^\\/\"]+(?:\\[^\\/\"]+)*\\?\Z")
"""A path of Windows whose backslashes are not escaped."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'", "`": "`"}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "none": None, "undefined": None, "nil": None}
_CONSTRUCTORS = {"dict", "list", "tuple", "set", "str", "json"}


class Unreadable(ValueError):
    """Text that no value can be read from; says why."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value, where its text ends, and what was repaired to read it."""

    value: Any
    end: int
    repairs: tuple[str, ...] = ()


def read_value(text: str, start: int = 0) -> Value:
    """Read the value that begins at `start`. Raises `Unreadable`."""
    try:
        if text.startswith('"""', start):
            raise ValueError("an empty JSON string, a triple quote in Python")
        value, end = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        reader = _Reader(text, start)
        return Value(reader.value(0), reader.at, tuple(dict.fromkeys(reader.repairs)))
    return Value(value, end)


def read_arguments(text: str, start: int = 0, closing: str = ")") -> tuple[list[Any], dict[str, Any], Value]:
    """Read call arguments up to `closing` (empty: the end of the text): by position, by name, and what was repaired.

    Raises `Unreadable`.
    """
    reader = _Reader(text, start)
    positional, named = reader.arguments(closing, 0)
    return positional, named, Value(None, reader.at, tuple(dict.fromkeys(reader.repairs)))


class _Reader:
    """Reads leniently from `at` on, and notes what it repaired."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.repairs: list[str] = []
        self._parentheses = 0

    def value(self, depth: int) -> Any:
        self._space()
        if depth > _MAX_DEPTH:
            raise Unreadable("it is nested too deeply")
        opening = self.text[self.at : self.at + 1]
        if opening == "{":
            return self._object(depth)
        if opening in _CLOSING:
            return self._list(_CLOSING[opening], depth)
        if quote := _QUOTE.match(self.text, self.at):
            return self._string(quote)
        number = _NUMBER.match(self.text, self.at)
        return self._number(number) if number else self._word(depth)

    def arguments(self, closing: str, depth: int) -> tuple[list[Any], dict[str, Any]]:
        self._parentheses += closing == ")"
        positional: list[Any] = []
        named: dict[str, Any] = {}
        while not self._closed(closing, bool(positional or named)):
            key = _KEY.match(self.text, self.at)
            if key and self.text[key.end() :].lstrip()[:1] in tuple("=:："):
                self.at = key.end()
                self._separator()
                named[_plain(key[0])] = self.value(depth + 1)
            else:
                positional.append(self.value(depth + 1))
            self._comma(closing)
        self._parentheses -= closing == ")"
        return positional, named

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        self._space()
        if self.text.startswith("{", self.at):  # templates print their example with doubled braces
            self.repairs.append("doubled braces")
            inner = self.value(depth + 1)
            self._space()
            self.at += self.text.startswith("}", self.at)
            return inner if isinstance(inner, dict) else {}
        found: dict[str, Any] = {}
        while not self._closed("}", bool(found)):
            key = self._key(depth)
            self._separator()
            found[key] = self.value(depth + 1)
            self._comma("}")
        return found

    def _key(self, depth: int) -> str:
        if quote := _QUOTE.match(self.text, self.at):
            return self._string(quote)
        key = _KEY.match(self.text, self.at) or _NUMBER.match(self.text, self.at)
        if key is None or depth > _MAX_DEPTH:
            raise Unreadable(f"a key is expected at {self._here()}")
        self.at = key.end()
        self.repairs.append("a key without quotes")
        return _plain(key[0])

    def _separator(self) -> None:
        self._space()
        found = re.compile(r"=>|[:=：]").match(self.text, self.at)
        if found is None:
            raise Unreadable(f"':' is expected at {self._here()}")
        self.at = found.end()

    def _list(self, closing: str, depth: int) -> list[Any]:
        self.at += 1
        self._parentheses += closing == ")"
        found: list[Any] = []
        while not self._closed(closing, bool(found)):
            found.append(self.value(depth + 1))
            self._comma(closing)
        self._parentheses -= closing == ")"
        return found

    def _closed(self, closing: str, filled: bool) -> bool:
        """Say whether the container ends here. At the end of the text it may, behind a complete value."""
        self._space()
        here = self.text[self.at : self.at + 1]
        if here and here == closing:
            self.at += 1
            return True
        if here and here in "}])"[: 3 if self._parentheses else 2] and filled:
            self.repairs.append("a bracket that closes another kind")
            return True
        ends = not here or bool(filled and _ENDED.match(self.text, self.at))
        if ends and closing and not (filled and self._complete()):
            raise Unreadable("it is cut off")
        if ends and closing:
            self.repairs.append("a bracket was not closed")
        return ends

    def _complete(self) -> bool:
        return not self.text[: self.at].rstrip().endswith((",", ":", "="))

    def _comma(self, closing: str) -> None:
        before = self.at
        self._space()
        here = self.text[self.at : self.at + 1]
        if here and here in ",;，":
            self.at += 1
            self._space()
            while self.text[self.at : self.at + 1] == ",":
                self.at += 1
                self._space()
                self.repairs.append("a comma too many")
            if self.text[self.at : self.at + 1] == closing:
                self.repairs.append("a comma too many")
        elif here and here not in "}])" and not _ENDED.match(self.text, self.at):
            if self.at == before and not self.text[before - 1 : before].isspace():
                raise Unreadable(f"',' or '{closing}' is expected at {self._here()}")
            self.repairs.append("a comma was missing")

    def _string(self, opening: re.Match[str]) -> str:
        close = {"“": "”", "‘": "’"}.get(opening[2], opening[2])
        raw = "r" in (opening[1] or "").lower()
        stop = re.compile(rf"{re.escape(close)}|\\")
        if close != '"':
            self.repairs.append("quotes that are not JSON's")
        at, parts, repaired = opening.end(), [], len(self.repairs)
        while found := stop.search(self.text, at):
            parts.append(self.text[at : found.start()])
            at = found.end()
            if found[0] == "\\" and close != '\\"':
                piece, at = ("\\" + self.text[at : at + 1], at + 1) if raw else self._escape(at)
                parts.append(piece)
            elif len(close) == 3 or self._ends_string(at):
                self.at, written = at, self.text[opening.end() : found.start()]
                is_path = "a backslash that escapes nothing" in self.repairs[repaired:] and _PATH.match(written)
                return written if is_path else "".join(parts)
            else:
                parts.append(found[0])
                self.repairs.append("a quote inside a string")
        raise Unreadable("a string is not closed")

    def _ends_string(self, at: int) -> bool:
        return bool(_AFTER_STRING.match(self.text, at) or (self._parentheses and _AFTER_IN_CALL.match(self.text, at)))

    def _escape(self, at: int) -> tuple[str, int]:
        char = self.text[at : at + 1]
        if char in _ESCAPES and char:
            return _ESCAPES[char], at + 1
        if char == "u" and re.compile(r"[0-9a-fA-F]{4}").match(self.text, at + 1):
            return chr(int(self.text[at + 1 : at + 5], 16)), at + 5
        if char == "_":
            self.repairs.append("an escaped underscore")
            return "_", at + 1
        if char == "\n":
            return "", at + 1
        self.repairs.append("a backslash that escapes nothing")
        return "\\" + char, at + 1

    def _number(self, found: re.Match[str]) -> int | float:
        self.at = found.end()
        if found[0][0] in "$€£¥":
            self.repairs.append("a currency sign before a number")
        digits = found[1].replace("_", "")
        try:
            return int(digits) if re.fullmatch(r"[+-]?\d{1,300}", digits) else float(digits)
        except ValueError as error:
            raise Unreadable(str(error)) from error

    def _word(self, depth: int) -> Any:
        call = _CALL.match(self.text, self.at)
        if call:
            return self._constructed(call, depth)
        found = _BARE.match(self.text, self.at)
        word = found[0].strip() if found else ""
        if found is None or not word:
            raise Unreadable(f"a value is expected at {self._here()}")
        self.at = found.end()
        if word.lower() in _WORDS:
            if word not in ("true", "false", "null"):
                self.repairs.append(f"{word} for JSON's word")
            return _WORDS[word.lower()]
        self.repairs.append("a string without quotes")
        return _plain(word.lstrip("$") if re.fullmatch(r"\$[\d.]+", word) else word)

    def _constructed(self, call: re.Match[str], depth: int) -> Any:
        """Read `Name({...})`, the printed form of an object; a call that would have to be run first is no value."""
        if not (call[1][:1].isupper() or call[1] in _CONSTRUCTORS):
            raise Unreadable(f"{call[1]}(...) would have to be run first; write its value")
        self.at = call.end()
        positional, named = self.arguments(")", depth + 1)
        self.repairs.append(f"a value wrapped in {call[1]}(...)")
        inner: Any = positional if positional else named
        if len(positional) == 1 and not named:
            inner = positional[0]
        return dict(inner) if isinstance(inner, list) and all(_is_pair(item) for item in inner) else inner

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _here(self) -> str:
        return repr(self.text[self.at : self.at + 20]) if self.at < len(self.text) else "the end"


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2 and isinstance(item[0], str)


def _plain(word: str) -> str:
    return word.replace("\\_", "_").strip()
