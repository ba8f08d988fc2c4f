"""Leaves that came back from a mirror, and wait for the envelopes they stand for.

Port rules: an envelope that comes again gets the place and the logged time of its own leaf, so that
its first receipt stays true; then nothing waits for it any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from hub.store.log_tables import log_recovered
from hub.store.tables import log_leaf
from security.transparency import parse_leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredLeaf:
    """A leaf whose envelope is not here yet."""

    log_index: int
    """Its place."""
    logged_at_ms: int
    """Its logged time, milliseconds since the epoch, UTC."""


def add_recovered(connection: Connection, leaves: Mapping[bytes, int]) -> None:
    """Note leaves that came back without their envelope: its hash, and their index."""
    rows = [{"envelope_hash": digest, "log_index": index} for digest, index in leaves.items()]
    if rows:
        connection.execute(insert(log_recovered), rows)


def find_recovered(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, RecoveredLeaf]:
    """Leaves that wait for these envelopes, by their hash.

    Raises:
        LogCorruptError: A stored leaf is malformed.
    """
    if not connection.execute(select(log_recovered.c.log_index).limit(1)).first():
        return {}
    query = (
        select(log_recovered.c.envelope_hash, log_leaf.c.log_index, log_leaf.c.leaf)
        .join(log_leaf, log_leaf.c.log_index == log_recovered.c.log_index)
        .where(log_recovered.c.envelope_hash.in_(list(hashes)))
    )
    return {
        row.envelope_hash: RecoveredLeaf(
            log_index=row.log_index, logged_at_ms=parse_leaf(row.leaf).logged_at_ms
        )
        for row in connection.execute(query)
    }


def settle_recovered(connection: Connection, hashes: Sequence[bytes]) -> None:
    """Wait for these envelopes no more: they came."""
    if hashes:
        connection.execute(
            delete(log_recovered).where(log_recovered.c.envelope_hash.in_(list(hashes)))
        )


def count_recovered(connection: Connection) -> int:
    """Leaves that came back and whose envelope has not come again yet."""
    query = select(func.count()).select_from(log_recovered)
    return int(connection.execute(query).scalar_one())
