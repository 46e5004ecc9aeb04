"""The reply of an Ollama server, line by line, read by its words alone: unknown fields pass, missing ones are empty.

ollama's own client splits lines at characters that may stand in a text, takes no error but text, drops what a tool's
schema has inside its properties, and fails where a field is missing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

from agent.backends.wire import ONCE, count
from agent.errors import ModelServerError, ToolCallUnreadable, told_in_reply

_END_SECONDS = 0.5
"""How long the end of a complete reply is waited for, so that its connection can carry the next request."""


async def replied(http: httpx.AsyncClient, body: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Yield the lines of the reply to `body`, up to the one that says that it is done.

    Raises an `A2IAError` for a line that is none or tells an error, and httpx's errors.
    """
    async with http.stream("POST", "/api/chat", json=body, extensions={ONCE: True}) as response:
        if not response.is_success:
            await response.aread()
            response.raise_for_status()
        lines = _lines(response)
        async for line in lines:
            if line.strip():
                part = _part(line.decode(errors="replace"))
                yield part
                if part["done"]:
                    break
        with suppress(httpx.TransportError, TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                async for _ in lines:
                    pass


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield what stands between line feeds, and the rest at the end if it was not cut."""
    rest = b""
    async for data in response.aiter_bytes():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line
    if rest.rstrip().endswith(b"}"):
        yield rest


def _part(line: str) -> dict[str, Any]:
    """Return a line of a reply in the form that ChatOllama reads."""
    try:
        part = json.loads(line)
    except ValueError:
        part = None
    if not isinstance(part, dict):
        raise ModelServerError(
            f"The ollama server's answer is broken: it has a line that is no JSON object, {line[:80]!r}.",
            "Run the same command again; if it happens twice, look at what answers at that address.",
        )
    message, done = part.get("message"), str(part.get("done")).lower() == "true"
    if part.get("error") is not None or not (isinstance(message, dict) or done):
        raise told_in_reply(part, "ollama")
    counts = {key: count(part[key]) for key in ("prompt_eval_count", "eval_count") if key in part}
    return {**part, **counts, "done": done, "message": _message(message if isinstance(message, dict) else {})}


def _message(given: Mapping[str, Any]) -> dict[str, Any]:
    said = {"role": "assistant", "content": str(given.get("content") or ""), "thinking": given.get("thinking")}
    calls = given.get("tool_calls")
    return {**said, "tool_calls": [_call(call) for call in calls]} if isinstance(calls, list) and calls else said


def _call(call: Any) -> dict[str, Any]:
    """Return a call whose arguments are JSON text: ChatOllama would parse strings in an object that look like JSON."""
    function = call.get("function") if isinstance(call, dict) else None
    name, arguments = (function.get("name"), function.get("arguments")) if isinstance(function, dict) else (None, None)
    with suppress(ValueError):
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments or {}
    if not (name and isinstance(name, str) and isinstance(arguments, dict)):
        raise ToolCallUnreadable(f"The ollama server sent a tool call that cannot be read: {json.dumps(call)[:200]}.")
    return {"function": {"name": name, "arguments": json.dumps(arguments)}}
