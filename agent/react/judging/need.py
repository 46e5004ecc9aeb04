"""The question whether running a program is a needed step towards what a user asks for."""

from collections.abc import Mapping
from typing import Any

from agent.react.examples import both_ends, one_line

_REQUEST_CHARS = 600
_DESCRIPTION_CHARS = 300

SYSTEM = "You check whether a program has to be run for what a user asks. Reply with one word, yes or no."

HINT = "No tool does this. Answer from what you know; if it cannot be done or known without a tool, say so."
"""What the model is told in place of a call that is not needed; it stands in no thread."""


def question(request: str, tool: Mapping[str, Any]) -> str:
    """Return the question for a request and a tool (an OpenAI function spec)."""
    does = one_line(str(tool.get("description") or tool["name"]))[:_DESCRIPTION_CHARS]
    return _question(both_ends(request, _REQUEST_CHARS), does)


def _question(request: str, program: str) -> str:
    return (
        f"The user asks: {request}\nThe program: {program}\n"
        "Is running this program a needed step towards exactly what the user asks for?"
    )


WORKED = [
    (_question("Will it rain in Lisbon tomorrow?", "Get the weather forecast of a city."), "yes"),
    (_question("Will it rain in Lisbon tomorrow?", "Get the current time in a city."), "no"),
    (_question("Tell Anna's manager that the report is done.", "Find the manager of a person."), "yes"),
    (_question("What is the capital of Peru?", "List the files in a folder."), "no"),
    (_question("Cancel my flight to Rome.", "Search for the cheapest flight between two cities."), "no"),
    (_question("Correct the spelling of Bern in the notes of our trip.", "Find text in the files of a folder."), "yes"),
    (_question("How long is 20 miles in kilometres?", "Convert a length from one unit to another."), "yes"),
    (_question("What does it mean that a number is prime?", "Check whether a number is prime."), "no"),
]
"""Questions with their replies: two near misses, two steps of longer work, two that need no program."""
