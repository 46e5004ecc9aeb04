"""BFCL's AST rule for one call in Python, after `bfcl_eval/eval_checker/ast_eval/ast_checker.py` of bfcl-eval.

Kept from the official rule, odd corners included: a value of the type of the possible answers passes as a "variable"
and must then be equal to one of them; strings are compared without case, blanks and `,./-_*^`; a list of lists takes
no normalisation; True is no integer, but an integer is a float.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.bfcl_data import Case, plain_name

_TYPES = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}


def judge(case: Case, call: tuple[str, Mapping[str, Any]] | None) -> str:
    """Return what is wrong with the first call of a case (None: no call was made), empty if it is right."""
    if case.answer is None:
        return f"called {call[0]} where no function fits" if call else ""
    if call is None:
        return "no call"
    name, possible = next(iter(case.answer.items()))
    function = next(function for function in case.functions if function["name"] == name)
    if call[0] != plain_name(name):
        return f"called {call[0]}, not {name}"
    return _arguments_problem(function["parameters"], call[1], possible)


def _arguments_problem(schema: Mapping[str, Any], given: Mapping[str, Any], possible: Mapping[str, Any]) -> str:
    for name in schema.get("required", ()):
        if name not in given:
            return f"required argument {name!r} is missing"
    for name, value in given.items():
        if name not in schema["properties"] or name not in possible:
            return f"unexpected argument {name!r}"
        if not _fits(schema["properties"][name], value, possible[name]):
            return f"argument {name!r} is {value!r}, expected one of {possible[name]!r}"
    left_out = [name for name, values in possible.items() if name not in given and "" not in values]
    return f"argument {left_out[0]!r} is missing" if left_out else ""


def _fits(schema: Mapping[str, Any], value: Any, possible: Sequence[Any]) -> bool:
    kind = _TYPES[schema["type"]]
    nested = _TYPES[schema["items"]["type"]] if schema["type"] in ("array", "tuple") else None
    if schema["type"] == "float" and type(value) is int:
        value = float(value)
    typed, variable = _typed(value, possible, kind, nested)
    if not typed:
        return False
    if variable:
        return value in possible
    if kind is dict:
        return _dict_fits(value, possible)
    if kind is list and nested is dict:
        return any(_dicts_fit(value, answer) for answer in possible)
    if kind is list:
        return [_plain(item) for item in value] in [[_plain(item) for item in answer] for answer in possible]
    return _plain(value) in [_plain(answer) for answer in possible]


def _typed(value: Any, possible: Sequence[Any], kind: type, nested: type | None) -> tuple[bool, bool]:
    """Return whether the value's type passes, and whether it passes as a "variable" by the possible answers' type."""
    seen = next((type(answer) for answer in possible if answer != ""), None)
    if type(value) is not kind:
        return type(value) is seen, True
    fits = nested is None or any(_items_typed(value, answer, nested) for answer in possible)
    return fits, seen is not None and seen is not kind


def _items_typed(value: Any, answer: Any, nested: type) -> bool:
    return not isinstance(answer, list) or all(_typed(item, answer, nested, None)[0] for item in value)


def _dict_fits(value: Mapping[str, Any], possible: Sequence[Any]) -> bool:
    for answer in possible:
        if answer == "":
            continue
        known = all(
            key in answer and _plain(item) in [_plain(choice) for choice in answer[key]] for key, item in value.items()
        )
        if known and all(key in value or "" in choices for key, choices in answer.items()):
            return True
    return False


def _dicts_fit(value: Sequence[Any], answer: Any) -> bool:
    if len(value) != len(answer):
        return False
    pairs = zip(value, answer, strict=True)
    return all(isinstance(item, Mapping) and _dict_fits(item, [choice]) for item, choice in pairs)


def _plain(value: Any) -> Any:
    return re.sub(r"[ ,./\-_*^]", "", value).lower().replace("'", '"') if isinstance(value, str) else value
