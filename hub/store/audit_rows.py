"""Rows that only auditors ask for: leaves of one kind, signed lists, entries of the operator log.

Port rules: read-only; rows come in the order in which they were logged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from hub.store import operator_log as operator_rows
from hub.store.identity_tables import revocation_list
from hub.store.tables import envelope, log_leaf
from protos.yixin.v1 import transparency_pb2
from security.operator.log_chain import entry_bytes

_FETCHED: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLeaf:
    """A leaf of a kind that was asked for.

    Attributes:
        log_index: Its index.
        leaf: Serialised LogLeaf.
        period: Rating period, or empty.
    """

    log_index: int
    leaf: bytes
    period: str


def leaves_of(
    connection: Connection, kind: transparency_pb2.LogKind.ValueType, first: int, end: int
) -> Iterator[EventLeaf]:
    """Leaves of one kind within a range.

    Args:
        connection: A reading transaction.
        kind: Kind of leaf.
        first: First index.
        end: Index after the last one.
    """
    query = (
        select(log_leaf.c.log_index, log_leaf.c.leaf, log_leaf.c.period)
        .where(log_leaf.c.kind == kind, log_leaf.c.log_index >= first, log_leaf.c.log_index < end)
        .order_by(log_leaf.c.log_index)
    )
    for row in connection.execute(query).all():
        yield EventLeaf(log_index=row.log_index, leaf=row.leaf, period=row.period)


def leaf_hashes(connection: Connection, first: int, end: int) -> Iterator[bytes]:
    """Hashes of the leaves of a range, in order."""
    query = (
        select(log_leaf.c.hash)
        .where(log_leaf.c.log_index >= first, log_leaf.c.log_index < end)
        .order_by(log_leaf.c.log_index)
    )
    for (hashed,) in connection.execute(query.execution_options(yield_per=_FETCHED)):
        yield hashed


def emptied_hashes(connection: Connection, first: int, end: int) -> frozenset[bytes]:
    """Hashes of the envelopes of a range that retention emptied."""
    query = select(envelope.c.hash).where(
        envelope.c.log_index >= first, envelope.c.log_index < end, envelope.c.raw == b""
    )
    return frozenset(connection.execute(query).scalars())


def revocation_lists(connection: Connection) -> Iterator[bytes]:
    """Every version of the signed revocation list, serialised."""
    query = select(revocation_list.c.list).order_by(revocation_list.c.version)
    for (signed,) in connection.execute(query).all():
        yield signed


def operations(connection: Connection, first: int, end: int) -> Iterator[bytes]:
    """Entries of the operator log whose leaves are in a range: the bytes that were hashed.

    With them come those without a leaf of their own that stand right before: the leaf of the next
    entry fixes them too.
    """
    unfixed: list[bytes] = []
    for stored in operator_rows.rows(connection):
        unfixed.append(entry_bytes(stored.previous, stored.number, stored.row.parts()))
        if stored.log_index is not None:
            if first <= stored.log_index < end:
                yield from unfixed
            unfixed.clear()
