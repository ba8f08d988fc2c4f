"""A core platform of the tests: it keeps the very bytes of every call and answers as told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import httpx

from node.api.his.answering import Answering
from node.api.his.own_calls import OwnCalls
from node.api.his.proxy import ProxyApp
from node.api.his.server import HttpServer
from node.gateway import Exchange
from node.gateway.upstream import Upstream
from node.interface_settings import GatewaySettings
from tests.support.node_messages import NOW

Behave: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(answer: bytes) -> Behave:
    """Answer every call with the same bytes."""

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return behave


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer with its length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(slots=True, kw_only=True)
class Platform:
    """What came."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def platform(behave: Behave) -> AsyncIterator[Platform]:
    """Serve on the loopback."""
    seen = Platform()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.heads.append(head)
                seen.bodies.append(await _body(reader, head.lower()))
                await behave(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for writer in writers:
            writer.close()


@contextmanager
def nobody() -> Iterator[str]:
    """Hold a port without listening: an address that refuses every call while it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" in head:
        parts = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(parts)
    _, found, rest = head.partition(b"content-length: ")
    return await reader.readexactly(int(rest.split(b"\r\n")[0])) if found else b""


@dataclass(slots=True, kw_only=True)
class Kept:
    """Keeps copies in memory."""

    exchanges: list[Exchange] = field(default_factory=list)
    notes: list[tuple[bool, bool | None]] = field(default_factory=list)
    unjudged: int = 0
    error: Exception | None = None

    def put(self, exchange: Exchange) -> None:
        if self.error is not None:
            raise self.error
        self.exchanges.append(exchange)

    def note(
        self, *, too_long: bool = False, was_sent: bool | None = None, unjudged: bool = False
    ) -> None:
        if unjudged:
            self.unjudged += 1
        else:
            self.notes.append((too_long, was_sent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """A gateway before a platform."""

    url: str
    client: httpx.AsyncClient
    kept: Kept


@asynccontextmanager
async def proxied(
    upstream_url: str,
    *,
    own: OwnCalls | None = None,
    answer_timeout_s: float = 10,
    message_timeout_s: float = 10,
) -> AsyncIterator[Proxied]:
    """Serve a gateway on the loopback."""
    upstream = Upstream(
        upstream_url,
        trust=httpx.create_ssl_context(),
        connect_timeout_s=2,
        answer_timeout_s=answer_timeout_s,
    )
    kept = Kept()
    made = Answering(lambda: NOW)
    app = ProxyApp(upstream, kept, made, message_timeout_s=message_timeout_s, own=own)
    server = HttpServer(app, GatewaySettings(port=0), Path(), made.failed)
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as client:
        try:
            yield Proxied(url=server.url, client=client, kept=kept)
        finally:
            await client.aclose()
            await server.stop()
            await upstream.close()
