"""A stdio MCP server of a small warehouse: what is in stock, and what it costs."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("inventory")

_STOCK = {
    "AX-200": ("garden hose 20 m", 46, 18.40),
    "BT-115": ("cordless drill", 7, 89.90),
    "CL-330": ("paint roller", 212, 4.75),
    "DW-018": ("step ladder", 13, 54.20),
}


@server.tool()
def find_product(text: str) -> str:
    """Find products by a word in their name; returns article numbers and names."""
    found = [f"{number}: {name}" for number, (name, _, _) in _STOCK.items() if text.casefold() in name]
    return "\n".join(found) or "No product matches."


@server.tool()
def stock_level(article: str) -> str:
    """Tell how many pieces of an article number are in stock."""
    return f"{_STOCK[article][1]} pieces" if article in _STOCK else f"There is no article {article}."


@server.tool()
def unit_price(article: str) -> str:
    """Tell the price of an article number in euros."""
    return f"{_STOCK[article][2]:.2f} EUR" if article in _STOCK else f"There is no article {article}."


if __name__ == "__main__":
    server.run()
