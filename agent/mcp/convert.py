"""An MCP tool as a LangChain tool: valid unique name, JSON schema, and one way to say that a call failed."""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from mcp_types import Tool

from agent.mcp.arguments import ArgumentCheck
from agent.mcp.config import ServerSpec

_MAX_NAME = 64


@dataclass(frozen=True)
class Outcome:
    """What became of one call: the text for the model, and a warning where the user should hear of it too."""

    text: str
    error: bool = False
    truncated: bool = False
    warning: str | None = None
    refused: bool = False
    """Whether the arguments did not fit, so that nothing was run."""

    @property
    def artifact(self) -> dict[str, Any]:
        """The part that the model does not see."""
        mark = {"format_error": True} if self.refused else {}
        return {"truncated": self.truncated, "warning": self.warning, **mark}


Caller = Callable[[dict[str, Any]], Awaitable[Outcome]]


class McpTool(StructuredTool):
    """A tool whose `coroutine` takes all arguments as one dict, and whose failures keep their artifact.

    LangChain passes arguments as keywords, so that an MCP argument named `self` crashes and one named `config` or
    `run_manager` vanishes; and a ToolException loses the artifact.
    """

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (tool_input, tool_call_id), {}

    async def _arun(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        arguments, tool_call_id = args
        if self.coroutine is None:
            raise NotImplementedError("an McpTool needs its coroutine")
        outcome: Outcome = await self.coroutine(arguments)
        if outcome.error and tool_call_id is None:
            raise ToolException(outcome.text)
        if outcome.error:
            message = ToolMessage(
                outcome.text, name=self.name, tool_call_id=tool_call_id, status="error", artifact=outcome.artifact
            )
            return message, outcome.artifact
        return outcome.text, outcome.artifact


def to_langchain(spec: ServerSpec, tool: Tool, name: str, check: ArgumentCheck, call: Caller) -> McpTool:
    """Wrap one tool; the server's annotations stay hints, which `agent.policy` judges by `builtin`."""
    return McpTool(
        name=name,
        description=tool.description or tool.title or "",
        args_schema=check.schema,
        coroutine=call,
        response_format="content_and_artifact",
        handle_tool_error=True,
        metadata=_metadata(spec, tool),
    )


def _metadata(spec: ServerSpec, tool: Tool) -> dict[str, Any]:
    hints = tool.annotations
    read_only = bool(hints and hints.read_only_hint)
    destructive = hints.destructive_hint if hints else None
    return {
        "server": spec.name,
        "mcp_name": tool.name,
        "read_only": read_only,
        "idempotent": bool(hints and hints.idempotent_hint),
        "open_world": bool(hints and hints.open_world_hint),
        # The protocol's default: what is not read-only is destructive until it says otherwise.
        "destructive": not read_only and destructive is not False,
        "builtin": spec.builtin,
    }


def unique_names(tools: Sequence[tuple[ServerSpec, Tool]]) -> list[str]:
    """Give every tool a name that a model server accepts; where two meet, all but our own get the server's prefix."""
    plain = [valid_name(tool.name) for _, tool in tools]
    taken: set[str] = set()
    names = []
    for (spec, tool), name in zip(tools, plain, strict=True):
        collides = plain.count(name) > 1 and not spec.builtin
        names.append(_free(valid_name(f"{spec.name}_{tool.name}") if collides else name, taken))
    return names


def valid_name(name: str) -> str:
    """Make a name fit `[A-Za-z0-9_-]{1,64}`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:_MAX_NAME] or "tool"


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[: _MAX_NAME - 1 - len(str(number))]}_{number}"
    taken.add(free)
    return free


def unknown_tool(name: str, tools: Iterable[BaseTool]) -> str:
    """Say to the model that it called a tool that does not exist, and what it may have meant."""
    known = [tool.name for tool in tools]
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"There is no tool {name!r}{meant} The tools are: {', '.join(known) or 'none'}."
