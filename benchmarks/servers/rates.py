"""A stdio MCP server of a bureau de change with rates of its own."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("rates")

_PER_EURO = {"EUR": 1.0, "USD": 1.31, "CHF": 0.88, "SEK": 12.5, "JPY": 171.0}


@server.tool()
def list_currencies() -> list[str]:
    """List the codes of the currencies on offer."""
    return list(_PER_EURO)


@server.tool()
def convert_currency(amount: float, source: str, target: str) -> str:
    """Convert an amount of money between two currency codes at today's rate of the bureau."""
    unknown = [code for code in (source, target) if code not in _PER_EURO]
    if unknown:
        return f"Unknown currency {unknown[0]}; on offer: {', '.join(_PER_EURO)}."
    return f"{amount / _PER_EURO[source] * _PER_EURO[target]:.2f} {target}"


if __name__ == "__main__":
    server.run()
