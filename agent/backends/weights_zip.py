"""One member of a zip archive, taken out while the archive arrives: nothing is kept, in memory or on disk."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

_HEADER = struct.Struct("<4sHHHHHIIIHH")
"""The local file header, APPNOTE.TXT 4.3.7: signature, version, flags, method, time, date, crc, sizes, lengths."""

_SIZES_FOLLOW = 0x08
_STORED, _DEFLATED = 0, 8


class BadZip(ValueError):
    """The bytes are no zip archive, or of a kind that cannot be read from front to back."""


class MemberStream:
    """Takes an archive's bytes in any cut and gives the bytes of the first member that `wanted(name)` accepts."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._pending = b""
        self._left = 0
        self._inflate: zlib._Decompress | None = None
        self._taking = False
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Return what of the wanted member came out of `data`. Raises `BadZip`."""
        out: list[bytes] = []
        self._pending += data
        while not self.done and self._pending:
            if self._left:
                out.append(self._body())
            elif not self._header():
                break
        if self.done:
            self._pending = b""
        return b"".join(out)

    def _body(self) -> bytes:
        raw, self._pending = self._pending[: self._left], self._pending[self._left :]
        self._left -= len(raw)
        if not self._taking:
            return b""
        self.done = self._left == 0
        if self._inflate is None:
            return raw
        try:
            out = self._inflate.decompress(raw)
        except zlib.error as error:
            raise BadZip(str(error)) from error
        if self.done and not self._inflate.eof:
            raise BadZip("a member ends early")
        return out

    def _header(self) -> bool:
        """Read a member's header if it is all there; False asks for more bytes."""
        if len(self._pending) < _HEADER.size:
            return False
        signature, _, flags, method, _, _, _, packed, _, name_size, extra_size = _HEADER.unpack_from(self._pending)
        end = _HEADER.size + name_size + extra_size
        if signature != b"PK\x03\x04":
            raise BadZip("the wanted member is not in it")
        if len(self._pending) < end:
            return False
        if flags & _SIZES_FOLLOW or method not in {_STORED, _DEFLATED}:
            raise BadZip("a member of a kind that cannot be read from front to back")
        name = self._pending[_HEADER.size : _HEADER.size + name_size].decode("utf-8", "replace")
        self._pending = self._pending[end:]
        self._left = packed
        self._taking = self._wanted(name)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if method == _DEFLATED else None
        self.done = self._taking and packed == 0
        return True
