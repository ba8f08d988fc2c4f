"""``node.db``: one SQLite file in WAL mode; what is committed survives a power cut.

What is deleted is overwritten in the file; ``clear_log`` takes the log's copies of it away too.
"""

import sqlite3
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from node.errors import StoreError
from node.store.migrations import MIGRATIONS

__all__ = ["FILE_NAME", "clear_log", "open_database"]

FILE_NAME: Final = "node.db"
_BUSY_TIMEOUT_S: Final = 30.0
_CHECKPOINT_PAGES: Final = 8_192
"""32 MiB of log between checkpoints: staged rows are mostly gone again by then."""


def open_database(directory: Path) -> Database:
    """Open the node's database, bringing its tables up to date.

    Args:
        directory: Directory of the node; it exists.

    Returns:
        A database in WAL mode with ``synchronous=FULL``: a commit is on disk
        before it returns.

    Raises:
        StoreError: The file is no database, or cannot be opened or written.
    """
    path = directory / FILE_NAME
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        connection.execute(f"pragma wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.execute("pragma foreign_keys=on")
        connection.execute("pragma secure_delete=on")
        path.chmod(0o600)
        database = Database(connection)
        if MIGRATIONS.pending(database):
            MIGRATIONS.apply(database)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"{path} cannot be opened ({error}); restore the node's directory from its backup"
            " or start with an empty one"
        ) from error
    return database


def clear_log(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log; where another process reads just now, a later one is emptied.

    Raises:
        StoreError: The disk failed.
    """
    try:
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"the node's database cannot be written ({error})") from error
