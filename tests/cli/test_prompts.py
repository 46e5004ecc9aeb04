"""What may be given to `-p`."""

import pytest

from tests.cli.conftest import Cli
from tests.cli.support import Place


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t\n", "-"])
def test_a_prompt_without_a_word_is_refused(cli: Cli, prompt: str) -> None:
    done = cli("-p", prompt, "--output", "json")
    result = done.result()
    assert (done.code, result["error"]["message"]) == (2, "The prompt is empty.")
    assert "a2ia-cli -p" in result["error"]["hint"]
    assert cli("-p", prompt).out == ""


@pytest.mark.parametrize("prompt", ["a\x00b", "lone \udcff \ud800", "x" * 1_000_000, "-1", "--help me", "[red]"])
def test_any_other_prompt_is_answered(cli: Cli, prompt: str) -> None:
    done = cli("-p", prompt, "--output", "json")
    assert (done.code, done.result()["answer"]) == (0, "Hello.")


def test_a_prompt_that_begins_like_an_option_is_taken_with_an_equals_sign(cli: Cli) -> None:
    assert cli("--print=--yes", "--output", "json").result()["answer"] == "Hello."


def test_a_prompt_longer_than_the_window_says_so(cli: Cli, place: Place) -> None:
    place.say({"fails": "overflow"})
    done = cli("-p", "x" * 200_000)
    assert (done.code, done.out) == (5, "")
    assert "no longer fits the model's window" in done.err
