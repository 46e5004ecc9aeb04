"""A stdio MCP server of a parcel service: where a parcel is, and on which day it comes."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("parcels")

_PARCELS = {
    "RX40718": ("sorting centre Leuven", "Friday"),
    "RX40781": ("depot Arnhem", "Tuesday"),
    "RX41708": ("on the van in Namur", "today"),
}


@server.tool()
def locate_parcel(number: str) -> str:
    """Tell where the parcel with this tracking number is now."""
    return _PARCELS[number][0] if number in _PARCELS else f"There is no parcel {number}."


@server.tool()
def delivery_day(number: str) -> str:
    """Tell on which day the parcel with this tracking number is delivered."""
    return _PARCELS[number][1] if number in _PARCELS else f"There is no parcel {number}."


if __name__ == "__main__":
    server.run()
