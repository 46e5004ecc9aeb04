"""Addresses of model servers as people write them. Imports nothing heavy: the settings use it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit, urlunsplit

from agent.errors import UsageError

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  nothing is bound
"""What a server listens at that serves all addresses, as `OLLAMA_HOST` may say: asked, it is this machine."""


def server_url(text: str, port: int, option: str) -> str:
    """Return `text` as a URL without a slash at its end: `host`, `host:port` and `:port` are taken too.

    `port` is the server's usual one, for a text without a scheme. Raises `UsageError` that names `option`.
    """
    scheme = "://" in text
    try:
        parts = urlsplit(text if scheme else f"http://{text}")
        number, host = parts.port, parts.hostname or ("" if scheme else "127.0.0.1")
    except ValueError:
        parts, number, host = SplitResult("", "", "", "", ""), None, ""
    if parts.scheme not in {"http", "https"} or not host or any(letter.isspace() for letter in text):
        raise UsageError(f"{option}: {text!r} is no address of a server.", f"Write it as http://localhost:{port}.")
    host = _EVERYWHERE.get(host, host)
    number = number or (None if scheme else port)
    user, at, _ = parts.netloc.rpartition("@")
    shown = f"[{host}]" if ":" in host else host
    where = f"{user}{at}{shown}:{number}" if number else f"{user}{at}{shown}"
    return urlunsplit((parts.scheme, where, parts.path.rstrip("/"), "", ""))


def is_loopback(text: str) -> bool:
    """Say whether the address is one of this machine alone."""
    host = ""
    try:
        host = urlsplit(text if "://" in text else f"http://{text}").hostname or ""
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def public(url: str) -> str:
    """Return the URL without user name and password, for messages."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
