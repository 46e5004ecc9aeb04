"""A stdio MCP server of a weather service, as it looks from the sixth of May."""

from typing import Annotated, Literal

from mcp.server.mcpserver import MCPServer
from pydantic import Field

server = MCPServer("weather")

_DAYS = {"oslo": [(9, "rain"), (12, "clouds"), (14, "sun")], "lisbon": [(22, "sun"), (24, "sun"), (19, "storm")]}


@server.tool()
def get_forecast(
    city: str,
    day: Annotated[int, Field(description="days from today, 0 to 2")] = 0,
    unit: Literal["celsius", "fahrenheit"] = "celsius",
) -> str:
    """Get the forecast of a city: temperature and sky."""
    days = _DAYS.get(city.casefold())
    if days is None:
        return f"No weather station in {city}."
    if not 0 <= day < len(days):
        return f"day is {day}, but must be from 0 to {len(days) - 1}."
    degrees, sky = days[day]
    return f"{city}, in {day} days: {degrees if unit == 'celsius' else round(degrees * 1.8 + 32)} {unit}, {sky}"


if __name__ == "__main__":
    server.run()
