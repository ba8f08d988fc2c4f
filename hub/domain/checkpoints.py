"""The law of ledger checkpoints (检查点): the tree over a node's records only grows.

Rules of this module:

1. A checkpoint of a size that counts already has its root; then it changes nothing.
2. A larger one continues the latest one, and proves it.
3. One that is smaller, or continues an earlier one, would take records back: it is refused.
4. A node that was restored from a backup lost its latest records, and proves what it kept: in a
   new incarnation of its chain its tree may begin anew from an earlier checkpoint, once. What
   came after that one counts no longer, and the number of lost leaves stays on record.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from security.errors import LogCorruptError
from security.merkle import EMPTY_ROOT, verify_consistency


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedCheckpoint:
    """A checkpoint as a node states it, its signature verified."""

    day: int
    """The closed day, yyyymmdd."""
    size: int
    """Number of leaves."""
    root: bytes = field(repr=False)
    """Root over them."""
    note: str = field(repr=False)
    """The signed note."""
    old_size: int
    """Size of the checkpoint that it says it continues; 0 for the first."""
    path: tuple[bytes, ...] = field(repr=False)
    """Consistency proof from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedCheckpoints:
    """Checkpoints of one payload, in order."""

    checkpoints: tuple[OfferedCheckpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCheckpoint:
    """A checkpoint that counts."""

    incarnation: int
    """Incarnation of the chain it came in."""
    day: int
    """The closed day, yyyymmdd."""
    size: int
    """Number of leaves."""
    root: bytes = field(repr=False)
    """Root over them."""


class CheckpointStep(StrEnum):
    """What an offered checkpoint does."""

    KNOWN = "known"
    """It counts already."""
    EXTENDS = "extends"
    """It continues the latest one, or is the first."""
    ANEW = "anew"
    """A restored node's tree begins anew from an earlier checkpoint."""
    ROLLBACK = "rollback"
    """It would take leaves back."""
    CONTRADICTS = "contradicts"
    """Another root counts for its size."""
    UNPROVED = "unproved"
    """It is larger, and does not prove that it continues the latest one."""


REFUSED = frozenset({CheckpointStep.ROLLBACK, CheckpointStep.CONTRADICTS, CheckpointStep.UNPROVED})
"""Steps that change nothing but the quarantine."""


def judge(
    offered: OfferedCheckpoint,
    incarnation: int,
    *,
    latest: HeldCheckpoint | None,
    same: HeldCheckpoint | None,
    base: HeldCheckpoint | None,
) -> CheckpointStep:
    """Decide what an offered checkpoint does.

    Args:
        offered: The checkpoint.
        incarnation: Incarnation of the chain it came in.
        latest: Latest checkpoint of its node that counts.
        same: The one of its size that counts.
        base: The one of the size that it says it continues.
    """
    # 1. Known already, or the node's first.
    if same is not None and same.root == offered.root:
        return CheckpointStep.KNOWN
    if latest is None:
        return CheckpointStep.EXTENDS
    if _continues(offered, base):
        # 2. It continues the latest one.
        if offered.old_size == latest.size:
            return CheckpointStep.EXTENDS
        # 4. It begins anew from an earlier one.
        if incarnation > latest.incarnation:
            return CheckpointStep.ANEW
    # 3. It would take records back.
    if same is not None:
        return CheckpointStep.CONTRADICTS
    return CheckpointStep.ROLLBACK if offered.size < latest.size else CheckpointStep.UNPROVED


def _continues(offered: OfferedCheckpoint, base: HeldCheckpoint | None) -> bool:
    if base is None and offered.old_size:
        return False
    old_root = EMPTY_ROOT if base is None else base.root
    try:
        verify_consistency(offered.old_size, offered.size, offered.path, old_root, offered.root)
    except LogCorruptError:
        return False
    return True
