"""Engine of the hub's database: SQLite (WAL, synchronous FULL) or PostgreSQL by a URL.

Rules of this module:

- A writing transaction on SQLite takes the write lock when it begins (``BEGIN IMMEDIATE``), so it
  never fails half-way because another writer was first.
- A reading transaction takes a snapshot and no lock.
- Nothing is acknowledged before the commit of the transaction that stores it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hub.errors import ConfigurationError, HubStoreError

BUSY_TIMEOUT_MS: Final = 30_000
_READING: Final = "yixin_reading"


class _Cursor(Protocol):
    def execute(self, sql: str, /) -> object: ...
    def close(self) -> None: ...


class _SqliteConnection(Protocol):
    isolation_level: str | None

    def cursor(self) -> _Cursor: ...


def _prepare_sqlite(dbapi_connection: _SqliteConnection, _record: object) -> None:
    """Take over transaction control from the driver and set what a new connection needs."""
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "wal_autocheckpoint=4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def open_engine(url: str) -> Engine:
    """Open the database of a hub.

    Args:
        url: SQLAlchemy URL, ``sqlite:///…/hub.db`` or ``postgresql+psycopg://…``.

    Returns:
        An engine whose transactions follow the rules of this module.

    Raises:
        ConfigurationError: The URL is malformed, names another kind of database, or its file
            cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "Expected a database URL such as sqlite:///hub.db, found one that cannot be parsed; "
            "correct `database.url` in hub.toml."
        ) from error
    backend = parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigurationError(
            f"Found a database of kind {backend!r}, expected sqlite or postgresql; "
            "correct `database.url` in hub.toml."
        )
    try:
        engine = create_engine(parsed, pool_pre_ping=backend == "postgresql")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The database driver {error.name!r} is not installed; install it, "
            "or use SQLite by removing `database.url` from hub.toml."
        ) from error
    if backend == "sqlite":
        _make_private(parsed.database)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(database: str | None) -> None:
    """Make the file of a new database with mode 0600; SQLite gives its journal the same."""
    if not database or database == ":memory:":
        return
    try:
        os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"The database {database} cannot be made: {error.strerror}. Correct the directory or "
            "its rights, or `database.url` in hub.toml."
        ) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Run one writing transaction: committed at the end, rolled back on any exception.

    Raises:
        HubStoreError: The database refused or could not be reached.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise _store_error(error) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run one reading transaction over one snapshot.

    Raises:
        HubStoreError: The database refused or could not be reached.
    """
    try:
        with (
            engine.connect().execution_options(**{_READING: True}) as connection,
            connection.begin(),
        ):
            yield connection
    except SQLAlchemyError as error:
        raise _store_error(error) from error


def clear_log(engine: Engine) -> None:
    """Empty SQLite's write-ahead log, so that no copy of what was deleted stays in it.

    Nobody waits for it: where somebody reads or writes just now, the next call empties it.

    Raises:
        HubStoreError: The disk failed.
    """
    if engine.dialect.name != "sqlite":
        return
    try:
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=0")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.fetchall()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.close()
        finally:
            connection.close()
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _store_error(error) from error


def _store_error(error: SQLAlchemyError | sqlite3.Error) -> HubStoreError:
    """Translate a database error; statement and parameters may hold personal data and stay out."""
    origin = getattr(error, "orig", None)
    cause = type(origin if origin is not None else error).__name__
    return HubStoreError(
        f"The hub's database failed ({cause}); nothing of this step was stored. Check that the "
        "disk has space and the database can be reached, then run the command again."
    )
