"""BFCL v4's cases, from the PyPI package `bfcl-eval`, and their functions as an MCP server.

The wheel is unpacked into the user's cache; neither it nor its many dependencies are installed.
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

from agent.places import cache_dir

VERSION = "2026.3.23"
CATEGORIES = ("simple_python", "multiple", "irrelevance", "live_simple", "live_multiple", "live_irrelevance")
"""In irrelevance and live_irrelevance there are no possible answers: right is no call."""

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}


@dataclass(frozen=True)
class Case:
    """One request, the functions on offer, and the calls that count as right (none where no call is right)."""

    id: str
    category: str
    prompt: str
    functions: Sequence[Mapping[str, Any]]
    answer: Mapping[str, Mapping[str, Any]] | None


def package_folder() -> Path:
    """Return the folder that holds the package `bfcl_eval`, fetched once into the user's cache."""
    folder = cache_dir() / "bench" / f"bfcl_eval-{VERSION}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        print(f"fetching bfcl-eval {VERSION} (2 MB) with pip", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", work, f"bfcl-eval=={VERSION}"]
        if subprocess.run(pip, check=False).returncode:
            sys.exit(f"pip could not download bfcl-eval {VERSION}. Check the network and try again.")
        wheel = next(Path(work).glob("bfcl_eval-*.whl"))
        out = Path(work, "package")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(out)
        try:
            out.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # another run has put the same files there meanwhile
    return folder


def data_lines(name: str) -> list[dict[str, Any]]:
    """Return the rows of one of the package's data files, named as below `bfcl_eval/data`; none if there is no file."""
    path = package_folder() / "bfcl_eval" / "data" / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def category_rows(
    category: str, n: int, seed: int, offset: int | None
) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Return `n` rows of a category, and the right answers of all of them by id (none where no call is right).

    The rows are those from `offset` on where it is given, else a sample that depends on `seed` alone.
    """
    rows = data_lines(f"BFCL_v4_{category}.json")
    known = {row["id"]: row["ground_truth"] for row in data_lines(f"possible_answer/BFCL_v4_{category}.json")}
    if offset is None:
        return random.Random(f"{seed} {category}").sample(rows, min(n, len(rows))), known
    return rows[offset : offset + n], known


def load_cases(category: str, n: int, seed: int, offset: int | None) -> list[Case]:
    """Return `n` cases: those from `offset` on where it is given, else a sample that depends on `seed` alone."""
    rows, known = category_rows(category, n, seed, offset)
    return [
        Case(row["id"], category, one_prompt(row["question"][0]), row["function"], known.get(row["id"], [None])[0])
        for row in rows
    ]


def one_prompt(messages: Sequence[Mapping[str, str]]) -> str:
    """Return a case's messages as one request, every way's only message: a system text goes before it in brackets.

    One live case in a hundred holds earlier replies; there each message is named by its role.
    """
    if any(message["role"] == "assistant" for message in messages):
        return "\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in messages)
    return "\n".join(f"[{m['content']}]" if m["role"] == "system" else m["content"] for m in messages)


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


def mcp_tools(functions: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """Return BFCL's functions as MCP tools."""
    return [
        Tool(
            name=plain_name(function["name"]),
            description=function["description"],
            input_schema=json_schema(function["parameters"]),
        )
        for function in functions
    ]


def case_server(case: Case, calls: list[tuple[str, dict[str, Any]]]) -> Server[Any]:
    """Return an MCP server that offers the case's functions, notes each call in `calls`, and answers `ok`."""

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=mcp_tools(case.functions))

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        calls.append((params.name, dict(params.arguments or {})))
        return CallToolResult(content=[TextContent(type="text", text="ok")])

    return Server("bfcl", on_list_tools=list_tools, on_call_tool=call_tool)
