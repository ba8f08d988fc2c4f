"""Publishing the log: leaves of the database become tiles, then a signed checkpoint.

Rules: off the path of commits; tiles first, the checkpoint last, and only over tiles that were read
back and make the database's root; every step may be cut off and done again.
"""

from hub.log.hub_log import HubLog, Published
from hub.store import log as leaf_log
from hub.store.engine import reading
from security.errors import LogRollbackError
from security.tlog.reader import TileReader
from security.tlog.store import TileStore
from security.tlog.tiles import CHECKPOINT
from security.tlog.writer import extend_tiles, prune_tiles


def publish(log: HubLog) -> Published:
    """Publish what was appended since the last checkpoint.

    Args:
        log: The hub's log.

    Returns:
        The newest published checkpoint.

    Raises:
        LogRollbackError: More leaves are published than the database holds.
        LogCorruptError: Tiles are missing or do not make the database's root.
        OSError: The store refuses.
        HubStoreError: The database failed.
    """
    with reading(log.engine) as connection:
        held = leaf_log.state(connection)
        store = log.tiles(held.number)
        last = log.find_published(held.number)
        start = last.checkpoint.size if last else 0
        if last is not None and start == held.size:
            return last
        if start > held.size:
            raise LogRollbackError(rolled_back(held.size, start))
        stored = leaf_log.leaves(connection, start, held.size)
        extend_tiles(store, start, (leaf.leaf for leaf in stored))
    checkpoint = log.checkpoint(held.number, held.frontier)
    TileReader(store, checkpoint)
    made = Published(note=log.sign(checkpoint), checkpoint=checkpoint)
    save_note(store, made.note)
    prune_tiles(store, start, held.size)
    return made


def rebuild(log: HubLog) -> Published:
    """Write all tiles anew from the database.

    Raises:
        LogRollbackError: More leaves are published than the database holds.
        LogCorruptError: The database does not make the root that was published.
        OSError: The store refuses.
        HubStoreError: The database failed.
    """
    with reading(log.engine) as connection:
        held = leaf_log.state(connection)
        store = log.tiles(held.number)
        last = log.find_published(held.number)
        size = last.checkpoint.size if last else held.size
        if size > held.size:
            raise LogRollbackError(rolled_back(held.size, size))
        stored = leaf_log.leaves(connection, 0, size)
        extend_tiles(store, 0, (leaf.leaf for leaf in stored))
        checkpoint = last.checkpoint if last else log.checkpoint_at(connection, size)
    TileReader(store, checkpoint).verify_all()
    return publish(log)


def save_note(store: TileStore, note: str) -> None:
    """Put a checkpoint beside its tiles.

    Raises:
        OSError: The store refuses.
    """
    store.write(CHECKPOINT, note.encode())


def rolled_back(held: int, seen: int) -> str:
    """What an operator reads about a database with fewer leaves than were published."""
    return (
        f"The database holds {held} leaves of the log, but {seen} were published: it was restored "
        "from an old copy, or its disk lost what it had confirmed. Nothing was changed. Put the "
        "newest copy of the database back; else fetch the leaves with `yixin hub log recover`; "
        "when they are lost for good, and only then, run `yixin hub log new-origin --lost "
        f"{held}:{seen}`."
    )
