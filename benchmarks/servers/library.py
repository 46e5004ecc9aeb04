"""A stdio MCP server of a public library; it keeps the holds in `holds.json` of the folder it runs in."""

import json
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("library")

_FILE = Path("holds.json")
_BOOKS = {"B118": "Orchards of the North", "B207": "The Glass Orchard", "B340": "Glass and Light"}


@server.tool()
def find_book(title: str) -> str:
    """Find books by a part of their title; returns book codes and titles."""
    found = [f"{code}: {name}" for code, name in _BOOKS.items() if title.casefold() in name.casefold()]
    return "\n".join(found) or "No book matches."


@server.tool()
def reserve_book(book_code: str, card_number: int) -> str:
    """Reserve a book code for a library card; returns the shelf where it waits."""
    if book_code not in _BOOKS:
        return f"There is no book code {book_code}; find_book tells the codes."
    holds = json.loads(_FILE.read_text()) if _FILE.exists() else []
    holds.append({"book": book_code, "card": card_number})
    _FILE.write_text(json.dumps(holds))
    return f"Reserved: {_BOOKS[book_code]} waits on shelf {60 + 4 * len(holds)}."


if __name__ == "__main__":
    server.run()
