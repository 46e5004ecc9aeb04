"""What every request to Ollama goes through: it may wait for a busy server, and it never loses history in silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from agent.backends.address import is_loopback
from agent.backends.base import Progress, Report
from agent.backends.environment import environment_read
from agent.errors import ServerBusy

PAUSES = (0.1, 0.3, 1.0, 3.0, 9.0)
"""Seconds between the tries of a request that a busy server turned away."""


class OllamaTransport(httpx.AsyncBaseTransport):
    """Puts `truncate: false` into every chat request, and tries a request again that a busy server turned away.

    Without the field, for which ollama's client has no argument, Ollama drops the oldest messages of a long
    conversation and says nothing; with it the answer is 400. All pauses together stay within `patience` seconds;
    `report` is told of each.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, patience: float, report: Report) -> None:
        self._inner = inner
        self._report = report
        self._pauses = _within(PAUSES, patience)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the server's response. Raises `ServerBusy` if it stays busy."""
        request = await _untruncated(request)
        for pause in [*self._pauses, None]:
            response = await self._inner.handle_async_request(request)
            if response.status_code != 503 or request.method == "GET":  # Ollama's queue is one of replies
                return response
            words = (await response.aread()).decode(errors="replace")
            await response.aclose()
            if pause is not None:
                self._report(Progress(f"Ollama is busy; asking again in {pause:g} s"))
                await asyncio.sleep(pause)
        raise ServerBusy("ollama", len(self._pauses) + 1, _words(words))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def transport(url: str, patience: float, report: Report) -> OllamaTransport:
    """Return the connections that all requests to the server at `url` share."""
    safe = urlsplit(url).scheme == "https"  # without TLS the certificates, 20 ms of reading, are of no use
    with environment_read():
        inner = httpx.AsyncHTTPTransport(verify=safe, trust_env=not is_loopback(url), proxy=_proxy(url))
    return OllamaTransport(inner, patience, report)


def _proxy(url: str) -> str | None:
    """Return the user's proxy for a server on another machine: httpx asks for none beside a transport of one's own."""
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme) or getproxies().get("all")


def _within(pauses: Sequence[float], patience: float) -> list[float]:
    return [pause for place, pause in enumerate(pauses) if sum(pauses[: place + 1]) <= patience]


def _words(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text


async def _untruncated(request: httpx.Request) -> httpx.Request:
    """Return the request with a body that can be sent again, and with the field if it is a chat."""
    content = await request.aread()
    if content and request.url.path.endswith("/api/chat"):
        content = json.dumps({**json.loads(content), "truncate": False}).encode()
    headers = {key: value for key, value in request.headers.items() if key != "content-length"}
    return httpx.Request(request.method, request.url, headers=headers, content=content, extensions=request.extensions)
