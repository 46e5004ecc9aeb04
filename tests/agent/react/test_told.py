"""What a request tells of a call: words that it shares with the tool, values that stand in it."""

from typing import Any

import pytest

from agent.react.told import MOST_SHARED, MOST_UNTOLD, shared_words, untold_values


@pytest.mark.parametrize(
    ("request_", "name", "description", "shared"),
    [
        ("Will it rain in Lisbon?", "get_weather", "Get the weather of a city.", 0),
        ("How is the weather in Lisbon?", "get_weather", "Get the weather of a city.", 1),
        ("Triangles: compute the area.", "calcTriangleArea", "", 2),
        ("Find the user that you use.", "find_user", "Find which user does this.", 0),
        ("the quick brown fox jumps", "quick_brown_fox", "jumps", MOST_SHARED),
        ("Zeige das Wetter", "get_weather", "Get the weather of a city.", 0),
        ("", "", "", 0),
    ],
)
def test_words_that_say_what_a_tool_is_about_are_shared_in_any_form(
    request_: str, name: str, description: str, shared: int
) -> None:
    assert shared_words(request_, {"name": name, "description": description}) == shared


@pytest.mark.parametrize(
    ("request_", "value", "schema", "told"),
    [
        ("a loan of $5,000", 5000, {}, True),
        ("at 5% a year", 0.05, {}, True),
        ("three of them", 3, {}, True),
        ("2.5 million people", 2_500_000, {}, True),
        ("below -3 degrees", -3, {}, True),
        ("some of them", 7, {}, False),
        ("some of them", 7, {"default": 7}, True),
        ("some of them", 7, {"enum": [7, 8]}, True),
        ("some of them", True, {}, True),
        ("some of them", None, {}, True),
        ("the Apples of Anna", "apple", {}, True),
        ("the apples", "pear", {}, False),
        ("the apples", "", {}, False),
        ("tomorrow", "2026-11-27", {}, True),
        ("room 12", "R-12", {}, True),
        ("a room", "R-12", {}, False),
        ("How many customers?", "SELECT count(*) FROM a WHERE b = c", {}, True),
        ("the numbers 4 and 5", [4, 5], {}, True),
        ("the numbers", [4, 5], {}, False),
        ("the numbers", [], {}, True),
        ("from Bern", {"from": "Bern", "to": "Rome"}, {}, True),
        ("from Bern", {"to": "Rome"}, True, False),
    ],
)
def test_a_value_of_which_the_request_tells_nothing_is_counted(
    request_: str, value: Any, schema: Any, told: bool
) -> None:
    tool = {"name": "do", "parameters": {"properties": {"it": schema}, "required": ["it"]}}
    assert untold_values(request_, tool, {"it": value}) == (0 if told else 1)


def test_only_required_arguments_count_and_at_most_so_many() -> None:
    parameters = {"properties": {"a": {}, "b": {}, "c": {}, "d": {}}, "required": ["a", "b", "c"]}
    tool = {"name": "do", "parameters": parameters}
    assert untold_values("x", tool, {"d": 1}) == 0
    assert untold_values("x", tool, {"a": 1, "b": 2, "c": 3, "d": 4}) == MOST_UNTOLD
    assert untold_values("x", {"name": "do"}, {"a": 1}) == 0
