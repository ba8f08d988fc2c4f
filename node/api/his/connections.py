"""Connections of the interface: HTTP/1.1 by uvicorn, with what it leaves open closed.

| bound | why |
|---|---|
| connections | one more is told so and closed |
| head: 16 KiB, 10 s | a head that grows or trickles is no call |
| answer that nobody reads | its connection is cut when it is idle for too long |
| body that goes on after its answer: 5 s | it may have no end; until then its sender can read why |
| ``Upgrade`` | taken out of the head: the parser would drop the body of such a call |

Clients that prefer HTTP/2 (Java's own among them) ask for it beside an ordinary POST; a server
that does not change the protocol goes on as if nobody had asked.
What is not HTTP still gets the official envelope, with the HTTP status that says so.

Source:
    RFC 9112 (HTTP/1.1); RFC 9110, section 7.8 (Upgrade), and sections 15.5 and RFC 6585,
    section 5, for the status.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from node.api.his.answering import CONTENT_TYPE

__all__ = ["HEAD_TIMEOUT_S", "MAX_HEAD_BYTES", "BoundedProtocol", "bounded_protocol"]

MAX_HEAD_BYTES: Final = 16 * 1024
HEAD_TIMEOUT_S: Final = 10.0
LINGER_S: Final = 5.0
_END: Final = b"\r\n\r\n"
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)

_FULL: Final = "连接数已满，请稍后重发 / too many connections: send it again"
_BAD_HTTP: Final = "不是有效的HTTP请求 / not a valid HTTP request"
_BAD_HEAD: Final = "HTTP头过大或未按时到齐 / the head is too large or too slow"


def bounded_protocol(
    max_connections: int, refusal: Callable[[str], bytes]
) -> type[asyncio.Protocol]:
    """Make the protocol of the connections of one server.

    Args:
        max_connections: Most connections at a time.
        refusal: Makes an answer in the official envelope that says what is wrong.
    """
    bounds = {"max_connections": max_connections, "refusal": staticmethod(refusal)}
    return type("ServedProtocol", (BoundedProtocol,), bounds)


class _Corked:
    """A transport that sends the head of an answer together with the beginning of its body."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self._is_head = True

    def write(self, data: bytes) -> None:
        """Send; the first bytes wait for those that follow at once."""
        if self._is_head:
            self._is_head = False
            self._held = data
            self._loop.call_soon(self._flush)
            return
        if self._held is not None:
            data, self._held = self._held + data, None
        self._transport.write(data)

    def _flush(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._transport.write(held)

    def close(self) -> None:
        """Send what waits, and close."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed or being closed."""
        return self._transport.is_closing()


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose heads are bounded in size and time."""

    max_connections: ClassVar[int]
    refusal: ClassVar[Callable[[str], bytes]]

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401  # as uvicorn makes it
        """Begin in the first head."""
        super().__init__(*args, **settings)
        self._head = b""
        self._is_in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse("503 Service Unavailable", _FULL)
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head is looked at when it is whole."""
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._head = (self._head + data).lstrip(b"\r\n")
            if self._head_timer is None:
                self._await_head()
            end = self._head.find(_END)
            if max(end, len(self._head) if end < 0 else 0) > MAX_HEAD_BYTES:
                self._refuse("431 Request Header Fields Too Large", _BAD_HEAD)
                return
            if self._head and not self._head[:1].isalpha():
                self._refuse("400 Bad Request", _BAD_HTTP)
                return
            if end < 0:
                return
            data = _UPGRADE.sub(b"", self._head[:end]) + self._head[end:]
            self._head = b""
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._is_in_head = False
        self._forget_timer()
        super().on_headers_complete()
        self.cycle.transport = _Corked(self.transport, self.loop)  # type: ignore[assignment]  # all it uses

    def on_message_complete(self) -> None:
        """Expect another head."""
        self._is_in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give a sender that goes on after its answer a little time, not for ever."""
        if not self._is_in_head and not self.pipeline:
            self.loop.call_later(LINGER_S, self._abandon, self.cycle)
        super().on_response_complete()

    def _abandon(self, cycle: object) -> None:
        if self.cycle is cycle and not self._is_in_head:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        del msg
        self._refuse("400 Bad Request", _BAD_HTTP)

    def _unsupported_upgrade_warning(self) -> None:
        # Only of a call that came in one piece with the one before it.
        self._refuse("400 Bad Request", _BAD_HTTP)

    def timeout_keep_alive_handler(self) -> None:
        """Cut an idle connection: a peer that does not read would hold a mere close for ever."""
        self.transport.abort()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._late)

    def _late(self) -> None:
        self._refuse("408 Request Timeout", _BAD_HEAD)

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: str, words: str) -> None:
        self._forget_timer()
        if self.transport.is_closing():
            return
        body = type(self).refusal(words)
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: {CONTENT_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
