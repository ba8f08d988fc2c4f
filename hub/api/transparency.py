"""Servicer of Transparency: admit the caller, bound what is asked, call one flow, encode.

What is read here is public among members: hashes and the header's minimum.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import grpc.aio

from hub.api.admission import Admission
from hub.api.authorisation import TRANSPARENCY
from hub.errors import HubError
from hub.log.hub_log import HubLog
from hub.log.serving import find_note_of, find_tile, prove
from hub.log.witnessing import UNTRUSTED, Answer, Asked, hear, witness
from hub.store import log_peers
from hub.store.engine import reading
from protos.yixin.v1 import transparency_pb2, transparency_pb2_grpc
from security.errors import SecurityError
from security.merkle import HASH_BYTES, MAX_PATH
from security.tlog.tiles import MAX_LEVEL, WIDTH
from security.transparency import MAX_CHECKPOINT_CHARS, MAX_LEAF_BYTES, MAX_SIZE, parse_note

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
ResultT = TypeVar("ResultT")
MAX_ASKED_ENTRIES: Final = 1024
"""Most leaves of one request to cosign."""
MAX_ORIGIN_CHARS: Final = 128
_MAX_INDEX: Final = MAX_SIZE // WIDTH


class TransparencyServicer(transparency_pb2_grpc.TransparencyServicer):
    """Shows the hub's log, and cosigns those of others."""

    def __init__(self, *, admission: Admission, log: HubLog) -> None:
        """Serve one hub's log.

        Args:
            admission: Says who calls, and logs who is refused.
            log: The hub's log.
        """
        self._admission = admission
        self._log = log

    async def GetCheckpoint(  # noqa: N802 - named by the service definition
        self, request: transparency_pb2.OriginRequest, context: Context
    ) -> transparency_pb2.CheckpointNote:
        """Show the newest checkpoint of a log."""
        await self._admit(context, "GetCheckpoint")
        await _expect(context, len(request.origin) <= MAX_ORIGIN_CHARS)
        note = await self._do(context, lambda: find_note_of(self._log, request.origin))
        return transparency_pb2.CheckpointNote(note=note)

    async def GetTile(  # noqa: N802 - named by the service definition
        self, request: transparency_pb2.TileRequest, context: Context
    ) -> transparency_pb2.Tile:
        """Show a tile or an entry bundle."""
        await self._admit(context, "GetTile")
        await _expect(
            context,
            request.level <= MAX_LEVEL
            and request.index <= _MAX_INDEX
            and 1 <= request.width <= WIDTH
            and len(request.origin) <= MAX_ORIGIN_CHARS,
        )
        content = await self._do(context, lambda: find_tile(self._log, request))
        if content is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "The log has no such tile.")
            raise AssertionError("a call that was aborted goes on")  # pragma: no cover
        return transparency_pb2.Tile(content=content)

    async def Prove(  # noqa: N802 - named by the service definition
        self, request: transparency_pb2.ProofRequest, context: Context
    ) -> transparency_pb2.Proof:
        """Prove a leaf, or that the log continues an earlier one."""
        await self._admit(context, "Prove")
        found = await self._do(context, lambda: prove(self._log, request))
        if found is None:
            await context.abort(
                grpc.StatusCode.OUT_OF_RANGE, "The published log is smaller, or has no such leaf."
            )
            raise AssertionError("a call that was aborted goes on")  # pragma: no cover
        return found

    async def Cosign(  # noqa: N802 - named by the service definition
        self, request: transparency_pb2.CosignRequest, context: Context
    ) -> transparency_pb2.CosignResponse:
        """Cosign a checkpoint of the caller's log, or hear what it saw of this hub's own."""
        caller = await self._admit(context, "Cosign")
        await _expect(
            context,
            len(request.note) <= MAX_CHECKPOINT_CHARS
            and len(request.path) <= MAX_PATH
            and all(len(found) == HASH_BYTES for found in request.path)
            and len(request.entries) <= MAX_ASKED_ENTRIES
            and all(len(entry) <= MAX_LEAF_BYTES for entry in request.entries)
            and request.old_size <= MAX_SIZE,
        )
        answer = await self._do(context, lambda: _cosign(self._log, caller, request))
        return transparency_pb2.CosignResponse(
            lines=answer.lines, size=answer.size, refusal=answer.refusal
        )

    async def _admit(self, context: Context, method: str) -> str:
        return (await self._admission.admit(context, method, TRANSPARENCY)).member

    async def _do(self, context: Context, flow: Callable[[], ResultT]) -> ResultT:
        try:
            return await asyncio.to_thread(flow)
        except (SecurityError, HubError, OSError) as error:
            await self._admission.refuse(context, "", "Transparency", error)


def _cosign(log: HubLog, caller: str, request: transparency_pb2.CosignRequest) -> Answer:
    try:
        origin = parse_note(request.note).checkpoint.origin
    except SecurityError:
        return Answer(refusal=UNTRUSTED)
    if log.is_own(origin):
        return hear(log, caller, request.note)
    with reading(log.engine) as connection:
        peer = log_peers.find_peer(connection, caller)
    if peer is None:
        return Answer(refusal=UNTRUSTED)
    asked = Asked(
        old_size=request.old_size,
        path=tuple(request.path),
        note=request.note,
        entries=tuple(request.entries),
    )
    return witness(log, peer, asked)


async def _expect(context: Context, ok: bool) -> None:  # noqa: FBT001 - one use per method
    if not ok:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT, "A part of the request is out of its bounds."
        )
