"""What the vault sealed or wrapped in the hub's database, place by place.

Rule: a test compares this list with every column of bytes of every table.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, Connection, Engine, and_, case, func, or_, select, update

from hub.store.agreement_tables import sharing_query
from hub.store.engine import reading, writing
from hub.store.grading_tables import grade_result, item_row, published_statement
from hub.store.operator_tables import approval
from hub.store.tables import segment, staged
from security.at_rest.rotation import WrappedKey
from security.at_rest.segments import segment_context
from security.exchange import tables as exchange

__all__ = ["SEALED", "WRAPPED", "sealed_epochs", "wrapped_epochs", "wrapped_places"]

WRAPPED: Final = ((segment.c.wrapped_key, segment.c.name, segment_context),)
"""Columns of wrapped keys, each with the primary key of its table and what binds it there."""
SEALED: Final = (
    staged.c.body,
    item_row.c.sealed,
    grade_result.c.sealed,
    published_statement.c.sealed,
    sharing_query.c.sealed,
    approval.c.arguments,
    exchange.outbox.c.payload,
    exchange.inbox.c.payload,
)
"""Columns of sealed values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """A column of wrapped keys."""

    engine: Engine
    column: Column[bytes]
    row: Column[str]
    context: Callable[[str], str]

    @property
    def name(self) -> str:
        return str(self.column)

    def older(self, newest: int, limit: int) -> Sequence[WrappedKey]:
        """Keys that an older epoch wrapped."""
        first = func.substr(self.column, 1, 1)
        older = and_(first == b"\x02", func.substr(self.column, 2, 2) < newest.to_bytes(2))
        query = select(self.row, self.column).where(or_(first == b"\x01", older)).limit(limit)
        with reading(self.engine) as connection:
            return [
                WrappedKey(row=(name,), wrapped=bytes(wrapped), context=self.context(name))
                for name, wrapped in connection.execute(query)
            ]

    def replace(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> None:
        """Put the keys in the place of the old ones; see ``WrappedKeys``."""
        with writing(self.engine) as connection:
            for old, fresh in keys:
                connection.execute(
                    update(self.column.table)
                    .where(self.row == old.row[0], self.column == old.wrapped)
                    .values({self.column: fresh})
                )


def wrapped_places(engine: Engine) -> tuple[_Keys, ...]:
    """The columns of wrapped keys of a hub."""
    return tuple(
        _Keys(engine=engine, column=column, row=row, context=context)
        for column, row, context in WRAPPED
    )


def wrapped_epochs(connection: Connection) -> Iterator[tuple[str, Mapping[int, int]]]:
    """Count the wrapped keys of every place by epoch."""
    return _epochs(connection, [column for column, _, _ in WRAPPED])


def sealed_epochs(connection: Connection) -> Iterator[tuple[str, Mapping[int, int]]]:
    """Count the sealed values of every place by epoch."""
    return _epochs(connection, SEALED)


def _epochs(
    connection: Connection, columns: Sequence[Column[bytes]]
) -> Iterator[tuple[str, Mapping[int, int]]]:
    for column in columns:
        first = func.substr(column, 1, 1)
        epoch = case(
            (first == b"\x01", b"\x00\x00"), (first == b"\x02", func.substr(column, 2, 2))
        ).label("epoch")
        query = select(epoch, func.count()).where(column.is_not(None)).group_by(epoch)
        counts = {
            int.from_bytes(found): int(count)
            for found, count in connection.execute(query)
            if found is not None
        }
        yield str(column), counts
