"""Spares openai's client a walk over the whole conversation at every request.

`AsyncCompletions.create` compares each field of each message with its type hints before it writes JSON
(openai/_utils/_transform.py), a third of what an agent step costs, and more with every message. What LangChain hands
over is plain JSON already, and what stands in `extra_body` is sent as it is.
"""

from __future__ import annotations

from typing import Any, TypeVar

import httpx
from langchain_openai import ChatOpenAI

Model = TypeVar("Model", bound=ChatOpenAI)
_PLAIN = ("messages", "tools")


class _Direct:
    def __init__(self, completions: Any) -> None:
        self._completions = completions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._completions, name)

    async def create(self, **payload: Any) -> Any:
        """Send a request as `AsyncCompletions.create` does, messages and tools untouched."""
        plain = {name: payload.pop(name) for name in _PLAIN if name in payload}
        body = {**plain, **(payload.pop("extra_body", None) or {})}
        return await self._completions.create(messages=[], extra_body=body, **payload)


def asynchronous_only() -> dict[str, Any]:
    """Return arguments for a `ChatOpenAI` whose synchronous client is never used: it reads nothing of the shell's."""
    return {"http_client": httpx.Client(verify=False, trust_env=False), "openai_proxy": ""}  # noqa: S501  it asks nobody


def direct(model: Model) -> Model:
    """Return `model` with requests that carry its messages and tools as LangChain wrote them."""
    model.async_client = _Direct(model.async_client)
    return model
