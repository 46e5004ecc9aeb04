"""How many texts of a corpus of real model outputs the reader reads as they were meant: `RIGHT/TOTAL` in the last line.

`python -m benchmarks.react_corpus FILE`: FILE has one JSON object a line, in the form that `tests/data` describes
(`id`, `family`, `text`, `tools`, `expected`, and `note` where another reading is open).
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.react.parser import Answer, Call, Malformed, Step, parse

Row = dict[str, Any]

_TYPES = {"float": "number", "double": "number", "int": "integer", "dict": "object", "list": "array", "bool": "boolean"}


def main(arguments: list[str]) -> int:
    """Score the file, list each miss, print the families and the sum."""
    if len(arguments) != 1:
        print("usage: python -m benchmarks.react_corpus FILE", file=sys.stderr)
        return 2
    rows = list(read(Path(arguments[0])))
    right: Counter[str] = Counter()
    for row in rows:
        step = parse(row["text"], tools_of(row))
        if is_right(row, step):
            right[row["family"]] += 1
        else:
            print(f"{row['id']} {row['family']}: expected {_short(row['expected'])}, read {shown(step)}")
    total = Counter(row["family"] for row in rows)
    for family, count in sorted(total.items()):
        print(f"  {family:24} {right[family]}/{count}")
    print(f"{right.total()}/{total.total()}")
    return 0


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a corpus file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def tools_of(row: Row) -> list[dict[str, Any]]:
    """Return the row's tools in OpenAI form. The corpus does not say what is required, nor what a tool changes."""
    return [
        {
            "function": {
                "name": tool["name"],
                "parameters": {
                    "type": "object",
                    "properties": {name: {"type": _TYPES.get(kind, kind)} for name, kind in tool["parameters"].items()},
                },
            },
            "read_only": True,
        }
        for tool in row["tools"]
    ]


def is_right(row: Row, step: Step) -> bool:
    """Say whether a step is what the row expects; of several calls the first counts."""
    expected = row["expected"]
    known = {tool["name"]: tool["parameters"] for tool in row["tools"]}
    match step:
        case Call(name=name, args=args):
            first = expected["calls"][0] if expected["kind"] == "call" else {}
            if name not in known:
                return bool(expected["kind"] == "error")
            return bool(first and first["name"] == name and _same(args, first["args"], known[name]))
        case Answer(text=text):
            return bool(expected["kind"] == "final" and text.strip() == expected["text"].strip())
    return bool(expected["kind"] == "error")


def _same(args: dict[str, Any], wanted: dict[str, Any], types: dict[str, str]) -> bool:
    """Compare arguments; a number that the corpus keeps as text counts as that number where the tool takes one."""
    return args.keys() == wanted.keys() and all(
        args[key] == value or (types.get(key) not in (None, "string") and str(args[key]) == value)
        for key, value in wanted.items()
    )


def shown(step: Step) -> str:
    """Return a step on one line."""
    match step:
        case Call(name=name, args=args):
            return _short({"call": name, "args": args})
        case Answer(text=text):
            return _short({"answer": text})
        case Malformed(code=code, problem=problem):
            return _short({"error": code, "problem": problem})


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
