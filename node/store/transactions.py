"""Transactions of the node's database: what is read is of one moment, what is written is whole."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from node.errors import StoreError

__all__ = ["snapshot", "transaction"]


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Read within one transaction: what others commit meanwhile is not seen, nor hindered."""
    connection.execute("begin")
    try:
        yield
    finally:
        connection.execute("rollback")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run a block as one transaction: all of it is durable at the end, or none of it.

    Raises:
        StoreError: SQLite failed; nothing of the block was kept.
    """
    try:
        connection.execute("begin immediate")
        try:
            yield connection
            connection.execute("commit")
        except BaseException:
            # After some failures SQLite has rolled back already.
            if connection.in_transaction:
                connection.execute("rollback")
            raise
    except sqlite3.Error as error:
        raise StoreError(
            f"the node's database refused a write ({error}); check the disk's free space"
        ) from error
