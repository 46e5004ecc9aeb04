"""Which web pages may talk to the server of `graphs.server`."""

import re

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_KNOWN = re.compile(r"https://smith\.langchain\.com|https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class KnownOrigins:
    """Refuses what a stranger's web page sends through the browser of whoever runs the server.

    A run can start programs, a page needs no leave to post to 127.0.0.1, and the server by itself turns none away. Only
    browsers name an origin; LangGraph's Studio and pages served from this machine pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        origin = Headers(scope=scope).get("origin") if scope["type"] in ("http", "websocket") else None
        if origin is None or _KNOWN.fullmatch(origin):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        else:
            text = (
                f"Pages of {origin} may not use this server: open them from http://localhost, or use LangGraph Studio."
            )
            await PlainTextResponse(text, 403)(scope, receive, send)
