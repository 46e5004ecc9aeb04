"""A stdio MCP server that books meeting rooms; it keeps the bookings in `bookings.json` of the folder it runs in."""

import json
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("rooms")

_FILE = Path("bookings.json")
_SEATS = {"Aspen": 6, "Birch": 14, "Cedar": 22}


@server.tool()
def rooms() -> str:
    """List the meeting rooms with their number of seats."""
    return "\n".join(f"{name}: {seats} seats" for name, seats in _SEATS.items())


@server.tool()
def book_room(room: str, day: str, hour: int) -> str:
    """Book a meeting room for one hour on a weekday; hour is 8 to 18. Returns the booking code."""
    if room not in _SEATS:
        return f"There is no room {room}; the rooms are {', '.join(_SEATS)}."
    bookings = json.loads(_FILE.read_text()) if _FILE.exists() else []
    bookings.append({"room": room, "day": day, "hour": hour})
    _FILE.write_text(json.dumps(bookings))
    return f"Booked, code {room[:2].upper()}{731 + 8 * len(bookings)}."


if __name__ == "__main__":
    server.run()
