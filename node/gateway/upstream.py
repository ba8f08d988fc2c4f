"""The way to the core platform: one call there, its answer back, byte for byte.

0. Method, target, headers and body go as they came; only what belongs to one connection
   (RFC 9110, section 7.6.1) and ``Host`` are our own.
1. A call is sent once: the platform settles, and nobody may make it settle twice.
2. A call that did not reach the platform is told apart from one whose outcome is unknown.

Source:
    RFC 9110, section 7.6 (message forwarding); RFC 9112, section 9.5 (failures).
"""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from node.errors import NodeError

__all__ = ["Answer", "RequestHead", "Upstream", "UpstreamError"]

Headers = Sequence[tuple[bytes, bytes]]

_KEEPALIVE_S: Final = 10.0
"""Shorter than servers wait, so that no call goes into a connection that is being closed."""
_HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


class UpstreamError(NodeError):
    """The platform gave no whole answer; ``was_sent`` says whether it may have acted."""

    def __init__(self, found: str, *, was_sent: bool) -> None:
        expected = "an answer of the core platform; check the network and gateway.upstream"
        super().__init__(f"{found} found, expected {expected}")
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """Head of a call as it came."""

    method: str
    target: bytes
    """Path and query, percent-encoded as sent."""
    headers: Headers = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Head of an answer, and its body as it arrives."""

    status: int
    headers: Headers = field(repr=False)
    chunks: AsyncIterator[bytes] = field(repr=False)


class Upstream:
    """A pool of connections to one platform."""

    def __init__(
        self,
        origin: str,
        *,
        trust: ssl.SSLContext,
        connect_timeout_s: float,
        answer_timeout_s: float,
        socket: Path | None = None,
    ) -> None:
        """Prepare the pool; nothing is connected yet.

        Args:
            origin: Scheme and authority.
            trust: Whom to trust where the scheme is https.
            connect_timeout_s: Longest time to reach it, seconds.
            answer_timeout_s: Longest silence within a call, seconds.
            socket: Unix socket where it listens; None for the origin's address.
        """
        self._url = httpx.URL(origin)
        self._host = self._url.netloc
        self._timeouts = {
            "connect": connect_timeout_s,
            "pool": connect_timeout_s,
            "read": answer_timeout_s,
            "write": answer_timeout_s,
        }
        # The number of connections is bounded where calls come in.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=_KEEPALIVE_S)
        self._transport = httpx.AsyncHTTPTransport(
            verify=trust,
            trust_env=False,
            limits=limits,
            retries=0,
            uds=None if socket is None else str(socket),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def ask(self, head: RequestHead, body: AsyncIterator[bytes]) -> AsyncIterator[Answer]:
        """Pass a call on.

        Args:
            head: Its head.
            body: Its body; what it raises ends the call and comes through.

        Yields:
            The answer; its body must be read within the block.

        Raises:
            UpstreamError: No answer came, or it broke off.
        """
        request = httpx.Request(
            head.method,
            self._url,
            headers=[(b"host", self._host), *_end_to_end(head.headers), *_framing(head.headers)],
            stream=_Body(body),
            extensions={"timeout": self._timeouts, "target": head.target},
        )
        try:
            response = await self._transport.handle_async_request(request)
        except _NOT_SENT as error:
            raise UpstreamError(type(error).__name__, was_sent=False) from error
        except httpx.TransportError as error:
            raise UpstreamError(type(error).__name__, was_sent=True) from error
        try:
            yield Answer(
                status=response.status_code,
                headers=_end_to_end(response.headers.raw),
                chunks=_chunks(response),
            )
        finally:
            await response.aclose()


class _Body(httpx.AsyncByteStream):
    """A body that is sent while it comes."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            yield part


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """Give the body as it is on the wire, not decompressed."""
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous transport gives an asynchronous stream")
    try:
        async for chunk in stream:
            yield chunk
    except httpx.TransportError as error:
        raise UpstreamError(type(error).__name__, was_sent=True) from error


def _end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Leave out what belongs to one connection, ``Host`` included."""
    named = {
        token.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for token in value.split(b",")
    }
    left_out = _HOP_BY_HOP | named | {b"host"}
    return [(name, value) for name, value in headers if name.lower() not in left_out]


def _framing(headers: Headers) -> list[tuple[bytes, bytes]]:
    is_chunked = any(name.lower() == b"transfer-encoding" for name, _ in headers)
    return [(b"transfer-encoding", b"chunked")] if is_chunked else []
