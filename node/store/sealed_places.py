"""What the vault sealed or wrapped in a node's directory, place by place.

Rules: a test compares this list with every column of bytes of every database; each change of a
wrapped key is a short transaction of its own connection, beside the node's other work.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.errors import StoreError
from node.store.database import FILE_NAME
from node.store.key_secret import KEY_SECRET_CONTEXT
from node.store.live_tables import LIVE_DATABASE, SECRET_CONTEXT
from node.store.measures_file import FILE_NAME as MEASURES_FILE
from node.store.salts import salt_context
from node.store.transactions import transaction
from security.at_rest.rotation import WrappedKey
from security.at_rest.segments import segment_context

__all__ = ["SEALED", "WRAPPED", "sealed_epochs", "wrapped_epochs", "wrapped_places"]

EXCHANGE: Final = "exchange.db"
_BUSY_TIMEOUT_S: Final = 30.0
_EPOCHS: Final = (
    "select case substr({column}, 1, 1) when x'01' then x'0000' when x'02' then"
    " substr({column}, 2, 2) end, count(*) from {table} where {column} is not null group by 1"
)
_OLDER: Final = (
    "select {row}, {column} from {table} where (substr({column}, 1, 1) = x'01'"
    " or (substr({column}, 1, 1) = x'02' and substr({column}, 2, 2) < ?)){only} limit ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of one table of one database."""

    database: str
    """File in the node's directory."""
    table: str
    column: str
    row: tuple[str, ...] = ()
    """Columns of the primary key; of wrapped keys only."""
    context: Callable[..., str] = str
    """Place that a wrapped key is bound to, from the primary key."""
    only: str = ""
    """Condition on the rows, where a column holds other things as well."""

    @property
    def name(self) -> str:
        """Table and column, for messages."""
        return f"{self.table}.{self.column}"


WRAPPED: Final = (
    Column(
        database=FILE_NAME,
        table="segment",
        column="wrapped_key",
        row=("name",),
        context=segment_context,
    ),
    # Of a ledger before migration 0005, until its records have numbers.
    Column(
        database=FILE_NAME,
        table="old_segment",
        column="wrapped_key",
        row=("name",),
        context=segment_context,
    ),
    Column(
        database=FILE_NAME,
        table="superseded_segment",
        column="wrapped_key",
        row=("name",),
        context=segment_context,
    ),
    Column(
        database=FILE_NAME,
        table="salt",
        column="secret",
        row=("kind", "month"),
        context=salt_context,
    ),
    Column(
        database=FILE_NAME,
        table="key_secret",
        column="wrapped",
        row=("id",),
        context=lambda _id: KEY_SECRET_CONTEXT,
    ),
    Column(
        database=FILE_NAME,
        table="template",
        column="wrapped_key",
        row=("id",),
        context=lambda template: f"template-key/{template.hex()}",
    ),
    Column(
        database=FILE_NAME,
        table="template_transform",
        column="wrapped",
        row=("epoch",),
        context=lambda epoch: f"template-transform/{epoch}",
    ),
    Column(
        database=LIVE_DATABASE,
        table="meta",
        column="value",
        row=("key",),
        context=lambda _key: SECRET_CONTEXT,
        only="key = 'secret'",
    ),
)
"""Columns of wrapped keys."""
SEALED: Final = (
    Column(database=FILE_NAME, table="staged", column="body"),
    Column(database=FILE_NAME, table="old_staged", column="body"),
    Column(database=FILE_NAME, table="pending", column="body"),
    Column(database=FILE_NAME, table="quarantine", column="body"),
    Column(database=FILE_NAME, table="quarantine_context", column="body"),
    Column(database=FILE_NAME, table="rule_hit", column="body"),
    Column(database=FILE_NAME, table="device_authority", column="key"),
    Column(database=FILE_NAME, table="device_authority", column="server_key"),
    Column(database=FILE_NAME, table="device_token", column="response"),
    Column(database=FILE_NAME, table="template_proxy", column="body"),
    Column(database=FILE_NAME, table="presence", column="body"),
    Column(database=FILE_NAME, table="face_crop", column="body"),
    Column(database=FILE_NAME, table="presence_ask", column="body"),
    Column(database=FILE_NAME, table="presence_override", column="body"),
    Column(database=MEASURES_FILE, table="finding", column="body"),
    Column(database=MEASURES_FILE, table="part", column="body"),
    Column(database=EXCHANGE, table="x_outbox", column="payload"),
    Column(database=EXCHANGE, table="x_inbox", column="payload"),
)
"""Columns of sealed values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """A column of wrapped keys, over its own connections."""

    directory: Path
    place: Column

    @property
    def name(self) -> str:
        return self.place.name

    def older(self, newest: int, limit: int) -> Sequence[WrappedKey]:
        """Keys that an older epoch wrapped."""
        place = self.place
        query = _OLDER.format(
            row=", ".join(place.row),
            column=place.column,
            table=place.table,
            only=f" and {place.only}" if place.only else "",
        )
        with _opened(self.directory / place.database) as connection:
            if not _is_there(connection, place.table):
                return ()
            rows = connection.execute(query, (newest.to_bytes(2), limit)).fetchall()
        return [
            WrappedKey(row=row[:-1], wrapped=row[-1], context=place.context(*row[:-1]))
            for row in rows
        ]

    def replace(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> None:
        """Put the keys in the place of the old ones; see ``WrappedKeys``."""
        place = self.place
        which = " and ".join(f"{name} = ?" for name in place.row)
        statement = (
            f"update {place.table} set {place.column} = ?"  # noqa: S608 - our own names
            f" where {which} and {place.column} = ?"
        )
        values = [(fresh, *old.row, old.wrapped) for old, fresh in keys]
        with (
            _opened(self.directory / place.database) as connection,
            transaction(connection),
        ):
            connection.executemany(statement, values)


def wrapped_places(directory: Path) -> tuple[_Keys, ...]:
    """The columns of wrapped keys of a node, those whose database is there."""
    return tuple(
        _Keys(directory=directory, place=place)
        for place in WRAPPED
        if (directory / place.database).exists()
    )


def wrapped_epochs(directory: Path) -> Iterator[tuple[str, Mapping[int, int]]]:
    """Count the wrapped keys of every place by epoch."""
    return _epochs(directory, WRAPPED)


def sealed_epochs(directory: Path) -> Iterator[tuple[str, Mapping[int, int]]]:
    """Count the sealed values of every place by epoch."""
    return _epochs(directory, SEALED)


def _epochs(directory: Path, places: Sequence[Column]) -> Iterator[tuple[str, Mapping[int, int]]]:
    for place in places:
        path = directory / place.database
        if not path.exists():
            continue
        query = _EPOCHS.format(column=place.column, table=place.table)
        if place.only:
            query = query.replace(" group by", f" and {place.only} group by")
        with _opened(path) as connection:
            if _is_there(connection, place.table):
                counts = {
                    int.from_bytes(epoch): count
                    for epoch, count in connection.execute(query)
                    if epoch is not None
                }
                yield place.name, counts


def _is_there(connection: sqlite3.Connection, table: str) -> bool:
    query = "select 1 from sqlite_master where type = 'table' and name = ?"
    return connection.execute(query, (table,)).fetchone() is not None


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own to a database that is there."""
    try:
        with closing(
            sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        ) as connection:
            connection.execute("pragma synchronous=full")
            connection.execute("pragma secure_delete=on")
            yield connection
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read or written ({error}); check the disk") from error
