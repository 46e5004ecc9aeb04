import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio.to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations

from tools.arguments import checked, input_schema
from tools.errors import ToolFailure
from tools.files import Files
from tools.git import Git
from tools.search import Search
from tools.shell import Shell
from tools.text import encodable, shown
from tools.workspace import Workspace

_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_REPLACES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
_CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
_ANYTHING = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
_INSTRUCTIONS = "Tools for the files, the git repository and the shell of one workspace folder; paths start from it."

Function = Callable[..., Any]


class ToolServer(MCPServer[Any]):
    """The MCP server: takes calls, checks their arguments, and turns a refusal into an error result of one sentence."""

    def __init__(self, workspace: Workspace) -> None:
        self._functions = {function.__name__: function for function, _ in _table(workspace)}
        with _logging_left_alone():
            super().__init__(
                "a2ia-tools",
                instructions=_INSTRUCTIONS,
                tools=[_tool(function, annotations) for function, annotations in _table(workspace)],
                log_level="WARNING",
            )

    async def call_tool(self, name: str, arguments: dict[str, Any], context: object = None) -> CallToolResult:
        """Run a tool; whatever is wrong with the call comes out as an error result, never as an exception."""
        try:
            if name not in self._functions:
                raise ToolFailure(f"There is no tool '{shown(name, 60)}': use {', '.join(self._functions)}.")
            function = self._functions[name]
            return _result(await _run(function, checked(function, name, arguments)))
        except ToolFailure as failure:
            return _result(str(failure), is_error=True)
        except (OSError, MemoryError, RecursionError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            return _result(f"{name} could not be done ({reason}): try something else.", is_error=True)


def _table(workspace: Workspace) -> list[tuple[Function, ToolAnnotations]]:
    files, git = Files(workspace), Git(workspace)
    return [
        (files.list_directory, _READS),
        (files.read_file, _READS),
        (files.write_file, _REPLACES),
        (files.edit_file, _CHANGES),
        (Search(workspace).search_text, _READS),
        (git.git_status, _READS),
        (git.git_diff, _READS),
        (git.git_log, _READS),
        (git.git_commit, _ADDS),
        (Shell(workspace).execute_command, _ANYTHING),
    ]


def _tool(function: Function, annotations: ToolAnnotations) -> Tool:
    """Describe a tool: its first docstring line and a schema as small as it can be, as both go into prompts."""
    description = (function.__doc__ or "").partition("\n")[0]
    tool = Tool.from_function(function, description=description, annotations=annotations, structured_output=False)
    return tool.model_copy(update={"parameters": input_schema(function)})


async def _run(function: Function, arguments: dict[str, Any]) -> str:
    """Call a tool; one that is not async runs in a thread, where it ends by itself in bounded time."""
    call = functools.partial(function, **arguments)
    result: str = await (call() if inspect.iscoroutinefunction(function) else anyio.to_thread.run_sync(call))
    return result


def _result(text: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=encodable(text))], is_error=is_error)


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """Undo what MCPServer() does to the process's logging, which belongs to the program that we run in."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
