"""BFCL v4's cases, from the data files of the PyPI package `bfcl-eval`, and their functions as an MCP server.

Only the wheel's data files are kept; the package and its dependencies are not installed.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.server import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent, Tool

from agent.config import cache_dir

VERSION = "2026.3.23"
CATEGORIES = ("simple_python", "multiple", "irrelevance")
_UNANSWERED = ("irrelevance",)
"""Categories without possible answers: right is no call."""

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}


@dataclass(frozen=True)
class Case:
    """One request, the functions on offer, and the calls that count as right (none where no call is right)."""

    id: str
    category: str
    prompt: str
    functions: Sequence[Mapping[str, Any]]
    answer: Mapping[str, Mapping[str, Any]] | None


def data_folder() -> Path:
    """Return the folder with the data files, fetched once into the user's cache."""
    folder = cache_dir() / "bench" / f"bfcl-eval-{VERSION}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        print(f"fetching bfcl-eval {VERSION} (2 MB) with pip", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", work, f"bfcl-eval=={VERSION}"]
        if subprocess.run(pip, check=False).returncode:
            sys.exit(f"pip could not download bfcl-eval {VERSION}. Check the network and try again.")
        wheel = next(Path(work).glob("bfcl_eval-*.whl"))
        out = Path(work, "data")
        out.mkdir()
        with zipfile.ZipFile(wheel) as packed:
            for category in CATEGORIES:
                name = f"BFCL_v4_{category}.json"
                (out / f"{category}.jsonl").write_bytes(packed.read(f"bfcl_eval/data/{name}"))
                if category not in _UNANSWERED:
                    answers = packed.read(f"bfcl_eval/data/possible_answer/{name}")
                    (out / f"{category}.answers.jsonl").write_bytes(answers)
        out.rename(folder)
    return folder


def load_cases(category: str, n: int, seed: int, offset: int | None) -> list[Case]:
    """Return `n` cases: those from `offset` on where it is given, else a sample that depends on `seed` alone."""
    folder = data_folder()
    rows = _lines(folder / f"{category}.jsonl")
    answers = folder / f"{category}.answers.jsonl"
    known = {row["id"]: row["ground_truth"][0] for row in _lines(answers)} if answers.exists() else {}
    if offset is None:
        rows = random.Random(f"{seed} {category}").sample(rows, min(n, len(rows)))
    else:
        rows = rows[offset : offset + n]
    return [
        Case(row["id"], category, row["question"][0][-1]["content"], row["function"], known.get(row["id"]))
        for row in rows
    ]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def plain_name(name: str) -> str:
    """Return a function's name as BFCL hands it to models that take no dots: `math.factorial` as `math_factorial`."""
    return re.sub(r"\.", "_", name)


def json_schema(bfcl: Mapping[str, Any]) -> dict[str, Any]:
    """Return BFCL's parameter schema as JSON Schema: dict is object, float is number, tuple is array, any is open."""
    schema = {key: value for key, value in bfcl.items() if key != "optional"}
    kind = schema.get("type")
    if kind == "any":
        del schema["type"]
    elif isinstance(kind, str):
        schema["type"] = _TYPES.get(kind, kind)
    if isinstance(schema.get("properties"), Mapping):
        schema["properties"] = {name: json_schema(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("items"), Mapping):
        schema["items"] = json_schema(schema["items"])
    return schema


def case_server(case: Case, calls: list[tuple[str, dict[str, Any]]]) -> Server[Any]:
    """Return an MCP server that offers the case's functions, notes each call in `calls`, and answers `ok`."""
    tools = [
        Tool(
            name=plain_name(function["name"]),
            description=function["description"],
            input_schema=json_schema(function["parameters"]),
        )
        for function in case.functions
    ]

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        calls.append((params.name, dict(params.arguments or {})))
        return CallToolResult(content=[TextContent(type="text", text="ok")])

    return Server("bfcl", on_list_tools=list_tools, on_call_tool=call_tool)
