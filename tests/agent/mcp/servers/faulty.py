"""A stdio MCP server that misbehaves as told; it needs no package, so that it starts in a blink.

    faulty.py MODE [FOLDER]

Modes: ok, dies, hangs, garbage (text between the messages), noise (only text), stubborn (ignores the end of its input
and SIGTERM, as does a child of it), once (tool `die` works from its second life on). It writes what it sees to FOLDER.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

MODE = sys.argv[1]
FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
STRING = {"type": "object", "properties": {"text": {"type": "string"}}}
SAFE = {"readOnlyHint": True}
NAMES: dict[str, dict[str, Any]] = {
    "echo": SAFE,
    "big": SAFE,
    "wait": SAFE,
    "die": {},
    "die_safely": SAFE,
    "die_idempotently": {"idempotentHint": True},
    "env": SAFE,
    "raw": SAFE,
    "buy": {},
}


def note(name: str, text: str) -> None:
    """Leave a trace for the test."""
    with (FOLDER / name).open("a") as file:
        file.write(f"{text}\n")


def send(message: dict[str, Any]) -> None:
    """Write one message."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listing(cursor: str | None) -> dict[str, Any]:
    """List two tools a page."""
    start = int(cursor or 0)
    names = list(NAMES)
    tools = [{"name": name, "inputSchema": STRING, "annotations": NAMES[name]} for name in names[start : start + 2]]
    extra = FOLDER / "extra.json"
    tools += json.loads(extra.read_text()) if extra.exists() and not start else []
    return {"tools": tools} | ({"nextCursor": str(start + 2)} if start + 2 < len(names) else {})


def call(params: dict[str, Any]) -> str | None:
    """Run a tool; None for one that never answers."""
    name, text = params["name"], params.get("arguments", {}).get("text", "")
    note("calls", name)
    if name.startswith("die") and not (MODE == "once" and Path(FOLDER, "lives").read_text().count("\n") > 1):
        os._exit(3)
    if name == "wait":
        note("waiting", text)
        return None
    if name == "raw":
        sys.stdout.buffer.write(text.encode("latin-1").replace(b"ID", str(params["_id"]).encode()) + b"\n")
        sys.stdout.flush()
        return None
    if name == "big":
        return "x" * int(text)
    return os.environ.get(text, "unset") if name == "env" else f"{name} {text}"


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of one request, None where there is to be none."""
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        info = {"name": "faulty", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return listing(params.get("cursor"))
    if method == "tools/call":
        text = call(params | {"_id": message["id"]})
        return None if text is None else {"content": [{"type": "text", "text": text}]}
    raise LookupError(method)


def serve() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        message = json.loads(line)
        if MODE == "garbage":
            sys.stdout.write("Listening on stdio ...\n{not json}\n\n[1, 2]\n")
        if message.get("method") == "notifications/cancelled":
            note("cancelled", str(message["params"]["requestId"]))
        if "id" not in message:
            continue
        try:
            result = answer(message)
        except LookupError:
            send({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})
            continue
        if result is not None:
            send({"id": message["id"], "result": result})


def main() -> None:
    """Misbehave."""
    note("lives", str(os.getpid()))
    if MODE == "dies":
        sys.exit("error: no API key")
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if len(sys.argv) == 3:
            subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "child"], stdout=sys.stderr)
    if MODE == "noise":
        sys.stdout.write("Welcome to my server!\n")
        sys.stdout.flush()
    if MODE not in {"hangs", "noise"} and len(sys.argv) < 4:
        serve()
    if MODE in {"hangs", "noise", "stubborn"}:
        threading.Event().wait()


if __name__ == "__main__":
    main()
