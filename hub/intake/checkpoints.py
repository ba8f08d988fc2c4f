"""Decoding of ledger checkpoints (检查点), and what they change.

Numbered as applied:

0. The payload parses, and holds a bounded number of checkpoints in the order of their sizes.
1. Every note is a checkpoint of the sender's own tree, signed by a key that is certified for it.
2. In the transaction of the envelope the law decides one by one (``hub.domain.checkpoints``);
   behind a refused one, all later ones are refused with it, since they continue it.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy import Connection

from hub.domain.checkpoints import (
    REFUSED,
    CheckpointStep,
    DecodedCheckpoints,
    HeldCheckpoint,
    OfferedCheckpoint,
    judge,
)
from hub.domain.statements import SlotFault, SlotRule
from hub.errors import StatementError
from hub.store import checkpoints
from protos.yixin.v1 import identity_pb2, ledger_pb2
from security.certificates import Keyring
from security.encoding import parse_exactly
from security.errors import SecurityError
from security.headers import MAX_ENVELOPE_BYTES
from security.keys import VerifyingKey
from security.merkle import HASH_BYTES, MAX_PATH
from security.transparency import ledger_origin, open_checkpoint

MAX_CHECKPOINTS: Final = 256
_MENDS: Final = {
    CheckpointStep.ROLLBACK: (
        "the tree is smaller than the one that was stated before: records were taken back; run"
        " the node on its latest data, or restore it with `yixin node restore`"
    ),
    CheckpointStep.CONTRADICTS: (
        "another root was stated for this size: records were changed in their place; run the"
        " node on its own latest data, or restore it with `yixin node restore`"
    ),
    CheckpointStep.UNPROVED: (
        "the tree does not prove that it continues the one that was stated before; run the node"
        " on its own latest data, or restore it with `yixin node restore`"
    ),
}


def decode_checkpoints(
    payload: bytes, *, sender: str, keyring: Keyring, at_ms: int
) -> DecodedCheckpoints:
    """Decode a payload of type ``ledger_checkpoints``.

    Args:
        payload: Serialised LedgerCheckpoints.
        sender: Member id of the sender.
        keyring: Certified keys of the members.
        at_ms: Moment at which the key must be valid, milliseconds since the epoch, UTC.

    Raises:
        StatementError: The payload does not parse, is out of bounds, or a note is not the
            sender's.
    """
    try:
        batch = parse_exactly(ledger_pb2.LedgerCheckpoints, payload, MAX_ENVELOPE_BYTES)
    except ValueError as error:
        raise StatementError("The payload is no LedgerCheckpoints.") from error
    # 0. Bounds and order.
    if not 1 <= len(batch.checkpoints) <= MAX_CHECKPOINTS:
        raise StatementError(
            f"Found {len(batch.checkpoints)} checkpoints, expected 1 to {MAX_CHECKPOINTS}."
        )
    # 1. Notes.
    try:
        key = keyring.find(sender, batch.key_id, identity_pb2.KEY_USE_SIGNING, at_ms).verifying
        found = tuple(_open(one, ledger_origin(sender), key) for one in batch.checkpoints)
    except SecurityError as error:
        raise StatementError(f"A checkpoint of {sender} is not signed by it: {error}") from error
    sizes = [one.size for one in found]
    if sizes != sorted(set(sizes)):
        raise StatementError("The checkpoints are not in the order of their sizes.")
    return DecodedCheckpoints(checkpoints=found)


def apply_checkpoints(
    connection: Connection,
    offered: Sequence[OfferedCheckpoint],
    *,
    member: str,
    incarnation: int,
    log_index: int,
) -> list[SlotFault]:
    """Keep what the law lets pass, in the transaction of its envelope.

    Returns:
        A fault for each refused checkpoint.
    """
    for index, one in enumerate(offered):
        latest = checkpoints.latest(connection, member)
        step = judge(
            one,
            incarnation,
            latest=latest,
            same=checkpoints.find(connection, member, one.size),
            base=checkpoints.find(connection, member, one.old_size),
        )
        if step in REFUSED:
            return [_fault(later, step) for later in offered[index:]]
        if step is CheckpointStep.KNOWN:
            continue
        kept = HeldCheckpoint(incarnation=incarnation, day=one.day, size=one.size, root=one.root)
        lost = 0
        if step is CheckpointStep.ANEW and latest is not None:
            lost = latest.size - one.old_size
            checkpoints.abandon(connection, member, one.old_size)
        checkpoints.add(connection, member, kept, note=one.note, lost=lost, log_index=log_index)
    return []


def _open(one: ledger_pb2.LedgerCheckpoint, origin: str, key: VerifyingKey) -> OfferedCheckpoint:
    try:
        date(one.day // 10_000, one.day // 100 % 100, one.day % 100)
    except ValueError as error:
        raise StatementError(f"Found a checkpoint of {one.day}, expected a day.") from error
    checkpoint = open_checkpoint(one.note, origin, key)
    hashes = tuple(one.path)
    if (
        not one.old_size < checkpoint.size
        or len(hashes) > MAX_PATH
        or any(len(part) != HASH_BYTES for part in hashes)
    ):
        raise StatementError(
            f"The checkpoint of {checkpoint.size} leaves has a proof out of bounds."
        )
    return OfferedCheckpoint(
        day=one.day,
        size=checkpoint.size,
        root=checkpoint.root,
        note=one.note,
        old_size=one.old_size,
        path=hashes,
    )


def _fault(one: OfferedCheckpoint, step: CheckpointStep) -> SlotFault:
    mend = f"checkpoint of {one.day} with {one.size} leaves: {_MENDS[step]}"
    return SlotFault(institution="", month=one.day // 100, rule=SlotRule.CHECKPOINT, mend=mend)
