"""`a2ia-cli models`: weights and servers of the embedded model."""

import asyncio
import shutil
from functools import partial

from agent.backends.embedded_server import running, stop_all
from agent.backends.weights import fetch, list_models
from agent.backends.weights_model import resolve
from agent.places import prefixes_dir
from cli.display import Display, guarded
from cli.streams import prepare_streams, write


def run_models(action: str, model: str | None) -> int:
    """Do `pull`, `list` or `stop`; return the exit code."""
    prepare_streams(as_json=False)
    display = Display()
    return guarded(partial(_do, action, model, display), display, "interrupted; the next pull goes on from here")


def _do(action: str, model: str | None, display: Display) -> None:
    if action == "pull":
        path = asyncio.run(fetch(resolve(model), display.progress))
        display.settle()
        write(f"{path}\n")
    elif action == "stop":
        write(f"stopped {asyncio.run(stop_all())} model server(s)\n")
        shutil.rmtree(prefixes_dir(), ignore_errors=True)
    else:
        _list()


def _list() -> None:
    for row in list_models():
        state = "complete" if row.complete else f"{row.have / row.size:.0%} fetched" if row.have else "not fetched"
        write(f"{row.name:22} {row.size / 1e6:7,.0f} MB  {state:12}  {row.path}\n")
    for record in running():
        write(f"running: {record.model}, window {record.window} tokens, pid {record.pid}\n")
