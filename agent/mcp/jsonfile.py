"""A JSON file read by hand: every mistake in it is a `ConfigError` with the file, the line and the dotted key."""

import json
import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from agent.errors import ConfigError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_MAX_SECONDS = 86_400.0
_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


class JsonFile:
    """The parsed document and typed access to it; `keys` are the path from the top to a value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = _read_text(path)
        self.top = self._parse()

    def error(self, problem: str, *keys: str, hint: str = "") -> ConfigError:
        """Point at the deepest key of the path that the file has."""
        lines = key_lines(self._text)
        line = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), 1)
        return ConfigError(self.path, problem, line=line, key=".".join(keys), hint=hint)

    def mapping(self, *keys: str) -> dict[str, Any]:
        """Return an object, empty where it is absent."""
        found: dict[str, Any] = self._typed(dict, *keys) or {}
        return found

    def flag(self, *keys: str) -> bool:
        """Return a boolean, False where it is absent."""
        return bool(self._typed(bool, *keys))

    def text(self, *keys: str) -> str:
        """Return a string with its variables expanded, empty where it is absent."""
        return self._expand(self._typed(str, *keys) or "", *keys)

    def texts(self, *keys: str) -> tuple[str, ...]:
        """Return a list of strings with their variables expanded."""
        return tuple(self._expand(item, *keys) for item in self._typed(list, *keys) or [])

    def text_map(self, *keys: str) -> dict[str, str]:
        """Return an object of strings with their variables expanded."""
        return {name: self._expand(value, *keys, name) for name, value in self.mapping(*keys).items()}

    def seconds(self, *keys: str) -> float | None:
        """Return a positive number of seconds, None where it is absent."""
        value = self._get(*keys)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MAX_SECONDS:
            raise self.error(
                f"must be a number of seconds between 0 and {_MAX_SECONDS:.0f}, not {_shown(value)}", *keys
            )
        return float(value)

    def _get(self, *keys: str) -> Any:
        value: Any = self.top
        for key in keys:
            value = value.get(key)
            if value is None:
                return None
        return value

    def _typed(self, kind: type, *keys: str) -> Any:
        value = self._get(*keys)
        if value is not None and not isinstance(value, kind):
            raise self.error(f"must be {_KINDS[kind]}, not {_shown(value)}", *keys)
        return value

    def _expand(self, value: Any, *keys: str) -> str:
        """Replace `${VAR}` and `${VAR:-default}`; as in a shell, an empty variable takes the default."""
        if not isinstance(value, str):
            raise self.error(f"must be a string, not {_shown(value)}", *keys)

        def replace(match: re.Match[str]) -> str:
            name, default = match[1], match[2]
            found = os.environ.get(name)
            if default is not None:
                return found or default
            if found is None:
                hint = f"Set {name}, or write ${{{name}:-default}}."
                raise self.error(f"uses the variable {name}, which is not set", *keys, hint=hint)
            return found

        return _VARIABLE.sub(replace, value)

    def _parse(self) -> dict[str, Any]:
        try:
            found = json.loads(self._text, object_pairs_hook=_unique)
        except json.JSONDecodeError as error:
            problem = f"is not valid JSON: {error.msg} (column {error.colno})"
            raise ConfigError(self.path, problem, line=error.lineno) from error
        except _DuplicateKeyError as error:
            raise ConfigError(
                self.path, "is given twice", line=_second(self._text, error.key), key=error.key
            ) from error
        except RecursionError as error:
            raise ConfigError(self.path, "is nested too deeply") from error
        if not isinstance(found, dict):
            raise ConfigError(self.path, f"must be a JSON object, not {_shown(found)}", line=1)
        return found


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Map the path of every object key in valid JSON to the line that it stands on."""
    lines: dict[tuple[str, ...], int] = {}
    inside: list[str] = []  # the document itself, which has no key, stands first
    key, key_line, line, seen = "", 1, 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", seen, token.start())
        seen = token.start()
        match token[0]:
            case "{" | "[":
                inside.append(key)
            case "}" | "]":
                inside.pop()
            case ":":
                lines.setdefault((*inside[1:], key), key_line)
            case ",":
                pass
            case string:
                key, key_line = json.loads(string), line
    return lines


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKeyError(key)
        found[key] = value
    return found


def _second(text: str, key: str) -> int | None:
    """Find the line of a key's second appearance."""
    found = [match.start() for match in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)]
    return text.count("\n", 0, found[1]) + 1 if len(found) > 1 else None


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(path, "is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror or error}") from error


def nearest(wrong: Mapping[str, Any], *right: str) -> str:
    """Name a key that may be a misspelling of one of the expected ones, as the end of a sentence."""
    for key in wrong:
        if key not in right and get_close_matches(key, right, n=1, cutoff=0.75):
            return f"; is {key!r} a misspelling?"
    return ""
