"""A connection to an MCP server by URL, which remembers the HTTP status that it was last refused with."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from agent.mcp.config import ServerSpec
from agent.mcp.stdio import MAX_MESSAGE_BYTES


class HttpTransport:
    """Streamable HTTP, or the older HTTP+SSE where the configuration says so."""

    def __init__(self, spec: ServerSpec) -> None:
        self.refusal: int | None = None
        """The HTTP status of the last response, if it was 400 or more; the SDK's own errors do not tell it."""
        self._url = spec.url
        self._headers = dict(spec.headers)
        self._sse = spec.sse

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """Open the connection and yield its message streams."""
        return sse_client(self._url, self._headers) if self._sse else self._streamable()

    @asynccontextmanager
    async def _streamable(self) -> AsyncIterator[Any]:
        async with (
            # No read limit here, since each request has its own.
            httpx2.AsyncClient(
                headers=self._headers,
                timeout=httpx2.Timeout(30.0, read=None),
                event_hooks={"response": [self._remember]},
            ) as client,
            # The SDK's own limit for one event is 1 MiB, too little for a large result.
            streamable_http_client(self._url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES) as streams,
        ):
            yield streams

    async def _remember(self, response: httpx2.Response) -> None:
        self.refusal = response.status_code if response.status_code >= 400 else None
