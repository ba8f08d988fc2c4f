"""Checkpoints of the trees over the nodes' records (检查点).

Port rules: written in the transaction of their envelope; never removed: one that counts no longer,
because a restored node's tree began anew before it, stays as evidence.
"""

from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from hub.domain.checkpoints import HeldCheckpoint
from hub.store.tables import ledger_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFigures:
    """What the hub holds of all nodes."""

    members: int
    """Nodes that stated a checkpoint."""
    checkpoints: int
    """Checkpoints that count."""
    begun_anew: int
    """Times that a restored node's tree began anew."""
    lost_leaves: int
    """Leaves that were lost by it, of all nodes."""
    last_day: int
    """Latest closed day, yyyymmdd; 0 when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A checkpoint that counts, as it was signed."""

    day: int
    """The closed day, yyyymmdd."""
    size: int
    """Number of leaves."""
    note: str = field(repr=False)
    """The signed note."""
    log_index: int
    """Leaf of the envelope that brought it."""


def latest(connection: Connection, member: str) -> HeldCheckpoint | None:
    """The largest checkpoint of a node that counts."""
    return _first(connection, ledger_checkpoint.c.member == member)


def find(connection: Connection, member: str, size: int) -> HeldCheckpoint | None:
    """The checkpoint of a node's tree of this size, when one counts."""
    columns = ledger_checkpoint.c
    return _first(connection, (columns.member == member) & (columns.size == size))


def add(
    connection: Connection,
    member: str,
    checkpoint: HeldCheckpoint,
    *,
    note: str,
    lost: int,
    log_index: int,
) -> None:
    """Keep a checkpoint that counts from now on."""
    connection.execute(
        insert(ledger_checkpoint).values(
            member=member,
            incarnation=checkpoint.incarnation,
            day=checkpoint.day,
            size=checkpoint.size,
            root=checkpoint.root,
            note=note,
            counts=True,
            lost=lost,
            log_index=log_index,
        )
    )


def abandon(connection: Connection, member: str, size: int) -> None:
    """Let the checkpoints of a node that are larger than a size count no longer."""
    columns = ledger_checkpoint.c
    connection.execute(
        update(ledger_checkpoint)
        .where(columns.member == member, columns.size > size, columns.counts)
        .values(counts=False)
    )


def commitments(connection: Connection, member: str) -> tuple[Commitment, ...]:
    """What a node committed to and what counts, the smallest tree first, for an inspector."""
    columns = ledger_checkpoint.c
    query = (
        select(columns.day, columns.size, columns.note, columns.log_index)
        .where(columns.member == member, columns.counts)
        .order_by(columns.size)
    )
    return tuple(
        Commitment(day=row.day, size=row.size, note=row.note, log_index=row.log_index)
        for row in connection.execute(query)
    )


def figures(connection: Connection) -> CheckpointFigures:
    """Count what is held."""
    columns = ledger_checkpoint.c
    counting = select(
        func.count(columns.member.distinct()),
        func.count(),
        func.coalesce(func.max(columns.day), 0),
    ).where(columns.counts)
    members, held, last_day = connection.execute(counting).one()
    anew = select(func.count(), func.coalesce(func.sum(columns.lost), 0)).where(columns.lost > 0)
    begun_anew, lost = connection.execute(anew).one()
    return CheckpointFigures(
        members=int(members),
        checkpoints=int(held),
        begun_anew=int(begun_anew),
        lost_leaves=int(lost),
        last_day=int(last_day),
    )


def _first(connection: Connection, condition: ColumnElement[bool]) -> HeldCheckpoint | None:
    columns = ledger_checkpoint.c
    query = (
        select(columns.incarnation, columns.day, columns.size, columns.root)
        .where(condition, columns.counts)
        .order_by(columns.size.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return HeldCheckpoint(incarnation=row.incarnation, day=row.day, size=row.size, root=row.root)
