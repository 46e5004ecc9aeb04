"""Answers that are longer than the screen, at a real terminal."""

import pytest

from tests.cli.support import Place
from tests.cli.terminal import CTRL_C, Terminal

pytestmark = pytest.mark.timeout(300)  # each starts programs, on whatever machine

CODE = "\n\n".join(f"value_{number} = {number}" for number in range(20))
DOCUMENTED = f'def f():\n    """Doc,\n\n    more."""\n\n\n{CODE}\nlong = "{"x" * 150}"'
ANSWERS = {
    "code": f"Two:\n\n```python\n{DOCUMENTED}\n```\nand\n```\nb\n```\n\nEND",
    "items": "\n".join(["Items:", *(f"- item {number}\n  - below it\n\n    more" for number in range(20)), "", "END"]),
    "long code": "\n".join(["```python", *(f"x{n} = {n}" + "\n" * (n % 3 == 0) for n in range(64)), "```", "", "END"]),
    "steps": "\n".join([*(f"{n}. step\n   ```\n   run {n}\n   ```" for n in range(1, 7)), "1. one\n1. two", "", "END"]),
}


def shown(place: Place, answer: str, piece: int) -> list[str]:
    """Return the rows, without empty ones, of an answer that ends in `END` and came in pieces of so many characters."""
    place.say({"answer": answer}, piece=piece)
    with Terminal(place, columns=60, rows=14) as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect("\nEND")
        terminal.expect("window 15/8192")
        rows = [row for row in terminal.text.split("\n") if row]
        return rows[rows.index("> hi") : rows.index("END")]


def test_code_can_be_read_from_its_first_line_while_it_still_comes(place: Place) -> None:
    place.say({"answer": f"Here:\n\n```python\n{CODE}\n```\n", "waits": True}, piece=300)
    with Terminal(place, rows=14) as terminal:
        terminal.ready()
        terminal.enter("hi")
        terminal.expect(" value_15 = 15\n")
        terminal.expect("Ctrl-C stops")
        rows = terminal.text.split("\n")
        first, last = rows.index(" value_0 = 0"), rows.index(" value_15 = 15")
        assert "\n".join(rows[first : last + 1]) == "\n\n".join(f" value_{number} = {number}" for number in range(16))
        terminal.type(CTRL_C)
        terminal.expect("stopped; the conversation goes on")
        assert terminal.text.count(" value_15 =") == 1


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_looks_the_same_whether_it_came_at_once_or_bit_by_bit(place: Place, answer: str) -> None:
    assert shown(place, answer, piece=5) == shown(place, answer, piece=100_000)
