"""A stdio MCP server of the functions of one BFCL multi-turn case, run by BFCL's own Python classes.

    python -m benchmarks.servers.bfcl_classes CASE LOG

Each call that it runs goes to the file LOG, in Python, as one line of JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent

from benchmarks.bfcl_data import mcp_tools
from benchmarks.bfcl_turns import TurnsCase, call_text, the_case


def class_server(case: TurnsCase, log: Path) -> Server[Any]:
    """Return the server; its classes keep their state for as long as the process lives."""

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=mcp_tools(case.functions()))

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        try:
            call = call_text(params.name, params.arguments or {})
        except ValueError as error:
            return _result(f"Error during execution: {error}")
        with log.open("a", encoding="utf-8") as out:
            out.write(json.dumps(call) + "\n")
        return _result(case.execute(call, "server"))

    return Server("bfcl", on_list_tools=list_tools, on_call_tool=call_tool)


def _result(text: str) -> CallToolResult:
    failed = text.startswith(("Error during execution:", '{"error":'))
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=failed)


async def _serve(server: Server[Any]) -> None:
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_serve, class_server(the_case(sys.argv[1]), Path(sys.argv[2])))
