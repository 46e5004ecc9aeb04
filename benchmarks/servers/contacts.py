"""A stdio MCP server of an address book."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("contacts")

_PEOPLE = {
    "P21": ("Ingrid Sole", "ingrid@sole.example", "555-0107", "Bergen"),
    "P22": ("Marek Nowak", "marek@nowak.example", "555-0118", "Gdansk"),
    "P23": ("Ines Prado", "ines@prado.example", "555-0131", "Porto"),
}


@server.tool()
def search_contacts(name: str) -> str:
    """Search the address book for people by a part of their name; returns contact ids and names."""
    found = [f"{code}: {person[0]}" for code, person in _PEOPLE.items() if name.casefold() in person[0].casefold()]
    return "\n".join(found) or "Nobody matches."


@server.tool()
def contact_details(contact_id: str) -> str:
    """Show e-mail, phone and city of a contact id."""
    if contact_id not in _PEOPLE:
        return f"There is no contact {contact_id}; search_contacts tells the ids."
    name, mail, phone, city = _PEOPLE[contact_id]
    return f"{name}, e-mail {mail}, phone {phone}, lives in {city}"


if __name__ == "__main__":
    server.run()
