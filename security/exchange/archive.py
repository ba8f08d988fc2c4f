"""Archive: sealed envelopes in chain order, and what the recipient said of them.

Rules:
    1. Receipts settle idempotently: the same receipt twice changes nothing.
    2. A receipt only settles the very envelope that stands at its place.
    3. Payload and envelope go when a receipt's ``backed_up_through`` has passed them; the hash
       stays.
    4. An envelope that was receipted can be sent again, identically, while it is archived.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, insert, select, tuple_, update

from protos.yixin.v1 import exchange_pb2
from security.chain import ChainPosition, place
from security.envelope import parse_envelope, parse_header
from security.errors import RemoteSyncError, UntrustedReceiptError
from security.exchange.chains import find_chain
from security.exchange.sealing import SealedRow
from security.exchange.tables import RECEIPTED, SEALED, outbox, receipts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Connection

    from security.exchange.receipts import VerifiedReceipt

READ_BYTES: Final = 4 * 1024 * 1024


def is_known(conn: Connection, recipient: str, lane: int, position: ChainPosition) -> bool:
    """Whether a position is part of this member's own history of a chain.

    The start (seq 0) is, as far as nothing of the first incarnation was left behind; so is the
    base of the present incarnation, which may stem from a history that was lost with a disk.
    """
    state = find_chain(conn, recipient, lane)
    if state is None:
        return position.seq == 0
    if place(position) == place(state.base):
        return position.seq == 0 or position.hash == state.base.hash
    if position.seq == 0:
        return _hash_at(conn, recipient, lane, 1, 1) is not None
    return _hash_at(conn, recipient, lane, *place(position)) == position.hash


def find_unreceipted(conn: Connection, recipient: str, lane: int) -> ChainPosition | None:
    """Position of the first sealed envelope of a lane without a receipt, or None."""
    query = (
        select(outbox.c.incarnation, outbox.c.seq, outbox.c.hash)
        .where(_of(recipient, lane), outbox.c.state == SEALED)
        .order_by(outbox.c.incarnation, outbox.c.seq)
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else ChainPosition(incarnation=row[0], seq=row[1], hash=row[2])


def count_waiting(conn: Connection, recipient: str, agreement: str, period: str) -> int:
    """Payloads under an agreement, of a period, that the recipient has not said to hold."""
    query = select(func.count()).where(
        outbox.c.recipient == recipient,
        outbox.c.agreement == agreement,
        outbox.c.period == period,
        outbox.c.state != RECEIPTED,
    )
    return int(conn.execute(query).scalar_one())


def has_expired(
    conn: Connection, recipient: str, lane: int, held: ChainPosition, now_ms: int
) -> bool:
    """Whether a sealed envelope that the recipient does not hold can no longer be logged.

    Args:
        conn: Connection in a transaction.
        recipient: Member id of the recipient.
        lane: Lane of the chain.
        held: Head the recipient holds.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    query = select(func.min(outbox.c.expires_at_ms)).where(
        _of(recipient, lane),
        outbox.c.state == SEALED,
        tuple_(outbox.c.incarnation, outbox.c.seq) > tuple_(held.incarnation, held.seq),
    )
    expires_at_ms = conn.execute(query).scalar_one()
    return expires_at_ms is not None and expires_at_ms < now_ms


def find_signer(conn: Connection, recipient: str, lane: int, held: ChainPosition) -> str | None:
    """Key id that signed the first sealed envelope the recipient does not hold, or None.

    A lane is sealed in its order: no later envelope was signed by an earlier key.
    """
    query = (
        select(outbox.c.envelope)
        .where(
            _of(recipient, lane),
            outbox.c.state == SEALED,
            tuple_(outbox.c.incarnation, outbox.c.seq) > tuple_(held.incarnation, held.seq),
        )
        .order_by(outbox.c.incarnation, outbox.c.seq)
        .limit(1)
    )
    raw = conn.execute(query).scalar_one_or_none()
    return None if raw is None else parse_header(parse_envelope(bytes(raw))).sender_key_id


def after(
    conn: Connection,
    recipient: str,
    lane: int,
    position: ChainPosition,
    *,
    limit: int = 64,
    max_bytes: int = READ_BYTES,
) -> list[SealedRow]:
    """Archived envelopes of a lane after a position, receipted or not, in chain order.

    Args:
        conn: Connection in a transaction.
        recipient: Member id of the recipient.
        lane: Lane of the chain.
        position: Position after which to begin.
        limit: Most envelopes to return.
        max_bytes: Bytes after which to stop; one envelope is always taken.

    Returns:
        The envelopes; empty when the chain ends there.

    Raises:
        RemoteSyncError: The recipient asks for envelopes that it had promised were in its
            backup, and that are therefore gone from the archive.
    """
    query = (
        select(outbox.c.id, outbox.c.incarnation, outbox.c.seq, outbox.c.hash, outbox.c.envelope)
        .where(
            _of(recipient, lane),
            tuple_(outbox.c.incarnation, outbox.c.seq) > tuple_(position.incarnation, position.seq),
        )
        .order_by(outbox.c.incarnation, outbox.c.seq)
        .limit(limit)
    )
    found: list[SealedRow] = []
    size = 0
    with conn.execute(query.execution_options(yield_per=8)) as result:
        for row in result:
            if row.envelope is None:
                raise RemoteSyncError(
                    f"{recipient} asks for incarnation {row.incarnation}, seq {row.seq} of lane "
                    f"{lane} again, which it had receipted as backed up and which left the "
                    "archive: its operator must restore that backup first"
                )
            size += len(row.envelope)
            if found and size > max_bytes:
                break
            stands = ChainPosition(incarnation=row.incarnation, seq=row.seq, hash=row.hash)
            found.append(
                SealedRow(
                    outbox_id=row.id,
                    lane=lane,
                    position=stands,
                    envelope=row.envelope,
                    resent=True,
                )
            )
    return found


