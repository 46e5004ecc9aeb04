"""The tools of a thread as the reader knows them: names that are meant, and what arguments each takes."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from agent.mcp.arguments import ArgumentCheck

READ_ONLY = "read_only"
"""Key beside `function` in a bound tool that says whether it changes nothing; without it a tool may."""

OVERWRITES = "overwrites"
"""Key beside it that says that a tool of A2IA's own replaces what stands in the workspace's files."""

SERVER = "server"
"""Key beside it that names the MCP server of a tool."""

_DECORATION = re.compile(r"^[\s`*_\"'<\[(#:>-]+|[\s`*\"'>\]):;.,!-]+$")
_PREFIX = re.compile(
    r"^(?:(?:use|call|run|invoke|using|the|tool|function|action|functions?|default_api|tools?)(?:[\s:.]+|$))+", re.I
)
_DENIAL = re.compile(r"\b(?:not?|cannot|never|without|instead|unable)\b|n't\b", re.I)
_MAX_NAME = 200
_AFFIX = re.compile(r"^(?:use|call)?(.*?)(?:tool|function)?$")


class Tool:
    """One tool: its name, its schema, and whether a call of it changes nothing."""

    def __init__(self, name: str, schema: Mapping[str, Any], read_only: bool) -> None:
        self.name = name
        self.read_only = read_only
        self._given = schema

    @cached_property
    def check(self) -> ArgumentCheck:
        """The check of arguments against the tool's schema."""
        return ArgumentCheck(self.name, self._given)

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The arguments that the tool takes, each with its schema."""
        found = self.check.schema.get("properties")
        return dict(found) if isinstance(found, Mapping) else {}

    @cached_property
    def required(self) -> set[str]:
        """The arguments that a call has to have."""
        return {name for name in self.check.schema.get("required") or () if name in self.properties}

    @property
    def only(self) -> str:
        """The argument that a lone value is meant for: the only one, or the only required one; else empty."""
        names = list(self.properties) if len(self.properties) == 1 else sorted(self.required)
        return names[0] if len(names) == 1 else ""

    def has_all(self, names: Iterable[str]) -> bool:
        """Say whether the schema names each of these arguments, or means to take any."""
        is_open = not self.properties or bool(self.check.schema.get("additionalProperties"))
        return is_open or set(names) <= self.properties.keys()


class Toolset:
    """The tools of a thread, found by the names that models give them."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.by_name = {tool.name: tool for tool in tools}
        self._folded = _index(tools, _folded)
        self._bare = _index(tools, _bare)
        self._last = _index(
            [tool for tool in tools if _last(tool.name) != tool.name], lambda name: _folded(_last(name))
        )

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def exact(self, name: str) -> Tool | None:
        """Return the tool of this very name; Markdown's escaped underscores count as such."""
        return self.by_name.get(name) or self.by_name.get(name.replace("\\_", "_"))

    def meant(self, name: str) -> Tool | None:
        """Return the one tool that `name` can mean apart from case, separators and words around it; None if several."""
        plain = _DECORATION.sub("", name[:_MAX_NAME].replace("\\_", "_")).removesuffix("(")
        if found := self.exact(name) or self.exact(plain):
            return found
        tries = [plain, _PREFIX.sub("", plain), _last(plain), plain.partition("(")[0]]
        for index, form in ((self._folded, _folded), (self._bare, _bare)):
            for attempt in tries:
                found = index.get(form(attempt))
                if found is not None:
                    return found
        return self._last.get(_folded(plain))

    def begins(self, sentence: str) -> Tool | None:
        """Return the one tool whose name begins `sentence`, an action that goes on in words."""
        words = _PREFIX.sub("", _DECORATION.sub("", sentence.replace("\\_", "_"))).split()
        found = [self._folded.get(_folded(" ".join(words[:size]))) for size in range(1, min(6, len(words)) + 1)]
        return next((tool for tool in reversed(found) if tool is not None), None)

    def within(self, sentence: str) -> Tool | None:
        """Return the one tool that `sentence` names, if its name is no word of a language: `I will use web_search`."""
        words = {word.strip("`*\"'.,:;()") for word in sentence.replace("\\_", "_").split()}
        found = [tool for name, tool in self.by_name.items() if name in words and not name.isalpha()]
        return found[0] if len(found) == 1 and not _DENIAL.search(sentence) else None

    def unknown(self, name: str) -> str:
        """Say to the model that there is no such tool, and which there are."""
        return f"There is no tool {name[:80]!r}. The tools are: {', '.join(self.by_name)}."


def toolset(tools: Sequence[Mapping[str, Any]]) -> Toolset:
    """Return the tools of a request in OpenAI form (`{"function": {"name", "parameters"}}`)."""
    return _cached(json.dumps([[tool["function"], bool(tool.get(READ_ONLY))] for tool in tools], sort_keys=False))


@lru_cache(maxsize=16)
def _cached(tools: str) -> Toolset:
    return Toolset([Tool(spec["name"], spec.get("parameters") or {}, only) for spec, only in json.loads(tools)])


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _last(name: str) -> str:
    """Return the last part of a name that says where its tool is from: `server__tool`, `module.tool`."""
    return re.split(r"[:/.]|__", name)[-1]


def _bare(name: str) -> str:
    found = _AFFIX.match(_folded(name))
    return found[1] if found else ""


def _index(tools: Sequence[Tool], form: Any) -> dict[str, Tool | None]:
    """Map each form of a name to its tool; to None where two tools share it."""
    found: dict[str, Tool | None] = {}
    for tool in tools:
        key = form(tool.name)
        found[key] = None if key in found else tool
    found.pop("", None)
    return found
