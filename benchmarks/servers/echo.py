"""A stdio MCP server with one tool that returns its argument."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("echo")


@server.tool()
def echo(text: str) -> str:
    """Return text."""
    return text


if __name__ == "__main__":
    server.run()
