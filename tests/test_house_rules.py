"""The rules of the house that a machine can check."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("cli", "graphs", "agent", "tools")
SOURCES = sorted(path for layer in (*LAYERS, "benchmarks") for path in (ROOT / layer).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def lengths(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function of a file with its lines, `def` to the last."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


def imports(path: Path) -> Iterator[str]:
    """Yield the top-level packages that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize(("paths", "limit"), [(SOURCES, 300), (TESTS, 500), ([ROOT / "graphs" / "builder.py"], 120)])
def test_no_file_is_too_long(paths: list[Path], limit: int) -> None:
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {str(path): count for path, count in counts.items() if count > limit} == {}


def test_no_function_is_too_long_and_the_median_is_short() -> None:
    sizes = [(path, name, size) for path in SOURCES for name, size in lengths(path)]
    assert [entry for entry in sizes if entry[2] > 60] == []
    assert statistics.median(size for _, _, size in sizes) <= 10


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_one_way(layer: str) -> None:
    allowed = set(LAYERS[LAYERS.index(layer) :])
    wrong = {
        str(path): bad for path in (ROOT / layer).rglob("*.py") if (bad := set(imports(path)) & set(LAYERS) - allowed)
    }
    assert wrong == {}


def test_package_files_are_empty_and_packages_are_listed() -> None:
    markers = [path for layer in LAYERS for path in (ROOT / layer).rglob("__init__.py")]
    assert [path for path in markers if path.stat().st_size] == []
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = {".".join(path.parent.relative_to(ROOT).parts) for path in markers}
    assert {name for name in names if f'"{name}"' not in listed} == set()


def test_every_folder_of_tests_is_a_package() -> None:
    assert {path.parent for path in TESTS if not (path.parent / "__init__.py").exists()} == set()
