"""`a2ia-cli models`: weights and servers of the embedded model."""

import asyncio
import sys

from agent.backends.embedded_server import running, stop_all
from agent.backends.weights import fetch, list_models
from agent.backends.weights_model import resolve
from cli.display import Display, failure_of

_INTERRUPTED = 130


def run_models(action: str, model: str | None) -> int:
    """Do `pull`, `list` or `stop`; return the exit code."""
    display = Display()
    try:
        if action == "pull":
            path = asyncio.run(fetch(resolve(model), display.progress))
            display.settle()
            sys.stdout.write(f"{path}\n")
        elif action == "stop":
            sys.stdout.write(f"stopped {asyncio.run(stop_all())} model server(s)\n")
        else:
            _list()
    except KeyboardInterrupt:
        display.note("interrupted; the next pull goes on from here")
        return _INTERRUPTED
    except Exception as error:
        failure = failure_of(error)
        display.failure(failure)
        return failure.exit_code
    return 0


def _list() -> None:
    for row in list_models():
        state = "complete" if row.complete else f"{row.have / row.size:.0%} fetched" if row.have else "not fetched"
        sys.stdout.write(f"{row.name:22} {row.size / 1e6:7,.0f} MB  {state:12}  {row.path}\n")
    for record in running():
        sys.stdout.write(f"running: {record.model}, window {record.window} tokens, pid {record.pid}\n")
