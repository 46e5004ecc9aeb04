"""A process that dies between two calls of one step: `python -m tests.graphs.killed DATABASE PROTOCOL JOURNAL`.

The tool `slow` waits until `quick` has been committed to the database, then kills the process.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from graphs.state import Protocol
from tests.fakes import Say
from tests.graphs.threads import Thread, collect, tool


def tools(journal: Path, *, deadly: Thread | None = None) -> list[Any]:
    """Return `quick`, `slow` and `look`, which note each run in `journal`."""

    def note(name: str) -> str:
        with journal.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        return f"{name} ran"

    async def quick() -> str:
        """Quick it."""
        return note("quick")

    async def slow() -> str:
        """Slow it."""
        note("slow")
        await die_after_commit()
        return "slow ran"

    async def look() -> str:
        """Look at it."""
        note("look")
        await die_after_commit()
        return "look ran"

    async def die_after_commit() -> None:
        while deadly is not None:
            state = await deadly.graph.aget_state(deadly.config)
            if any(task.result for task in state.tasks):
                os.kill(os.getpid(), signal.SIGKILL)
            await asyncio.sleep(0)

    return [tool("quick", quick), tool("slow", slow), tool("look", look, read_only=True)]


async def _main(database: str, protocol: Protocol, journal: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        calls: list[tuple[str, dict[str, Any]]] = [("quick", {}), ("slow", {}), ("look", {})]
        thread = Thread(protocol, [Say(calls=calls)], bare=True, saver=saver)
        thread = Thread(protocol, [Say(calls=calls)], tools(journal, deadly=thread), bare=True, saver=saver)
        await collect(thread.session.run("go"))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], cast(Protocol, sys.argv[2]), Path(sys.argv[3])))
