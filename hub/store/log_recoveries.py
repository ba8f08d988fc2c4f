"""What a recovery of the log brought back, signed by the hub's identity key.

Port rules: a range is stated in the transaction that brings its leaves back; whoever can only
write the database cannot state one, so no entry of the operator log is called lost by his word.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, insert, select

from hub.store.log_tables import log_recovery
from protos.yixin.v1 import identity_pb2
from security.certificates import anchor_key
from security.errors import BadSignatureError, LogCorruptError
from security.keys import Signature, SigningKey

PAYLOAD_TYPE: Final = "yixin/log-recovery/v1"


def add_recovery(
    connection: Connection, root: SigningKey, hub: str, lost: range, now_ms: int
) -> None:
    """State that leaves came back, and what stands behind them did not.

    Args:
        connection: The writing transaction that brings them back.
        root: Identity key of the hub.
        hub: Member id of the hub.
        lost: Indices of the leaves.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    signed = root.sign(PAYLOAD_TYPE, *_parts(hub, lost, now_ms))
    connection.execute(
        insert(log_recovery).values(
            first=lost.start,
            end=lost.stop,
            at_ms=now_ms,
            signature=signed.classical,
            pq_signature=signed.post_quantum,
        )
    )


def recovered_ranges(connection: Connection, anchor: identity_pb2.TrustAnchor) -> Collection[range]:
    """Indices of all leaves that came back, every range verified.

    Raises:
        LogCorruptError: A range was not stated by the hub.
    """
    key, found = anchor_key(anchor), []
    for row in connection.execute(select(log_recovery).order_by(log_recovery.c.id)):
        lost = range(row.first, row.end)
        signature = Signature(classical=row.signature, post_quantum=row.pq_signature)
        try:
            key.verify(signature, PAYLOAD_TYPE, *_parts(anchor.hub, lost, row.at_ms))
        except (BadSignatureError, ValueError) as error:
            raise LogCorruptError(
                f"the database says that leaves {row.first} to {row.end} came back in a recovery, "
                "and this hub's key did not sign that: somebody wrote it into the database. Keep "
                "the database as evidence"
            ) from error
        found.append(lost)
    return found


def _parts(hub: str, lost: range, at_ms: int) -> tuple[bytes, ...]:
    return hub.encode(), *(str(one).encode() for one in (lost.start, lost.stop, at_ms))
