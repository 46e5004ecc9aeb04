"""A coverage-guided fuzz run of the reader: `python -m tests.fuzz.reader -max_total_time=600`. No part of `make test`.

It needs atheris (`pip install atheris`, Linux). A text fails if the reader raises, takes over two seconds, or reads a
stream in another way than the whole text. What it finds becomes a test.
"""

import sys
import time
from typing import Any

import atheris

with atheris.instrument_imports(include=["agent.react"]):
    from agent.react import parser
    from agent.react.judging import judge  # noqa: F401
    from agent.react.reader import (  # noqa: F401
        clean,
        coerce,
        dialects,
        labels,
        literal,
        scan,
        shape,
        tagged,
        tolerant,
        toolset,
        unread,
    )

from benchmarks.react_corpus import tools_of

LONGEST = 2.0
TOOLS: list[dict[str, Any]] = tools_of(
    {
        "tools": [
            {"name": "f", "parameters": {"a": "integer", "b": "string", "c": "array", "d": "object"}},
            {"name": "read_file", "parameters": {"path": "string"}},
            {"name": "now", "parameters": {}},
        ]
    }
)


def one(data: bytes) -> None:
    """Read one text, whole and in pieces."""
    provider = atheris.FuzzedDataProvider(data)
    size = provider.ConsumeIntInRange(1, 40)
    text = provider.ConsumeUnicode(4000)
    started = time.process_time()
    whole = parser.parse(text, TOOLS)
    if time.process_time() - started > LONGEST:
        raise TimeoutError(repr(text))
    stream = parser.StepStream(TOOLS)
    deltas = [delta for at in range(0, len(text), size) for delta in stream.feed(text[at : at + size])]
    step, last = stream.finish()
    thought = "".join(delta.text for delta in [*deltas, *last] if delta.kind == "thought")
    answer = "".join(delta.text for delta in [*deltas, *last] if delta.kind == "answer")
    if step != whole or thought != step.thought or answer != getattr(step, "text", ""):
        raise AssertionError(f"{text!r} in pieces of {size}: {step} {whole} {thought!r} {answer!r}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