def settle(conn: Connection, verified: Iterable[VerifiedReceipt]) -> int:
    """Store verified receipts and mark their envelopes as delivered.

    Args:
        conn: Connection in a transaction.
        verified: Receipts whose proof was verified.

    Returns:
        How many envelopes got their first receipt.

    Raises:
        UntrustedReceiptError: A receipt is for an envelope that was never sealed, or for
            another one at its place; the transaction must be rolled back.
    """
    return sum(_settle(conn, receipt) for receipt in verified)


def _settle(conn: Connection, receipt: VerifiedReceipt) -> bool:
    lane, position = receipt.lane, receipt.position
    of_place = (
        _of(receipt.hub, lane)
        & (outbox.c.incarnation == position.incarnation)
        & (outbox.c.seq == position.seq)
    )
    row = conn.execute(select(outbox.c.hash, outbox.c.state).where(of_place)).one_or_none()
    where = f"incarnation {position.incarnation}, seq {position.seq} of lane {lane}"
    if row is None:
        raise UntrustedReceiptError(f"nothing was ever sealed at {where}")
    if row.hash != position.hash:
        raise UntrustedReceiptError(f"another envelope stands at {where}")
    body_hash = hashlib.sha256(receipt.body).digest()
    of_body = (
        (receipts.c.hub == receipt.hub)
        & (receipts.c.lane == lane)
        & (receipts.c.incarnation == position.incarnation)
        & (receipts.c.seq == position.seq)
        & (receipts.c.body_hash == body_hash)
    )
    if conn.execute(select(receipts.c.id).where(of_body)).one_or_none() is None:
        conn.execute(
            insert(receipts).values(
                hub=receipt.hub,
                lane=lane,
                incarnation=position.incarnation,
                seq=position.seq,
                body_hash=body_hash,
                envelope_hash=position.hash,
                log_index=receipt.log_index,
                logged_at_ms=receipt.logged_at_ms,
                status=receipt.status,
                quarantined_parts=receipt.quarantined_parts,
                receipt=receipt.receipt,
            )
        )
    first = bool(row.state == SEALED)
    if first:
        conn.execute(update(outbox).where(of_place).values(state=RECEIPTED))
    if receipt.backed_up_through:
        conn.execute(
            update(outbox)
            .where(
                _of(receipt.hub, lane),
                # The hub logs a chain in its order: earlier incarnations lie below.
                tuple_(outbox.c.incarnation, outbox.c.seq)
                <= tuple_(position.incarnation, receipt.backed_up_through),
                outbox.c.state == RECEIPTED,
                outbox.c.envelope.is_not(None),
            )
            .values(payload=None, envelope=None)
        )
    return first


def mark_collected(conn: Connection, recipient: str, lane: int, through: ChainPosition) -> int:
    """Mark envelopes as delivered that the recipient's signed heads acknowledge.

    Args:
        conn: Connection in a transaction.
        recipient: Member id of the recipient.
        lane: Lane of the chain.
        through: Last position the recipient holds; it must be known (``is_known``).

    Returns:
        How many envelopes are delivered now that were not before.
    """
    result = conn.execute(
        update(outbox)
        .where(
            _of(recipient, lane),
            outbox.c.state == SEALED,
            tuple_(outbox.c.incarnation, outbox.c.seq) <= tuple_(through.incarnation, through.seq),
        )
        .values(state=RECEIPTED)
    )
    return int(result.rowcount)


def count_receipts(conn: Connection, hub: str) -> int:
    """How many envelopes a hub has receipted."""
    query = select(func.count(func.distinct(receipts.c.envelope_hash))).where(receipts.c.hub == hub)
    return int(conn.execute(query).scalar_one())


def count_refusals(conn: Connection, hub: str) -> int:
    """How many envelopes a hub has receipted but refused some or all content of."""
    query = select(func.count(func.distinct(receipts.c.envelope_hash))).where(
        receipts.c.hub == hub, receipts.c.status == exchange_pb2.RECEIPT_STATUS_QUARANTINED
    )
    return int(conn.execute(query).scalar_one())


def _of(recipient: str, lane: int) -> ColumnElement[bool]:
    return (outbox.c.recipient == recipient) & (outbox.c.lane == lane)


def _hash_at(
    conn: Connection, recipient: str, lane: int, incarnation: int, seq: int
) -> bytes | None:
    query = select(outbox.c.hash).where(
        _of(recipient, lane), outbox.c.incarnation == incarnation, outbox.c.seq == seq
    )
    value = conn.execute(query).scalar_one_or_none()
    return None if value is None else bytes(value)
