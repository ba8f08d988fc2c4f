"""Calls of another hub's Transparency service, with errors of the exchange."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import grpc.aio

from protos.yixin.v1 import transparency_pb2
from security.exchange.wire_errors import rpc_error
from security.tlog.tiles import WIDTH, bundle_name, split_entries, width_at
from security.transparency import Checkpoint

if TYPE_CHECKING:
    from protos.yixin.v1.transparency_pb2_grpc import TransparencyAsyncStub

CALL_S: Final = 20.0
"""Longest wait for one answer, seconds."""
_BUNDLES: Final = 16
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCalls:
    """The service of one hub.

    Every call raises ``HubUnreachableError`` when the line broke, and ``HubRefusedError`` when the
    hub said no.
    """

    hub: str
    """Hub that is called."""
    stub: "TransparencyAsyncStub" = field(repr=False)
    """Its service."""

    async def note(self, origin: str) -> str:
        """The newest checkpoint that the hub has of a log; its own for an empty origin."""
        request = transparency_pb2.OriginRequest(origin=origin)
        return (await self._answer(self.stub.GetCheckpoint(request, timeout=CALL_S))).note

    async def cosign(
        self, request: transparency_pb2.CosignRequest
    ) -> transparency_pb2.CosignResponse:
        """Ask the hub to cosign, or tell it what was seen of its log."""
        return await self._answer(self.stub.Cosign(request, timeout=CALL_S))

    async def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Proof that the hub's log of a size continues that of an earlier one."""
        if old_size in {0, size}:
            return ()
        request = transparency_pb2.ProofRequest(consistency=True, old_size=old_size, size=size)
        return tuple((await self._answer(self.stub.Prove(request, timeout=CALL_S))).path)

    async def leaves(
        self, checkpoint: Checkpoint, start: int, *, origin: str = ""
    ) -> AsyncIterator[list[bytes]]:
        """Leaves of a log from an index up to a checkpoint's size, some thousand at a time.

        Args:
            checkpoint: State of the log.
            start: First index.
            origin: Log, where it is one that the hub mirrors.

        Raises:
            LogCorruptError: A bundle is malformed; nothing else is proved here.
        """
        found: list[bytes] = []
        last = -(-checkpoint.size // WIDTH)
        for index in range(start // WIDTH, last):
            width = width_at(0, index, checkpoint.size)
            request = transparency_pb2.TileRequest(
                index=index, width=width, entries=True, origin=origin
            )
            tile = await self._answer(self.stub.GetTile(request, timeout=CALL_S))
            entries = split_entries(tile.content, width, bundle_name(index, width))
            found += entries[max(0, start - index * WIDTH) :]
            if len(found) >= _BUNDLES * WIDTH or index == last - 1:
                yield found
                found = []

    async def _answer(self, call: Awaitable[AnswerT]) -> AnswerT:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise rpc_error(error, self.hub) from error
