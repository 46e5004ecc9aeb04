"""A stdio MCP server of a home's lights; it keeps what was set in `lights.json` of the folder it runs in."""

import json
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("lights")

_FILE = Path("lights.json")
_LIGHTS = {"L11": "ceiling lamp, kitchen", "L14": "desk lamp, study", "L17": "desk lamp, attic"}


@server.tool()
def list_lights() -> str:
    """List the lights: code, kind and room."""
    return "\n".join(f"{code}: {place}" for code, place in _LIGHTS.items())


@server.tool()
def set_brightness(light: str, percent: int) -> str:
    """Set the brightness of a light code, 0 to 100 percent."""
    if light not in _LIGHTS:
        return f"There is no light {light}; list_lights tells the codes."
    if not 0 <= percent <= 100:
        return f"percent is {percent}, but must be from 0 to 100."
    kept = json.loads(_FILE.read_text()) if _FILE.exists() else {}
    _FILE.write_text(json.dumps(kept | {light: percent}))
    return f"{_LIGHTS[light]}: {percent} percent."


if __name__ == "__main__":
    server.run()
