"""A tool list in which one tool is malformed, made readable: the SDK would refuse the whole server for it."""

from types import TracebackType
from typing import Any, Self

from mcp.client import Transport
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse
from mcp_types.methods import validate_server_result
from pydantic import ValidationError

from agent.mcp.arguments import INVALID_SCHEMA


def mend(item: SessionMessage | Exception) -> SessionMessage | Exception:
    """Replace malformed tools in a `tools/list` result, in place; anything else passes as it is."""
    if isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCResponse):
        tools = item.message.result.get("tools")
        if isinstance(tools, list):
            item.message.result["tools"] = [_usable(tool) for tool in tools if _has_name(tool)]
    return item


def _has_name(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("name"), str)


def _usable(tool: dict[str, Any]) -> dict[str, Any]:
    try:
        validate_server_result("tools/list", "2025-11-25", {"tools": [tool]})
    except ValidationError:
        description = tool.get("description")
        text = {"description": description} if isinstance(description, str) else {}
        return {"name": tool["name"], **text, "inputSchema": INVALID_SCHEMA}
    return tool


class Tolerant:
    """A transport whose incoming messages are mended."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def __aenter__(self) -> Any:
        incoming, outgoing = await self._inner.__aenter__()
        return _Mended(incoming), outgoing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)


class _Mended:
    """The SDK's read stream, with every message mended on the way."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def last_context(self) -> Any:
        """The sender's context, which streams over HTTP carry."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        return mend(await self._stream.receive())

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return mend(await self._stream.__anext__())

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        closed: bool | None = await self._stream.__aexit__(kind, error, trace)
        return closed
