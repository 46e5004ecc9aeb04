"""BFCL v4's multi_turn_base: several requests on one thread, over functions that BFCL's own Python classes run.

Classes, executor and judge are those of the package `bfcl-eval`, imported from where `bfcl_data.py` unpacks it.
"""

import ast
import inspect
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import report
from benchmarks.bfcl_data import category_rows, data_lines, package_folder

CATEGORY = "multi_turn_base"
STEPS = 20
"""Model calls in a turn before BFCL gives a case up (`MAXIMUM_STEP_LIMIT`)."""

_EVALUATION = "bfcl_eval.eval_checker.multi_turn_eval"


@dataclass(frozen=True)
class TurnsCase:
    """The requests of one thread, what the classes begin with, and per turn the calls that are right."""

    id: str
    prompts: tuple[str, ...]
    classes: tuple[str, ...]
    config: Mapping[str, Any]
    truth: tuple[tuple[str, ...], ...]

    def functions(self) -> list[dict[str, Any]]:
        """Return the descriptions of all functions of the case's classes."""
        files = _package("bfcl_eval.constants.executable_backend_config").MULTI_TURN_FUNC_DOC_FILE_MAPPING
        return [row for name in self.classes for row in data_lines(f"multi_turn_func_doc/{files[name]}")]

    def execute(self, call: str, world: str) -> str:
        """Run one call, written in Python, on the classes of the world of that name, and return its result as text."""
        run = _package(f"{_EVALUATION}.multi_turn_utils").execute_multi_turn_func_call
        results, _ = run([call], self.config, list(self.classes), world, self.id)
        return str(results[0])

    def judge(self, turns: Sequence[Sequence[str]]) -> str:
        """Return what BFCL's judge finds wrong with the calls of the first turns, empty if all is right.

        After each turn the state has to equal that of the right calls, and their results have to be among those seen.
        """
        world = f"judge{uuid.uuid4().hex}"
        entry = {"id": self.id, "initial_config": self.config, "involved_classes": list(self.classes)}
        steps = [[[call] for call in calls] for calls in turns]
        truth = [list(calls) for calls in self.truth[: len(turns)]]
        check = _package(f"{_EVALUATION}.multi_turn_checker").multi_turn_checker
        try:
            verdict = check(steps, truth, entry, CATEGORY, world)
        finally:
            _forget(world)
        return "" if verdict["valid"] else _told(verdict)


def call_text(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as BFCL's executor takes it: `cd(folder='document')`. Raises `ValueError` if it is none."""
    strange = next((key for key in (name, *arguments) if not key.isidentifier()), None)
    if strange is not None:
        raise ValueError(f"{strange!r} is no name")
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def true_call(case: TurnsCase, text: str) -> tuple[str, dict[str, Any]]:
    """Return a right call's name and its arguments by name."""
    call = ast.parse(text, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"{case.id} names as right what is no call: {text}")
    by_place = [ast.literal_eval(value) for value in call.args]
    by_name = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    return call.func.id, dict(zip(_parameters(case, call.func.id), by_place, strict=False)) | by_name


def load_turns(n: int, seed: int, offset: int | None) -> list[TurnsCase]:
    """Return `n` cases: those from `offset` on where it is given, else a sample that depends on `seed` alone."""
    rows, truth = category_rows(CATEGORY, n, seed, offset)
    return [
        TurnsCase(
            id=row["id"],
            prompts=tuple("\n".join(message["content"] for message in turn) for turn in row["question"]),
            classes=tuple(row["involved_classes"]),
            config=row["initial_config"],
            truth=tuple(tuple(calls) for calls in truth[row["id"]]),
        )
        for row in rows
    ]


def the_case(name: str) -> TurnsCase:
    """Return the case of that id."""
    return next(case for case in load_turns(sys.maxsize, 0, 0) if case.id == name)


def _package(module: str) -> Any:
    folder = str(package_folder())
    if folder not in sys.path:
        sys.path.append(folder)
    return report.needed(module)


def _parameters(case: TurnsCase, function: str) -> list[str]:
    files = _package("bfcl_eval.constants.executable_backend_config").CLASS_FILE_PATH_MAPPING
    classes = [getattr(_package(files[name]), name) for name in case.classes]
    method = next(getattr(one, function) for one in classes if hasattr(one, function))
    return list(inspect.signature(method).parameters)[1:]


def _forget(world: str) -> None:
    """Drop the instances that BFCL's executor keeps for ever."""
    kept = vars(_package(f"{_EVALUATION}.multi_turn_utils"))
    for name in [name for name in kept if name.startswith(world)]:
        del kept[name]


def _told(verdict: Mapping[str, Any]) -> str:
    details = verdict.get("details", {})
    where = details.get("differences") or details.get("missing_items") or ""
    return f"{verdict['error_message']} {where}".strip()[:1000]
