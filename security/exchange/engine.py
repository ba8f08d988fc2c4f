"""The member's own database of the exchange: SQLite, write-ahead log, synchronous FULL.

Rules:
    1. What a transaction wrote is on the disk when it ends, also after a power cut.
    2. Every transaction takes the write lock at its start: two writers wait for each other and
       never fail half-way.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, event, inspect
from sqlalchemy.schema import CreateColumn

from security.exchange.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import Connection, Engine

BUSY_TIMEOUT_S: Final = 30.0


def open_exchange(path: Path) -> Engine:
    """Open a member's exchange database, and create it when it is not there.

    Args:
        path: Database file; made readable by its owner only.

    Returns:
        An engine whose transactions are durable when they end.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    metadata.create_all(engine)
    _add_columns(engine)
    return engine


def _add_columns(engine: Engine) -> None:
    """Give the tables of an earlier program the columns that it did not have; all have defaults."""
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            held = {column["name"] for column in inspect(connection).get_columns(table.name)}
            for column in table.columns:
                if column.name not in held:
                    definition = CreateColumn(column).compile(dialect=engine.dialect)
                    connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def _prepare(connection: SqliteConnection, record: object) -> None:
    del record
    connection.isolation_level = None  # The driver begins no transaction of its own.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
