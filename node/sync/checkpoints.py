"""Checkpoints (检查点) of the node's tree on their way to the hub.

The order of work, in one transaction of the outbox:

0. The mark holds the size and root that were stated last. When the tree has no such checkpoint
   (the node was restored, or nothing was stated in this incarnation), it states all of them: the
   hub skips what it knows, and judges the rest.
1. Every later checkpoint is signed, with the proof that it continues the one before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from protos.yixin.v1 import envelope_pb2, ledger_pb2
from security.transparency import Checkpoint, ledger_origin, sign_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from node.store import DayCheckpoint
    from node.sync.flow import Link

MARK: Final = "checkpoint|last"
"""Key of the mark: eight bytes of size and the root of the checkpoint stated last."""
MAX_PER_PAYLOAD: Final = 256
"""Checkpoints in one payload: below 640 KiB with the longest proofs."""
_SIZE_BYTES: Final = 8


class RecordTree(Protocol):
    """The tree over the node's records."""

    def checkpoints_after(self, size: int) -> Sequence[DayCheckpoint]:
        """List the checkpoints of trees larger than a size, in order."""

    def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Prove that the tree of a size continues an earlier one."""


def state_checkpoints(link: Link, tree: RecordTree) -> int:
    """Put the checkpoints that the hub was not told yet into the outbox; returns their number."""
    with link.engine.begin() as connection:
        mark = link.outbox.get_mark(connection, MARK)
        base, new = _unstated(tree, mark)
        for old_size, part in _parts(base, new):
            batch = ledger_pb2.LedgerCheckpoints(
                key_id=link.membership.signing_key.key_id,
                checkpoints=_signed(link, tree, old_size, part),
            )
            link.outbox.append(
                connection,
                recipient=link.membership.hub_id,
                lane=envelope_pb2.LANE_BULK,
                payload_type="ledger_checkpoints",
                schema_version=1,
                purpose="supervision",
                data_class="aggregate",
                period="",
                payload=batch.SerializeToString(deterministic=True),
                marks={MARK: part[-1].size.to_bytes(_SIZE_BYTES, "big") + part[-1].root},
            )
    return len(new)


def _unstated(tree: RecordTree, mark: bytes | None) -> tuple[int, Sequence[DayCheckpoint]]:
    """The size to continue, and the checkpoints to state."""
    if mark is not None:
        size = int.from_bytes(mark[:_SIZE_BYTES], "big")
        held = tree.checkpoints_after(size - 1)
        if held and (held[0].size, held[0].root) == (size, mark[_SIZE_BYTES:]):
            return size, held[1:]
    return 0, tree.checkpoints_after(0)


def _parts(
    base: int, new: Sequence[DayCheckpoint]
) -> Iterator[tuple[int, Sequence[DayCheckpoint]]]:
    for start in range(0, len(new), MAX_PER_PAYLOAD):
        part = new[start : start + MAX_PER_PAYLOAD]
        yield base, part
        base = part[-1].size


def _signed(
    link: Link, tree: RecordTree, base: int, part: Sequence[DayCheckpoint]
) -> Iterator[ledger_pb2.LedgerCheckpoint]:
    origin = ledger_origin(link.membership.member_id)
    for one in part:
        checkpoint = Checkpoint(origin=origin, size=one.size, root=one.root)
        yield ledger_pb2.LedgerCheckpoint(
            day=one.day,
            note=sign_checkpoint(checkpoint, link.membership.signing_key),
            old_size=base,
            path=tree.consistency(base, one.size),
        )
        base = one.size
