"""HTTP to a model server beside its chat model: one client, one way to ask, one watch over replies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from agent.backends.address import is_loopback
from agent.backends.environment import environment_read
from agent.errors import HUNG_UP, ModelServerError, ToolCallUnreadable, UsageError, map_model_error

if TYPE_CHECKING:
    from langchain_core.outputs import ChatGenerationChunk

CONNECT_SECONDS = 10.0
"""How long a server may take to accept a connection; a slow network needs one or two."""

HEALTH_SECONDS = 2.0
"""How long `health` waits in all, where a server that is there answers in milliseconds."""

ONCE = "a2ia.once"
"""Extension of a request to a server that closes no idle connection: a hang-up is no reason to send it again."""

_SENT, _CONNECTED, _ANSWERED = (
    "http11.send_request_headers.started",
    "connection.connect_tcp.started",
    "http11.receive_response_headers.complete",
)
"""What httpcore says of a request on its way (its "trace" extension)."""


_BROKEN_OFF = {"abort", "error", "content_filter"}
"""Reasons that say that a reply is not whole: so vLLM ends those that run when it is shut down or put to sleep."""

_HOPS = 5
"""How often in a row a server may send a request on to another of its own addresses."""


class _Client(httpx.AsyncClient):
    """Sends a request again that went out on a kept connection just as the server closed it.

    uvicorn, and so vLLM, closes a connection that was idle for 5 seconds, which is how long httpx keeps one.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Return the response of the server, which may send the request on, but to none but itself."""
        response = await self._sent(request, **options)
        for _ in range(_HOPS):
            onward = response.next_request if response.status_code in {307, 308} else None
            if onward is None or (onward.url.scheme, onward.url.netloc) != (request.url.scheme, request.url.netloc):
                break
            await response.aclose()
            response = await self._sent(onward, **options)
        return response

    async def _sent(self, request: httpx.Request, **options: Any) -> httpx.Response:
        while True:
            seen: set[str] = set()
            request.extensions["trace"] = partial(_note, seen)
            try:
                return await super().send(request, **options)
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if _SENT not in seen or _ANSWERED in seen:
                    raise
                if _CONNECTED in seen or ONCE in request.extensions:
                    if isinstance(error, httpx.NetworkError):
                        raise httpx.RemoteProtocolError(HUNG_UP, request=request) from error
                    raise


async def _note(seen: set[str], event: str, _: object) -> None:
    seen.add(event)


def client(
    url: str, timeout: float, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return a client of the server at `url`, which may be silent for `timeout` seconds.

    The user's proxies are asked only for a server on another machine.
    """
    if key and not key.isascii():
        raise UsageError("The API key has characters that no key has.", "Copy it once more, and give it by --api-key.")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Timeout(timeout, connect=CONNECT_SECONDS)
    trusting = not is_loopback(url)
    with environment_read():
        return _Client(base_url=url, headers=headers, timeout=limits, trust_env=trusting, transport=transport)


async def ask(request: Awaitable[httpx.Response], server: str) -> dict[str, Any]:
    """Return the JSON object that a request is answered with; all else is an `A2IAError` that names `server`."""
    try:
        response = await request
    except Exception as error:
        raise map_model_error(error, server) from error
    return parsed(response, server)


async def tell(request: Awaitable[httpx.Response], server: str) -> httpx.Response:
    """Return the response to a request whose refusal is an answer too.

    Raises an `A2IAError` if the server cannot be reached, asks for a key, or is busy.
    """
    try:
        response = await request
        if response.status_code in {401, 403, 503}:
            response.raise_for_status()
    except Exception as error:
        raise map_model_error(error, server) from error
    return response


def parsed(response: httpx.Response, server: str) -> dict[str, Any]:
    """Return the JSON object of a successful response; raises an `A2IAError` for any other."""
    try:
        value = response.raise_for_status().json()
    except Exception as error:
        raise map_model_error(error, server) from error
    if not isinstance(value, dict):
        raise ModelServerError(f"What answers at {response.url} is no {server} server.", "Check the address.")
    return value


def count(value: object) -> int | None:
    """Return a whole number as a server may write it, as text too; None for anything else."""
    try:
        return int(float(value)) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


async def answers(http: httpx.AsyncClient, path: str, key: str) -> bool:
    """Say whether a GET of `path` is answered in time with a JSON object that has `key`."""
    try:
        value = (await http.get(path, timeout=HEALTH_SECONDS)).raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False
    return isinstance(value, dict) and key in value


async def whole(chunks: AsyncIterator[ChatGenerationChunk], server: str) -> AsyncIterator[ChatGenerationChunk]:
    """Pass a reply's chunks on; raises `ModelServerError` if it ends without saying why it ended, or by force.

    Such a reply was cut: Ollama drops a reply that repeats one token, and any connection may close. LangChain would
    hand it on as complete, and a call in it would be run. Raises `ToolCallUnreadable` for a call whose arguments end
    in the middle, which LangChain would complete.
    """
    reason = ""
    calls: dict[int, str] = {}
    async for chunk in chunks:
        info = chunk.generation_info or {}
        reason = str(info.get("finish_reason") or info.get("done_reason") or reason)
        for call in getattr(chunk.message, "tool_call_chunks", ()):
            place = -1 - len(calls) if call["index"] is None else call["index"]
            calls[place] = calls.get(place, "") + (call["args"] or "")
        yield chunk
    if not reason or reason in _BROKEN_OFF:
        why = f" ({reason})" if reason else ""
        raise ModelServerError(
            f"The {server} server ended its reply before it was complete{why}, so nothing of it was used.",
            "Run the same command again, or ask in other words: a model that repeats itself is cut off too.",
        )
    half = next((text for text in calls.values() if _just_ends(text)), None)
    if half and reason != "length":
        raise ToolCallUnreadable(f"The {server} server sent a call whose arguments just end: {half[-200:]}")


def _just_ends(arguments: str) -> bool:
    """Say whether LangChain would complete these arguments of a call and have it run."""
    from langchain_core.utils.json import parse_partial_json

    try:
        json.loads(arguments or "{}", strict=False)
    except ValueError:
        with suppress(ValueError):
            return isinstance(parse_partial_json(arguments), dict)
    return False
