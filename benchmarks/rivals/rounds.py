"""What the rivals' scripts share. It runs in their environments, so it knows nothing but the standard library."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

MODEL = "instant"
PROMPT = "Call the tool ten times."


async def serve(run: Callable[[], Awaitable[object]]) -> None:
    """For each number that comes on standard input make so many runs at once, and print how long they took."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        began = time.perf_counter()
        answers = await asyncio.gather(*(run() for _ in range(int(line))))
        took = time.perf_counter() - began
        if set(answers) != {"That is all."}:
            raise RuntimeError(f"the runs ended with {answers}")
        print(json.dumps({"seconds": took}), flush=True)
