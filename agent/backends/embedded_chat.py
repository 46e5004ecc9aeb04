"""LangChain's OpenAI client on the embedded server, wherever that server is at the moment of each request.

Importing this costs over a second (langchain_openai), so `agent.backends.embedded` does it beside the server's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr

from agent.backends.direct import asynchronous_only, direct
from agent.backends.embedded_server import Address, EmbeddedServer
from agent.backends.wire import ask
from agent.config import Settings

PLACEHOLDER = "http://embedded.invalid"
"""Stands in every URL until the transport puts the server's address there."""

REPLY_TOKENS = 1024
"""Longest reply, thought and call or answer together: a loop of a small model ends after a minute on two cores."""


class ServerTransport(httpx.AsyncBaseTransport):
    """Sends each request to where the server is now, and once more if it broke off before its answer began."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._inner = httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the server's response; raises `ModelServerError` if no server can be brought up, else httpx errors."""
        await request.aread()
        try:
            return await self._send(request)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            self._server.doubt()
            return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        _direct(request, await self._server.ensure())
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections to the server."""
        await self._inner.aclose()


def _direct(request: httpx.Request, address: Address) -> None:
    target = httpx.URL(address.url)
    request.url = request.url.copy_with(scheme=target.scheme, host=target.host, port=target.port)
    request.headers["Host"] = f"{target.host}:{target.port}"
    request.headers["Authorization"] = f"Bearer {address.key}"


def client(server: EmbeddedServer, timeout: float) -> httpx.AsyncClient:
    """Return a client whose requests to `PLACEHOLDER` reach `server`, which may be silent for `timeout` seconds.

    The user's proxies are not asked: it is local.
    """
    return httpx.AsyncClient(transport=ServerTransport(server), base_url=PLACEHOLDER, trust_env=False, timeout=timeout)


class EmbeddedChat(ChatOpenAI):
    """`ChatOpenAI` that counts tokens as llama.cpp does."""

    _http: httpx.AsyncClient = PrivateAttr()

    async def prompt_tokens(self, messages: list[BaseMessage], tools: Sequence[dict[str, Any]] = ()) -> int:
        """Return how long the prompt of this request is, as the server counts it. Raises an `A2IAError`."""
        more: dict[str, Any] = {"tools": list(tools)} if tools else {}
        payload = self._get_request_payload(messages, **more)
        body = {key: payload[key] for key in ("messages", "tools") if key in payload}
        prompt = (await ask(self._http.post("/apply-template", json=body), "embedded"))["prompt"]
        read = {"content": prompt, "add_special": True, "parse_special": True}
        return len((await ask(self._http.post("/tokenize", json=read), "embedded"))["tokens"])


def chat_model(http: httpx.AsyncClient, model: str, settings: Settings) -> EmbeddedChat:
    """Return the chat model on `http`; it retries nothing by itself. Async only: there is no synchronous client."""
    made = EmbeddedChat(
        model=model,
        base_url=f"{PLACEHOLDER}/v1",
        api_key=SecretStr("set-by-the-transport"),
        http_async_client=http,
        **asynchronous_only(),
        temperature=settings.temperature,
        seed=settings.seed,
        max_completion_tokens=REPLY_TOKENS,
        timeout=settings.timeout,
        stream_chunk_timeout=None,  # its wait_for loses a cancel on Python 3.11; `timeout` bounds silence as well
        stream_usage=True,
        max_retries=0,
        use_responses_api=False,
    )
    made._http = http
    return direct(made)
