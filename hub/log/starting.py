"""What is checked before a hub works with its log: database, tiles and checkpoints must agree.

Numbered as applied:

1. The row of the log's state and the leaves: as many as it says, and those at the end make its
   root, from their bytes on.
2. The published checkpoint is signed by this hub, is not larger than the database, and has the
   root that the database had then.
3. The tiles make the root of the published checkpoint; the leaves at the end are read from them.
4. The cosigned sizes are not larger than the database, and have its roots.
"""

from typing import Final

from sqlalchemy import Connection

from hub.log.hub_log import HubLog, Published
from hub.log.sequencer import rolled_back
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading
from security.errors import LogCorruptError, LogRollbackError
from security.merkle import Frontier, leaf_hash
from security.progress import ProgressReporter
from security.tlog.reader import TileReader

TAIL: Final = 65_536
"""Leaves at the end that every start reads; `yixin hub log verify` reads all."""
_MEND: Final = (
    "Nothing was changed. If the database is right, run `yixin hub log verify --repair`; else put "
    "the newest copy of the hub's directory back."
)


def check_state(log: HubLog, *, tail: int = TAIL, progress: ProgressReporter | None = None) -> None:
    """Check the log before it is worked with.

    Args:
        log: The hub's log.
        tail: Leaves at the end that are read.
        progress: Takes the number of leaves read.

    Raises:
        LogRollbackError: The database holds fewer leaves than were published or cosigned.
        LogCorruptError: Database, tiles and checkpoints contradict each other.
        OSError: The tiles cannot be read.
        HubStoreError: The database failed.
    """
    with reading(log.engine) as connection:
        held = leaf_log.state(connection)
        _check_database(connection, held, tail, progress)
        published = check_published(log, connection, held)
        if published is not None:
            try:
                reader = TileReader(log.tiles(held.number), published.checkpoint)
                size = published.checkpoint.size
                for _ in reader.entries(max(0, size - tail), size):
                    pass
            except LogCorruptError as error:
                raise LogCorruptError(f"The published tiles are damaged: {error}. {_MEND}") from (
                    error
                )
        for cosigned in log_peers.cosignatures(connection, log.origin(held.number)):
            seen = cosigned.checkpoint
            if seen.size > held.size:
                raise LogRollbackError(rolled_back(held.size, seen.size))
            if log.checkpoint_at(connection, seen.size) != seen:
                raise LogRollbackError(
                    f"{cosigned.witness} cosigned another root at {seen.size} leaves than the "
                    f"database of {held.size} leaves makes. {_MEND}"
                )


def check_published(
    log: HubLog, connection: Connection, held: leaf_log.LogState
) -> Published | None:
    """Check the published checkpoint against the database (step 2).

    Returns:
        The published checkpoint; None before the first.

    Raises:
        LogRollbackError: The database holds fewer leaves.
        LogCorruptError: The checkpoint is damaged, or its root is not the database's.
        OSError: The checkpoint cannot be read.
    """
    try:
        published = log.find_published(held.number)
    except LogCorruptError as error:
        raise LogCorruptError(f"The published checkpoint is damaged: {error}. {_MEND}") from error
    if published is None:
        return None
    size = published.checkpoint.size
    if size > held.size:
        raise LogRollbackError(rolled_back(held.size, size))
    if log.checkpoint_at(connection, size) != published.checkpoint:
        raise LogCorruptError(
            f"The database of {held.size} leaves makes another root at {size} leaves than was "
            f"published: a leaf was changed. {_MEND}"
        )
    return published


def _check_database(
    connection: Connection,
    held: leaf_log.LogState,
    tail: int,
    progress: ProgressReporter | None,
) -> None:
    last = leaf_log.last_index(connection)
    if last + 1 != held.size:
        raise LogCorruptError(
            f"The log's state says {held.size} leaves, the last leaf in the database is {last}. "
            f"{_MEND}"
        )
    start = max(0, held.size - tail) // leaf_log.FRONTIER_EVERY * leaf_log.FRONTIER_EVERY
    grown = leaf_log.frontier_before(connection, start) if start else Frontier()
    expected = start
    for index, leaf, stored in leaf_log.hashed_leaves(connection, start, held.size):
        if index != expected:
            raise LogCorruptError(f"Leaf {expected} of the log is missing. {_MEND}")
        if leaf_hash(leaf) != stored:
            raise LogCorruptError(f"Leaf {expected} of the log does not make its hash. {_MEND}")
        grown.append(stored)
        expected += 1
        if expected % leaf_log.FRONTIER_EVERY == 0:
            if leaf_log.find_frontier(connection, expected) not in {None, grown.to_bytes()}:
                raise LogCorruptError(
                    f"The kept compact range of {expected} leaves is not the leaves'. {_MEND}"
                )
            if progress is not None:
                progress("verifying", expected, held.size, "leaves")
    if grown.to_bytes() != held.frontier.to_bytes():
        raise LogCorruptError(
            f"The {held.size} leaves of the database do not make the root of its state. {_MEND}"
        )
