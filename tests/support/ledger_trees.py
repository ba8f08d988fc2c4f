"""A node's tree of leaves in memory, and the payloads that state its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from protos.yixin.v1 import ledger_pb2
from security.merkle import consistency_path, leaf_hash, root
from security.transparency import Checkpoint, ledger_origin, sign_checkpoint

if TYPE_CHECKING:
    from security.keys import SigningKey


@dataclass(slots=True, kw_only=True)
class LedgerTree:
    """Leaves of one node; a test may change them, as a cheating node would."""

    member: str
    key: SigningKey
    leaves: list[bytes] = field(default_factory=list)

    def grow(self, count: int, word: str = "leaf") -> None:
        """Append leaves."""
        first = len(self.leaves)
        self.leaves += [leaf_hash(f"{word} {first + at}".encode()) for at in range(count)]

    def state(self, day: int, old_size: int) -> ledger_pb2.LedgerCheckpoint:
        """State the present tree as what continues that of its first leaves."""
        checkpoint = Checkpoint(
            origin=ledger_origin(self.member), size=len(self.leaves), root=root(self.leaves)
        )
        return ledger_pb2.LedgerCheckpoint(
            day=day,
            note=sign_checkpoint(checkpoint, self.key),
            old_size=old_size,
            path=consistency_path(self.leaves, old_size) if old_size <= len(self.leaves) else (),
        )

    def payload(self, *checkpoints: ledger_pb2.LedgerCheckpoint) -> bytes:
        """Make the payload of some checkpoints."""
        return ledger_pb2.LedgerCheckpoints(
            key_id=self.key.key_id, checkpoints=checkpoints
        ).SerializeToString()
