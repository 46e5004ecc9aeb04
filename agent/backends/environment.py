"""The proxies and certificates that a shell names: HTTP clients read them as they are made, and fail at bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from agent.errors import UsageError


@contextmanager
def environment_read() -> Iterator[None]:
    """Make an HTTP client within; raises `UsageError` where it cannot use what the shell's variables say."""
    try:
        yield
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        raise UsageError(
            f"The proxies or certificates that this shell names cannot be used: {str(error).rstrip('.')}.",
            "Correct or unset ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from error
