"""Standard input and output in every state that a shell can leave them in. Each of these needs a real process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import Done, Place, finish

FULL = Path("/dev/full")


def prompt_of(done: Done) -> str:
    """Return the user's turn as the model was sent it."""
    assert done.code == 0, done.err
    return done.err.rpartition("--- user\n")[2].partition("let go of")[0].strip("\n")


def test_standard_input_is_the_prompt_or_stands_below_it(place: Place) -> None:
    assert prompt_of(place.debug_run("-p", "-", text="From a pipe.\nTwo lines.\n")).endswith(
        "]\nFrom a pipe.\nTwo lines."
    )
    file = place.root / "diff.txt"
    file.write_text("from a file")
    with file.open() as opened:
        assert prompt_of(place.debug_run("-p", "Review this:", stdin=opened)).endswith("]\nReview this:\n\nfrom a file")


def test_standard_input_that_never_ends_does_not_hang_a_given_prompt_and_is_told_of(place: Place) -> None:
    reading, writing = os.pipe()
    try:
        done = place.debug_run("-p", "hi", stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)
    assert prompt_of(done).endswith("hi")
    assert "warning: nothing came from standard input" in done.err


def test_closed_and_missing_streams_do_no_harm(place: Place) -> None:
    def run(line: str) -> Done:
        command = f'exec "$0" -m cli.main -p hi --output json {line}'
        with subprocess.Popen(
            ["/bin/sh", "-c", command, sys.executable],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=place.workspace,
            env=place.environment(),
            text=True,
        ) as process:
            return finish(process)

    done = run("<&- 2>&-")
    assert (done.code, done.result()["answer"]) == (0, "Hello.")
    done = run(">&-")
    assert (done.code, done.out) == (0, "")
    assert "Traceback" not in done.err
    done = run("-p - <&-")
    assert (done.code, done.result()["error"]["message"]) == (2, "The prompt is empty.")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_an_output_that_cannot_be_written_is_said_in_a_sentence(place: Place) -> None:
    with FULL.open("w") as full:
        done = place.run("-p", "hi", stdout=full)
        assert done.code == 1
        assert "error: Standard output cannot be written: No space left on device." in done.err
        assert "Traceback" not in done.err and "Exception ignored" not in done.err
        done = place.run("-p", "hi", stderr=full)
        assert (done.code, done.out) == (0, "Hello.\n")


@pytest.mark.parametrize("output", ["text", "stream-json"])
def test_a_reader_that_leaves_early_gets_no_traceback(place: Place, output: str) -> None:
    place.say({"calls": [["list_directory", {}]]}, {"answer": "Line one.\nLine two."})
    process = place.start("-p", "hi", "--output", output)
    assert process.stdout is not None
    if output == "stream-json":
        assert process.stdout.readline().startswith('{"type": "turn_started"')
    process.stdout.close()
    process.stdout = None
    done = finish(process)
    assert done.code == 1
    assert "Traceback" not in done.err and "Exception ignored" not in done.err and "error" not in done.err


@pytest.mark.parametrize("errors", ["surrogateescape", "strict"], ids=["locale C", "another locale"])
def test_a_prompt_of_bytes_that_are_no_text_arrives_readable(place: Place, errors: str) -> None:
    place.env["PYTHONIOENCODING"] = f"utf-8:{errors}"
    done = place.debug_run("-p", "a\udcffb", text="c\udcfed\x00e")
    assert prompt_of(done).endswith("]\na\ufffdb\n\nc\ufffdd e")
