"""A stdio MCP server of an evening school; it keeps who signed up in `enrolled.json` of the folder it runs in."""

import json
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("classes")

_FILE = Path("enrolled.json")
_CLASSES = {"C1": ("pottery", 12, 12), "C2": ("first aid", 16, 16), "C3": ("upholstery", 7, 9), "C4": ("tango", 20, 20)}


@server.tool()
def list_classes() -> str:
    """List the evening classes: code, subject, and how many of the places are taken."""
    return "\n".join(f"{code}: {name}, {taken} of {places} taken" for code, (name, taken, places) in _CLASSES.items())


@server.tool()
def enrol(class_code: str, person: str) -> str:
    """Sign a person up for a class code."""
    if class_code not in _CLASSES:
        return f"There is no class {class_code}; list_classes tells the codes."
    name, taken, places = _CLASSES[class_code]
    if taken == places:
        return f"The class {name} is full."
    enrolled = json.loads(_FILE.read_text()) if _FILE.exists() else []
    _FILE.write_text(json.dumps([*enrolled, {"class": class_code, "person": person}]))
    return f"{person} is signed up for {name}."


if __name__ == "__main__":
    server.run()
