"""Servicer of Exchange: admit the caller, decode, call one flow, encode.

Rules of this module:

- A caller is admitted by its TLS certificate, the authorisation table and the register; all three
  are asked again for every commit group (``StreamGuard``, ``Committer``).
- The first refused envelope ends its stream; what was receipted before stays receipted.
- Receipts leave in the order of the envelopes.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import grpc.aio

from hub.api.admission import Admission, Caller
from hub.api.refusals import refusal
from hub.errors import HubError
from hub.exchange.downlink import Downlink, limits
from hub.exchange.opening import Opening
from hub.intake.checking import Submitted
from hub.intake.committing import Refused, Result
from hub.intake.pipeline import IntakePipeline, StreamGuard
from hub.packs.serving import open_file
from protos.yixin.v1 import exchange_pb2, exchange_pb2_grpc
from security.errors import PackAbsentError, SecurityError
from security.moments import to_ms

SubmitContext: TypeAlias = grpc.aio.ServicerContext[
    exchange_pb2.SubmitRequest, exchange_pb2.SubmitResponse
]
CollectContext: TypeAlias = grpc.aio.ServicerContext[
    exchange_pb2.CollectRequest, exchange_pb2.CollectResponse
]
MAX_AHEAD: Final = 1_024
"""Most envelopes of one stream that may wait for their receipts in memory."""
Waiting: TypeAlias = asyncio.Future[Result | None] | Refused | None
"""What a stream waits for: a result, a refusal from before the queue, or its end."""


class ExchangeServicer(exchange_pb2_grpc.ExchangeServicer):
    """Takes envelopes in and gives out those addressed to a member."""

    def __init__(
        self,
        *,
        admission: Admission,
        opening: Opening,
        pipeline: IntakePipeline,
        downlink: Downlink,
        packs: Path,
        now: Callable[[], datetime],
    ) -> None:
        """Serve the flows of one hub.

        Args:
            admission: Says who calls, and logs who is refused.
            opening: Answers the opening of a stream.
            pipeline: Takes envelopes.
            downlink: Gives out envelopes.
            packs: The hub's copy of the packs' repository.
            now: Tells the present moment, UTC-aware.
        """
        self._admission = admission
        self._opening = opening
        self._pipeline = pipeline
        self._downlink = downlink
        self._packs = packs
        self._now = now
        self._streams = itertools.count(1)

    async def Submit(  # noqa: N802 - named by the service definition
        self,
        request_iterator: AsyncIterator[exchange_pb2.SubmitRequest],
        context: SubmitContext,
    ) -> AsyncIterator[exchange_pb2.SubmitResponse]:
        """Take one stream of envelopes."""
        caller = await self._admission.admit(context, "Submit")
        try:
            first = await anext(request_iterator)
        except StopAsyncIteration:
            return
        try:
            accepted = await asyncio.to_thread(
                self._opening.answer, caller.member, first, to_ms(self._now())
            )
        except (SecurityError, HubError) as error:
            await self._admission.refuse(context, caller.member, "Submit", error)
            return
        yield exchange_pb2.SubmitResponse(accepted=accepted)
        issued: dict[int, int] = {head.lane: head.incarnation for head in accepted.incarnations}
        async for response in self._answers(request_iterator, caller, issued):
            yield response

    async def Collect(  # noqa: N802 - named by the service definition
        self, request: exchange_pb2.CollectRequest, context: CollectContext
    ) -> AsyncIterator[exchange_pb2.CollectResponse]:
        """Give out the envelopes behind the member's heads."""
        caller = await self._admission.admit(context, "Collect")
        now_ms = to_ms(self._now())
        try:
            heads, hub_keys = await asyncio.to_thread(
                self._opening.downlink_heads, caller.member, request.heads, now_ms
            )
            await asyncio.to_thread(self._downlink.acknowledge, caller.member, heads, now_ms)
            cursors = self._opening.cursors(heads)
            first = True
            for limit in limits(request.max_envelopes):
                sealed = await asyncio.to_thread(
                    self._downlink.next_round, caller.member, cursors, limit, now_ms
                )
                if not sealed:
                    break
                for envelope in sealed:
                    yield exchange_pb2.CollectResponse(
                        envelope=envelope, hub_keys=hub_keys if first else ()
                    )
                    first = False
        except (SecurityError, HubError) as error:
            await self._admission.refuse(context, caller.member, "Collect", error)

    async def FetchPack(  # noqa: N802 - named by the service definition
        self,
        request: exchange_pb2.PackFileRequest,
        context: grpc.aio.ServicerContext[exchange_pb2.PackFileRequest, exchange_pb2.PackFileChunk],
    ) -> AsyncIterator[exchange_pb2.PackFileChunk]:
        """Give out a file of the packs' repository, from an offset."""
        caller = await self._admission.admit(context, "FetchPack")
        try:
            file = await asyncio.to_thread(open_file, self._packs, request.name, request.offset)
            while piece := await asyncio.to_thread(next, file.pieces, b""):
                yield exchange_pb2.PackFileChunk(content=piece, size=file.size)
        except PackAbsentError:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such file of packs here.")
        except SecurityError as error:
            await self._admission.refuse(context, caller.member, "FetchPack", error)

    async def _answers(
        self,
        requests: AsyncIterator[exchange_pb2.SubmitRequest],
        caller: Caller,
        issued: dict[int, int],
    ) -> AsyncIterator[exchange_pb2.SubmitResponse]:
        waiting: asyncio.Queue[Waiting] = asyncio.Queue(MAX_AHEAD)
        reader = asyncio.create_task(self._read(requests, caller, issued, waiting))
        try:
            while (item := await waiting.get()) is not None:
                result = item if isinstance(item, Refused) else await _result(item)
                if result is None:
                    return
                if isinstance(result, Refused):
                    yield exchange_pb2.SubmitResponse(refusal=refusal(result))
                    return
                yield exchange_pb2.SubmitResponse(receipt=result)
        finally:
            reader.cancel()

    async def _read(
        self,
        requests: AsyncIterator[exchange_pb2.SubmitRequest],
        caller: Caller,
        issued: dict[int, int],
        waiting: asyncio.Queue[Waiting],
    ) -> None:
        guard = StreamGuard(caller.verify)
        stream = next(self._streams)
        try:
            async for request in requests:
                submitted = Submitted(
                    peer=caller.member, stream=stream, envelope=request.envelope, issued=issued
                )
                await waiting.put(await self._pipeline.submit(guard, submitted))
        except (SecurityError, HubError) as error:
            await waiting.put(Refused(error=error))
        await waiting.put(None)


async def _result(future: asyncio.Future[Result | None]) -> Result | None:
    try:
        return await future
    except HubError as error:
        return Refused(error=error)
