"""A hub's log as members see it: checkpoints that are signed on demand, and their proofs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

from protos.yixin.v1 import transparency_pb2, transparency_pb2_grpc
from security.merkle import consistency_path, leaf_hash, root
from security.transparency import Checkpoint, sign_checkpoint

if TYPE_CHECKING:
    import grpc.aio

    from protos.yixin.v1 import exchange_pb2
    from tests.support.members import HubUnderTest


@dataclass(kw_only=True)
class SeenLog(transparency_pb2_grpc.TransparencyServicer):
    """Signs any checkpoint, proves what it holds, and counts what it was asked."""

    hub: HubUnderTest
    origin: str
    hashes: list[bytes] = field(default_factory=list)
    proofs: int = 0
    refuse: grpc.StatusCode | None = None
    tamper: bool = False

    def grow(self, count: int, word: str = "leaf") -> None:
        start = len(self.hashes)
        self.hashes += [leaf_hash(f"{word} {n}".encode()) for n in range(start, start + count)]

    def note(self, size: int | None = None) -> str:
        hashes = self.hashes[: len(self.hashes) if size is None else size]
        checkpoint = Checkpoint(origin=self.origin, size=len(hashes), root=root(hashes))
        return sign_checkpoint(checkpoint, self.hub.signing)

    def state(self, accepted: exchange_pb2.StreamAccepted) -> None:
        """State the newest checkpoint when a stream opens."""
        accepted.checkpoint = self.note()

    async def Prove(  # noqa: N802  # named by the service definition
        self,
        request: transparency_pb2.ProofRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> transparency_pb2.Proof:
        self.proofs += 1
        assert request.consistency
        if self.refuse is not None:
            await context.abort(self.refuse, "no proof today")
        path = consistency_path(self.hashes[: request.size], request.old_size)
        if self.tamper:
            path = tuple(bytes(32) for _ in path)
        return transparency_pb2.Proof(path=path, checkpoint=self.note())
