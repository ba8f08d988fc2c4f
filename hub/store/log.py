"""The transparency log (透明日志) in the database: leaves, their hashes and the compact range.

Port rules: leaves are appended inside the transaction of what they log, never changed, never
removed; the index is gapless from 0; the root of any prefix can be recomputed from the hashes.
Nothing is appended while the log is read-only: the one gate is ``append_leaves``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, func, insert, select, update

from hub.errors import LogReadOnlyError
from hub.store.log_tables import log_frontier
from hub.store.tables import log_leaf, log_state
from protos.yixin.v1 import envelope_pb2, transparency_pb2
from security.merkle import Frontier, leaf_hash

FRONTIER_EVERY: Final = 4096
"""Leaves between two compact ranges that are kept."""
_GATE: Final = "yixin_log_gate"


class Gate(Protocol):
    """Says whether this process may append to the log."""

    @property
    def reason(self) -> str:
        """Why it may not; empty when it may."""


def guarded(engine: Engine, gate: Gate) -> Engine:
    """The engine, with a gate that every append through it asks."""
    return engine.execution_options(**{_GATE: gate})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """The log as its one row has it."""

    frontier: Frontier
    """Compact range of all leaves; it knows size and root."""
    number: int
    """Number in the log's origin, from 1; another one after leaves were lost for good."""
    conflict: str
    """What a witness or member saw of the log that it does not hold; empty for nothing."""

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self.frontier.size


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
    return state(connection).frontier


def state(connection: Connection, *, for_update: bool = False) -> LogState:
    """The state of the log; that of an empty one when nothing was ever appended.

    Raises:
        LogCorruptError: The stored compact range is malformed.
    """
    query = select(log_state).where(log_state.c.id == 1)
    row = connection.execute(query.with_for_update() if for_update else query).first()
    if row is None:
        return LogState(frontier=Frontier(), number=1, conflict="")
    return LogState(
        frontier=Frontier.from_bytes(row.frontier), number=row.number, conflict=row.conflict
    )


def read_only_reason(connection: Connection, held: LogState | None = None) -> str:
    """Why the log takes no leaf now; empty when it does.

    Args:
        connection: Any transaction.
        held: State of the log, where the caller has read it.
    """
    gate: Gate | None = connection.get_execution_options().get(_GATE)
    return (held or state(connection)).conflict or (gate.reason if gate is not None else "")


def append_leaves(connection: Connection, leaves: Sequence[NewLeaf]) -> int:
    """Append leaves in order.

    Args:
        connection: A writing transaction; on SQLite it excludes every other writer.
        leaves: At least one leaf.

    Returns:
        Log index of the first leaf; the others follow without a gap.

    Raises:
        LogReadOnlyError: The log is read-only; the caller's transaction must end.
        ValueError: No leaf was given.
    """
    held = state(connection, for_update=True)
    reason = read_only_reason(connection, held)
    if reason:
        raise LogReadOnlyError(f"The log is read-only: {reason}")
    return restore_leaves(connection, leaves, held)


def restore_leaves(connection: Connection, leaves: Sequence[NewLeaf], held: LogState) -> int:
    """Append leaves past the gate: for the recovery of a log, and for nothing else.

    Args:
        connection: A writing transaction; on SQLite it excludes every other writer.
        leaves: At least one leaf.
        held: State of the log, read for update in the same transaction.

    Returns:
        Log index of the first leaf.

    Raises:
        ValueError: No leaf was given.
    """
    if not leaves:
        raise ValueError("there is no leaf to append")
    grown = held.frontier
    first = grown.size
    rows = []
    kept = []
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
        if grown.size % FRONTIER_EVERY == 0:
            kept.append({"size": grown.size, "frontier": grown.to_bytes()})
    connection.execute(insert(log_leaf), rows)
    if kept:
        connection.execute(insert(log_frontier), kept)
    save_state(connection, {"size": grown.size, "frontier": grown.to_bytes()})
    return first


def save_state(connection: Connection, changes: dict[str, object]) -> None:
    """Change columns of the log's one row, and make it where it lacks."""
    found = connection.execute(update(log_state).where(log_state.c.id == 1).values(**changes))
    if found.rowcount == 0:
        empty = {"size": 0, "frontier": Frontier().to_bytes()}
        connection.execute(insert(log_state).values(id=1, **(empty | changes)))


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


def hashed_leaves(
    connection: Connection, from_index: int, to_index: int
) -> Iterator[tuple[int, bytes, bytes]]:
    """Index, bytes and stored hash of the leaves of a range, in order."""
    query = (
        select(log_leaf.c.log_index, log_leaf.c.leaf, log_leaf.c.hash)
        .where(log_leaf.c.log_index >= from_index, log_leaf.c.log_index < to_index)
        .order_by(log_leaf.c.log_index)
    )
    for row in connection.execute(query.execution_options(yield_per=2_000)):
        yield int(row.log_index), row.leaf, row.hash


def last_index(connection: Connection) -> int:
    """Index of the last stored leaf; -1 when there is none."""
    found = connection.execute(select(func.max(log_leaf.c.log_index))).scalar()
    return -1 if found is None else int(found)


def find_frontier(connection: Connection, size: int) -> bytes | None:
    """The compact range that is kept of a size, serialised; None when none is."""
    query = select(log_frontier.c.frontier).where(log_frontier.c.size == size)
    return connection.execute(query).scalar()


def frontier_before(connection: Connection, index: int) -> Frontier:
    """Compact range of the leaves before an index, from the nearest one that is kept."""
    query = (
        select(log_frontier.c.size, log_frontier.c.frontier)
        .where(log_frontier.c.size <= index)
        .order_by(log_frontier.c.size.desc())
        .limit(1)
    )
    near = connection.execute(query).first()
    if near is None:
        return extend_frontier(connection, Frontier().to_bytes(), 0, index)
    return extend_frontier(connection, near.frontier, near.size, index)


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
