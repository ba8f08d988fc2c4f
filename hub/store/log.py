"""The transparency log (透明日志) in the database: leaves, their hashes and the compact range.

Port rules: leaves are appended inside the transaction of what they log, never changed, never
removed; the index is gapless from 0; the root of any prefix can be recomputed from the hashes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from hub.store.tables import log_leaf, log_state
from protos.yixin.v1 import envelope_pb2, transparency_pb2
from security.merkle import Frontier, leaf_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLeaf:
    """A leaf to append: serialised LogLeaf, its kind, and the rating period or an empty text."""

    kind: int
    leaf: bytes
    period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLeaf:
    """A leaf of the log, with the columns it was stored with."""

    log_index: int
    kind: int
    leaf: bytes
    period: str


def size(connection: Connection) -> int:
    """Number of leaves."""
    return int(connection.execute(select(log_state.c.size)).scalar() or 0)


def envelope_leaf(
    header: envelope_pb2.EnvelopeHeader,
    digest: bytes,
    ciphertext_hash: bytes,
    *,
    kind: transparency_pb2.LogKind.ValueType,
    logged_at_ms: int,
) -> bytes:
    """Serialise the leaf of an envelope that was accepted or sealed.

    Args:
        header: Header of the envelope.
        digest: SHA-256 of the envelope.
        ciphertext_hash: SHA-256 of its ciphertext.
        kind: Accepted (envelope) or sealed (delivery).
        logged_at_ms: Moment of logging, milliseconds since the epoch, UTC.
    """
    return transparency_pb2.LogLeaf(
        kind=kind,
        logged_at_ms=logged_at_ms,
        envelope_hash=digest,
        sender=header.sender,
        recipient=header.recipient,
        lane=header.lane,
        incarnation=header.incarnation,
        seq=header.seq,
        payload_type=header.payload_type,
        purpose=header.purpose,
        period=header.period,
        ciphertext_hash=ciphertext_hash,
        agreement=header.agreement,
    ).SerializeToString(deterministic=True)


def event_leaf(
    kind: transparency_pb2.LogKind.ValueType,
    *,
    hub: str,
    digest: bytes,
    word: str,
    at_ms: int,
    subject: str = "",
    purpose: str = "",
    period: str = "",
    agreement: str = "",
) -> NewLeaf:
    """The leaf of something that is no envelope: a publication, a revocation, a query.

    Args:
        kind: What happened.
        hub: Member id of this hub; the sender of the leaf.
        digest: SHA-256 of what happened, 32 bytes.
        word: Word for it, in the place of the payload type.
        at_ms: Moment of logging, milliseconds since the epoch, UTC.
        subject: Member id it is about, in the place of the recipient; empty for none.
        purpose: Declared purpose, or empty.
        period: Rating period, or empty.
        agreement: Sharing agreement, ``id@version``, or empty.
    """
    leaf = transparency_pb2.LogLeaf(
        kind=kind,
        logged_at_ms=at_ms,
        envelope_hash=digest,
        sender=hub,
        recipient=subject,
        payload_type=word,
        purpose=purpose,
        period=period,
        agreement=agreement,
    )
    return NewLeaf(kind=kind, leaf=leaf.SerializeToString(deterministic=True), period=period)


def frontier(connection: Connection) -> Frontier:
    """Compact range of the whole log; it knows size and root."""
    found = connection.execute(select(log_state.c.frontier).where(log_state.c.id == 1)).scalar()
    return Frontier.from_bytes(found) if found is not None else Frontier()


def append_leaves(connection: Connection, leaves: Sequence[NewLeaf]) -> int:
    """Append leaves in order.

    Args:
        connection: A writing transaction; on SQLite it excludes every other writer.
        leaves: At least one leaf.

    Returns:
        Log index of the first leaf; the others follow without a gap.

    Raises:
        ValueError: No leaf was given.
    """
    if not leaves:
        raise ValueError("there is no leaf to append")
    query = select(log_state.c.frontier).where(log_state.c.id == 1).with_for_update()
    held = connection.execute(query).scalar()
    grown = Frontier.from_bytes(held) if held is not None else Frontier()
    first = grown.size
    rows = []
    for index, new in enumerate(leaves, start=first):
        hashed = leaf_hash(new.leaf)
        grown.append(hashed)
        rows.append(
            {
                "log_index": index,
                "kind": new.kind,
                "leaf": new.leaf,
                "hash": hashed,
                "period": new.period,
            }
        )
    connection.execute(insert(log_leaf), rows)
    state = {"size": grown.size, "frontier": grown.to_bytes()}
    if held is None:
        connection.execute(insert(log_state).values(id=1, **state))
    else:
        connection.execute(update(log_state).where(log_state.c.id == 1).values(**state))
    return first


def leaves(connection: Connection, from_index: int, to_index: int) -> Iterator[StoredLeaf]:
    """Leaves of a range, in order.

    Args:
        connection: A reading transaction.
        from_index: First index.
        to_index: Index after the last one.
    """
    query = (
        select(log_leaf.c.log_index, log_leaf.c.kind, log_leaf.c.leaf, log_leaf.c.period)
        .where(log_leaf.c.log_index >= from_index, log_leaf.c.log_index < to_index)
        .order_by(log_leaf.c.log_index)
    )
    for row in connection.execute(query.execution_options(yield_per=2_000)):
        yield StoredLeaf(log_index=row.log_index, kind=row.kind, leaf=row.leaf, period=row.period)


def frontier_before(connection: Connection, index: int) -> Frontier:
    """Compact range of the leaves before an index."""
    return extend_frontier(connection, Frontier().to_bytes(), 0, index)


def extend_frontier(connection: Connection, start: bytes, first: int, end: int) -> Frontier:
    """Compact range of the leaves before ``end``.

    Args:
        connection: A reading transaction.
        start: Serialised compact range of the leaves before ``first``.
        first: First index to append.
        end: Index after the last one.
    """
    grown = Frontier.from_bytes(start)
    query = (
        select(log_leaf.c.hash)
        .where(log_leaf.c.log_index >= first, log_leaf.c.log_index < end)
        .order_by(log_leaf.c.log_index)
    )
    for (hashed,) in connection.execute(query.execution_options(yield_per=10_000)):
        grown.append(hashed)
    return grown


def period_range(connection: Connection, period: str) -> tuple[int, int] | None:
    """First index and index after the last leaf of a rating period; None when it has none."""
    query = select(log_leaf.c.log_index).where(log_leaf.c.period == period)
    first = connection.execute(query.order_by(log_leaf.c.log_index).limit(1)).scalar()
    last = connection.execute(query.order_by(log_leaf.c.log_index.desc()).limit(1)).scalar()
    return None if first is None or last is None else (int(first), int(last) + 1)
