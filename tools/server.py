import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

_EXAMPLE = """example:
  a2ia-tools --workspace ~/project                     for a client that starts the server itself
  a2ia-tools --workspace ~/project --transport http    for clients that connect to http://127.0.0.1:8321/mcp
"""


def build_server(workspace: Path) -> "MCPServer":
    """Give the MCP server whose tools work in the folder `workspace`; nothing runs until a client connects.

    Raises:
        ToolFailure: `workspace` is not a folder.
    """
    from tools.registry import ToolServer  # mcp and pydantic load slowly, and --help needs neither
    from tools.workspace import Workspace

    return ToolServer(Workspace(workspace))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program `a2ia-tools` and give its exit code: 0, 2 for bad usage, 130 when interrupted."""
    options = _parser().parse_args(argv)
    from tools.errors import ToolFailure
    from tools.serve import serve_http, serve_stdio

    try:
        server = build_server(options.workspace)
        if options.transport == "http":
            serve_http(server, options.port)
        else:
            serve_stdio(server)
    except ToolFailure as failure:
        sys.stderr.write(f"{failure}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="a2ia-tools",
        description="An MCP server with tools for one folder: files, search, git and a shell.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workspace", type=Path, default=Path(), metavar="DIR", help="the folder (default: this one)")
    parser.add_argument("--transport", choices=("stdio", "http"), default="stdio", help="default: stdio")
    parser.add_argument("--port", type=_port, default=8321, metavar="N", help="for http (default: 8321; 0: a free one)")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: give a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
