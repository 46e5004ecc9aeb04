"""What a request tells of a call: words that it shares with the tool, values that stand in it."""

from typing import Any

import pytest

from agent.react.told import MOST_SHARED, evidence, is_made_up, shared_words


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


def test_a_request_in_another_language_says_nothing_against_a_tool() -> None:
    weather = {"name": "get_weather", "description": "Get the weather of a city."}
    german, english, about = "Wie ist das Wetter in Bern?", "How is it in Bern?", "How is the weather in Bern?"
    assert evidence(german, weather) == evidence(about, weather) > evidence(english, weather) == 0


def test_what_a_tool_says_of_its_arguments_tells_for_it_too() -> None:
    units = {"description": "In which unit.", "enum": ["celsius", "fahrenheit"]}
    tool = {"name": "look", "description": "Look outside.", "parameters": {"properties": {"unit": units, "wind": True}}}
    assert evidence("How warm is it in celsius?", tool) == 0.5
    assert evidence("How warm is it in which unit, in celsius or fahrenheit?", tool) == 1
    assert evidence("How warm is it outside?", tool) == 1
    assert evidence("How warm is it?", tool) == 0


@pytest.mark.parametrize(
    ("request_", "value", "made_up"),
    [
        ("a loan of $5,000", 5000, False),
        ("at 5% a year", 0.05, False),
        ("three of them", 3, False),
        ("2.5 million people", 2_500_000, False),
        ("below -3 degrees", -3, False),
        ("some of them", 7, True),
        ("some of them", True, False),
        ("some of them", None, False),
        ("the Apples of Anna", "apple", False),
        ("the apples", "pear", True),
        ("the apples", "", False),
        ("tomorrow", "2026-11-27", False),
        ("some euros", "EUR", False),
        ("room 12", "R-12", False),
        ("a room", "R-12", True),
        ("How many customers?", "SELECT count(*) FROM a WHERE b = c", False),
        ("the numbers 4 and 5", [4, 5], False),
        ("a dozen squared", "12²", True),
        ("of [22,333,42]", 42, False),
        ("the numbers", [4, 5], True),
        ("the numbers", [[], [True]], False),
        ("from Bern", {"from": "Bern", "to": "Rome"}, False),
        ("from Bern", {"to": "Rome"}, True),
    ],
)
def test_a_call_is_made_up_where_the_request_tells_nothing_of_its_values(
    request_: str, value: Any, made_up: bool
) -> None:
    tool = {"name": "do", "parameters": {"properties": {"it": True}, "required": ["it"]}}
    assert is_made_up(request_, tool, {"it": value}) is made_up


@pytest.mark.parametrize("schema", [{"default": 7}, {"enum": [7, 8]}])
def test_defaults_and_given_values_need_not_be_told(schema: dict[str, Any]) -> None:
    tool = {"name": "do", "parameters": {"properties": {"it": schema}, "required": ["it"]}}
    assert not is_made_up("some of them", tool, {"it": 7})


def test_one_value_that_is_told_is_enough_and_optional_ones_do_not_count() -> None:
    tool = {"name": "do", "parameters": {"properties": {"a": {}, "b": {}, "c": {}}, "required": ["a", "b"]}}
    assert not is_made_up("with 1", tool, {"a": 1, "b": 2})
    assert not is_made_up("some", tool, {"c": 1})
    assert is_made_up("with 3", tool, {"a": 1, "b": 2, "c": 3})
    assert not is_made_up("some", {"name": "do"}, {"a": 1})
