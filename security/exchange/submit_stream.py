"""The grpc.aio side of one Submit stream: reads ahead, bounded, and translates errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from protos.yixin.v1 import exchange_pb2, exchange_pb2_grpc
from security.exchange.wire_errors import line_lost, rpc_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from security.errors import SecurityError

READ_AHEAD: Final = 1_024
"""Responses read before the member has settled them."""
CLOSE_TIMEOUT_S: Final = 5.0


class SubmitStream:
    """One call, with a task that reads while the member writes.

    Args:
        channel: Channel to the hub.
        hub: Member id of the hub, for messages.
        stall_timeout_s: Longest wait for a message that is owed, seconds.
    """

    def __init__(self, channel: grpc.aio.Channel, hub: str, stall_timeout_s: float) -> None:
        self._hub = hub
        self._stall_timeout_s = stall_timeout_s
        self._outgoing: asyncio.Queue[exchange_pb2.SubmitRequest | None] = asyncio.Queue()
        self._call = exchange_pb2_grpc.ExchangeStub(channel).Submit(self._frames())
        self._arrived: deque[exchange_pb2.SubmitResponse] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    def write(self, frame: exchange_pb2.SubmitRequest) -> None:
        """Send a frame as soon as the line takes it; the sender's window bounds what waits.

        A line that broke is not reported here: what the hub said last, a refusal perhaps, is
        still to be read, and ``next`` and ``wait`` report the end after it.
        """
        self._outgoing.put_nowait(frame)

    def arrived(self) -> list[exchange_pb2.SubmitResponse]:
        """Messages that have arrived, oldest first."""
        messages = list(self._arrived)
        self._arrived.clear()
        self._room.set()
        return messages

    async def wait(self) -> None:
        """Wait until a message has arrived.

        Raises:
            HubUnreachableError: The line broke or nothing came in time.
            HubRefusedError: The hub ended the call with a refusal.
        """
        if self._arrived:
            return
        self._news.clear()
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait(
                {news, self._reader},
                timeout=self._stall_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            news.cancel()
        if not self._arrived:
            raise self._end()

    async def next(self) -> exchange_pb2.SubmitResponse:
        """The next message.

        Raises:
            HubUnreachableError: The line broke or nothing came in time.
            HubRefusedError: The hub ended the call with a refusal.
        """
        await self.wait()
        return self._arrived.popleft()

    async def finish(self) -> None:
        """Say that nothing follows; every promise is settled, so that no answer is waited for."""
        self._outgoing.put_nowait(None)
        await asyncio.wait({self._reader}, timeout=CLOSE_TIMEOUT_S)

    async def close(self) -> None:
        """End the call and its reader."""
        self._call.cancel()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
            await self._reader

    async def _read(self) -> None:
        async for response in self._call:
            self._arrived.append(response)
            self._news.set()
            if len(self._arrived) >= READ_AHEAD:
                self._room.clear()
                await self._room.wait()

    async def _frames(self) -> AsyncIterator[exchange_pb2.SubmitRequest]:
        while (frame := await self._outgoing.get()) is not None:
            yield frame

    def _end(self) -> SecurityError:
        if not self._reader.done():
            return line_lost(self._hub, f"no answer within {self._stall_timeout_s:g} s")
        error = None if self._reader.cancelled() else self._reader.exception()
        if isinstance(error, grpc.aio.AioRpcError):
            return rpc_error(error, self._hub)
        return line_lost(self._hub, "it closed the stream while answers were due")
