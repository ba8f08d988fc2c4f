"""Backups of this hub, as far as members are told of them.

Port rules: a mark says that every envelope whose leaf lies below a size of the log is in a backup;
marks only grow, and what a member was told once it is told for good.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from hub.errors import ConfigurationError
from hub.store import log
from hub.store.proof_tables import backup_chain, backup_mark
from hub.store.slot_index import upsert
from hub.store.tables import envelope

__all__ = ["BackupMark", "last_mark", "mark_backup", "through"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupMark:
    """The newest backup.

    Attributes:
        log_size: Leaves of the log that are in it.
        at_ms: When it was stated, milliseconds since the epoch, UTC.
    """

    log_size: int
    at_ms: int


def last_mark(connection: Connection) -> BackupMark | None:
    """The newest backup, or None when none was stated."""
    query = select(backup_mark).order_by(backup_mark.c.log_size.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else BackupMark(log_size=row.log_size, at_ms=row.at_ms)


def mark_backup(connection: Connection, log_size: int, now_ms: int) -> int:
    """State that a backup holds the log up to a size, and all envelopes below it.

    Args:
        connection: A writing transaction.
        log_size: Leaves of the log in the backup.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        Chains of which more is in a backup than before.

    Raises:
        ConfigurationError: The log is smaller, or a later backup was stated before.
    """
    held, known = log.size(connection), last_mark(connection)
    if not 0 < log_size <= held:
        raise ConfigurationError(
            f"The log has {held} leaves, a backup cannot hold {log_size}; give the size that "
            "`yixin hub status` showed when the backup began."
        )
    if known is not None and log_size < known.log_size:
        raise ConfigurationError(
            f"A backup of {known.log_size} leaves was stated before, and members may have dropped "
            f"what lies below; one of {log_size} leaves changes nothing. Keep the larger one."
        )
    if known is not None and log_size == known.log_size:
        return 0
    since = 0 if known is None else known.log_size
    # A chain's order is that of the log: its last envelope of the range stands highest.
    newest = (
        select(func.max(envelope.c.log_index))
        .where(envelope.c.log_index >= since, envelope.c.log_index < log_size)
        .group_by(envelope.c.sender, envelope.c.lane)
    )
    query = select(
        envelope.c.sender, envelope.c.lane, envelope.c.incarnation, envelope.c.seq
    ).where(envelope.c.log_index.in_(newest))
    places = [dict(row) for row in connection.execute(query).mappings()]
    if places:
        connection.execute(upsert(connection, backup_chain), places)
    connection.execute(insert(backup_mark).values(log_size=log_size, at_ms=now_ms))
    return len(places)


def through(
    connection: Connection, senders: Iterable[str]
) -> dict[tuple[str, int], tuple[int, int]]:
    """Incarnation and seq up to which the chains of some senders are in a backup."""
    query = select(backup_chain).where(backup_chain.c.sender.in_(list(senders)))
    return {(row.sender, row.lane): (row.incarnation, row.seq) for row in connection.execute(query)}
