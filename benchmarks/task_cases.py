"""A workspace task, and the checks of its answer and of what it left on disk.

A check returns an empty string, or one sentence on what is wrong. Facts are checked strictly, wording is free.
"""

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a run left: its JSON result and the folders it worked in."""

    result: Mapping[str, Any]
    workspace: Path
    server_folder: Path
    """Where the task's MCP servers ran and kept their data."""

    @property
    def answer(self) -> str:
        """The answer on one line, without the commas inside numbers and with plain quotes."""
        text = str(self.result.get("answer", "")).replace("\u2019", "'")
        return re.sub(r"(?<=\d),(?=\d{3}\b)", "", " ".join(text.split()))


Check = Callable[[Outcome], str]


@dataclass(frozen=True)
class Task:
    """One prompt on one small workspace."""

    name: str
    prompt: str
    checks: tuple[Check, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    commits: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """Git history, oldest first: message, and the files as of that commit; `files` comes on top, uncommitted."""
    servers: tuple[str, ...] = ()
    """Names of files in `benchmarks/servers`, without `.py`."""
    changes: tuple[str, ...] = ()
    """Files that the task asks to make or change. Every other file must stay as it was."""

    @property
    def family(self) -> str:
        """The part of the name before the dash."""
        return self.name.partition("-")[0]

    def build(self, workspace: Path) -> dict[str, bytes]:
        """Fill the workspace and return its contents."""
        if self.commits:
            _git(workspace, "init", "-q", "-b", "main")
        for message, files in self.commits:
            _write(workspace, files)
            _git(workspace, "add", "-A")
            _git(workspace, "commit", "-q", "-m", message)
        _write(workspace, self.files)
        return contents(workspace)

    def problem(self, outcome: Outcome, before: Mapping[str, bytes]) -> str:
        """Return what is wrong with the outcome, empty if the task is solved."""
        if outcome.result.get("stop_reason") != "answered":
            steps = len(outcome.result.get("steps", []))
            return f"the run ended after {steps} tool calls with {outcome.result.get('stop_reason')!r}"
        after = contents(outcome.workspace)
        touched = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        extra = [name for name in touched if name not in self.changes]
        if extra:
            return f"changed what it was not asked to change: {', '.join(extra)}"
        return next((said for said in (check(outcome) for check in self.checks) if said), "")


def contents(workspace: Path) -> dict[str, bytes]:
    """Return every file of the workspace with its bytes, without git's and Python's own."""
    files = (path for path in workspace.rglob("*") if path.is_file())
    named = ((path.relative_to(workspace), path) for path in files)
    return {str(name): path.read_bytes() for name, path in named if not {".git", "__pycache__"} & set(name.parts)}


def _write(workspace: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _git(workspace: Path, *arguments: str) -> None:
    person = ["-c", "user.name=Sam Reed", "-c", "user.email=sam@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *person, *arguments], cwd=workspace, check=True, capture_output=True)


def _mentions(answer: str, term: str) -> bool:
    """Whether the answer holds `term` as whole words; a number must not be part of a longer one."""
    pattern = re.escape(" ".join(term.split())).replace(r"\ ", r"\s+")
    return bool(re.search(rf"(?<!\w)(?<!\d\.){pattern}(?!\w)(?!\.\d)", answer, re.IGNORECASE))


def says(*alternatives: str) -> Check:
    """The answer holds one of `alternatives`, as whole words, in any case."""

    def check(outcome: Outcome) -> str:
        if any(_mentions(outcome.answer, term) for term in alternatives):
            return ""
        return f"the answer does not say {' or '.join(map(repr, alternatives))}"

    return check


def says_all(*terms: str) -> Check:
    """The answer holds every one of `terms`."""
    each = [says(term) for term in terms]
    return lambda outcome: next((said for said in (check(outcome) for check in each) if said), "")


def never_says(*terms: str) -> Check:
    """The answer holds none of `terms`."""

    def check(outcome: Outcome) -> str:
        found = [term for term in terms if _mentions(outcome.answer, term)]
        return f"the answer says {found[0]!r}" if found else ""

    return check


_ABSENT = re.compile(
    r"not exist|n't exist|not found|n't found|no such|not find|n't find|unable to (find|locate|read|open)|not there"
    r"|there is no|there's no|there isn't|is missing|not present|not (available|locate)|not in the|no file",
    re.IGNORECASE,
)


def says_it_is_missing(neighbours: Mapping[str, str]) -> Check:
    """The answer says that the file is not there and invents no number.

    `neighbours` maps other files to the number they hold, which may be told together with that file's name.
    """

    def check(outcome: Outcome) -> str:
        if not _ABSENT.search(outcome.answer):
            return "the answer does not say that the file is missing"
        known = {number for name, number in neighbours.items() if name in outcome.answer}
        invented = set(re.findall(r"\d+", outcome.answer)) - known
        return f"the answer invents {sorted(invented)[0]!r}" if invented else ""

    return check


def _read(outcome: Outcome, name: str) -> str | None:
    path = outcome.workspace / name
    return path.read_text(errors="replace") if path.is_file() else None


def holds(name: str, text: str) -> Check:
    """The file holds exactly `text`, but for blanks at the ends of lines and of the file."""

    def tidy(content: str) -> str:
        return "\n".join(line.rstrip() for line in content.strip().splitlines())

    def check(outcome: Outcome) -> str:
        found = _read(outcome, name)
        if found is None:
            return f"there is no file {name}"
        return "" if tidy(found) == tidy(text) else f"{name} holds {found[:200]!r}"

    return check


def holds_lines(name: str, items: Sequence[str]) -> Check:
    """The file has exactly one line per item, in order; case, bullets and list numbers are free."""

    def check(outcome: Outcome) -> str:
        found = _read(outcome, name)
        if found is None:
            return f"there is no file {name}"
        lines = [re.sub(r"^\s*([-*+]|\d+[.)])?\s*(\[ \])?\s*", "", line) for line in found.splitlines() if line.strip()]
        same = [line.strip().casefold() for line in lines] == [item.casefold() for item in items]
        return "" if same else f"{name} holds {found[:200]!r}"

    return check


def holds_json(name: str, value: object) -> Check:
    """The file is JSON and equals `value`."""

    def check(outcome: Outcome) -> str:
        found = _read(outcome, name)
        if found is None:
            return f"there is no file {name}"
        try:
            return "" if json.loads(found) == value else f"{name} holds {found[:200]!r}"
        except ValueError:
            return f"{name} is not JSON: {found[:200]!r}"

    return check


def server_kept(name: str, right: Callable[[Any], bool]) -> Check:
    """The JSON file `name` that an MCP server wrote fulfils `right`."""

    def check(outcome: Outcome) -> str:
        path = outcome.server_folder / name
        if not path.is_file():
            return "the MCP server was asked to change nothing"
        kept = json.loads(path.read_text())
        return "" if right(kept) else f"the MCP server was given {kept!r}"

    return check
