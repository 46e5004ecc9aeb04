"""A stdio MCP server of a town's buses: its stops and when a line leaves next."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("buses")

_STOPS = {"HB2": "Harbour Square", "MU7": "Museum", "ST1": "Central Station", "HH4": "Harbour Hospital"}
_NEXT = {("HB2", 9): "14:52", ("HB2", 4): "14:37", ("HH4", 9): "15:06", ("MU7", 4): "14:41", ("ST1", 9): "14:25"}


@server.tool()
def find_stop(name: str) -> str:
    """Find bus stops by a part of their name; returns stop codes and names."""
    found = [f"{code}: {stop}" for code, stop in _STOPS.items() if name.casefold() in stop.casefold()]
    return "\n".join(found) or "No stop matches."


@server.tool()
def next_bus(stop_code: str, line: int) -> str:
    """Tell when the next bus of a line leaves from a stop code."""
    if stop_code not in _STOPS:
        return f"There is no stop code {stop_code}; find_stop tells the codes."
    return _NEXT.get((stop_code, line), f"Line {line} does not stop there.")


if __name__ == "__main__":
    server.run()
