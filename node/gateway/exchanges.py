"""One call and its answer, as the gateway saw them, and their bytes in a spool.

An exchange is ``header length (4 bytes, big endian) ‖ header ‖ request ‖ response``; the header is
JSON. Bodies are kept as they were on the wire; whoever drains a spool decodes them.
"""

import struct
from dataclasses import asdict, dataclass, field
from typing import Final

import orjson

from node.errors import StoreError

__all__ = ["MAX_KEPT_BYTES", "Capture", "Exchange", "pack_exchange", "unpack_exchange"]

MAX_KEPT_BYTES: Final = 4 * 1024 * 1024
"""Longest request, and longest response, of which a copy is kept."""
_LENGTH: Final = struct.Struct(">I")
_BODIES: Final = ("request", "response")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request, with its response where one came whole."""

    path: str
    request: bytes = field(repr=False)
    response: bytes | None = field(repr=False)
    """None when no whole answer came: what the platform did is not known."""
    request_type: str = ""
    """Content-Type of the request."""
    response_type: str = ""
    response_encoding: str = ""
    """Content-Encoding of the response, for example ``gzip``."""
    status: int = 0
    """HTTP status; 0 without a response."""
    is_own: bool = False
    """True when the node answered by itself."""

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        return len(self.request) + len(self.response or b"")


class Capture:
    """Gathers a body that passes by, up to a bound; beyond it there is no copy."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] | None = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Note a part that passed."""
        if self._parts is None:
            return
        self._size += len(part)
        if self._size > self._max_bytes:
            self._parts = None
        else:
            self._parts.append(part)

    @property
    def body(self) -> bytes | None:
        """The whole body; None when it was longer than the bound."""
        return None if self._parts is None else b"".join(self._parts)


def pack_exchange(exchange: Exchange) -> bytes:
    """Write an exchange as bytes.

    >>> one = Exchange(path="/a", request=b"{}", response=None)
    >>> unpack_exchange(pack_exchange(one)) == one
    True
    """
    shown = {name: value for name, value in asdict(exchange).items() if name not in _BODIES}
    shown["request_bytes"] = len(exchange.request)
    shown["answered"] = exchange.response is not None
    header = orjson.dumps(shown)
    return _LENGTH.pack(len(header)) + header + exchange.request + (exchange.response or b"")


def unpack_exchange(raw: bytes) -> Exchange:
    """Read an exchange back from its bytes, which were authenticated before.

    Raises:
        StoreError: They were written by another release.
    """
    try:
        (length,) = _LENGTH.unpack_from(raw)
        bodies = raw[_LENGTH.size + length :]
        header = orjson.loads(raw[_LENGTH.size : _LENGTH.size + length])
        split = header.pop("request_bytes")
        response = bodies[split:] if header.pop("answered") else None
        return Exchange(request=bodies[:split], response=response, **header)
    except (struct.error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            "a copy in the gateway's spool is of another release; drain the spool with the release "
            "that wrote it, or have the sender's messages ingested from its own files"
        ) from error
