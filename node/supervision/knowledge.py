"""Knowledge as rules see it: the book's proposals and what was imported, each row with its days.

Of a table that was imported the proposal holds only for the days before the first import.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Protocol

import pyarrow as pa

from node.store.knowledge import KnowledgeRow, KnowledgeVersion
from scoring_kernel.rules import KnowledgeTable
from scoring_kernel.rules.knowledge import DATES, Row

__all__ = ["KnowledgeSource", "arrow_table", "import_of", "rows_in_force"]

_ARROW: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "timestamp[s]": pa.timestamp("s"),
}


class KnowledgeSource(Protocol):
    """Where imported knowledge is kept."""

    def knowledge_versions(self) -> tuple[KnowledgeVersion, ...]:
        """List which version of every table holds when, by table and first day."""

    def knowledge_rows(self, version: KnowledgeVersion) -> list[KnowledgeRow]:
        """Get the rows of a version."""


def rows_in_force(
    tables: Iterable[KnowledgeTable], source: KnowledgeSource
) -> dict[str, tuple[Row, ...]]:
    """Gather the rows of knowledge tables.

    Args:
        tables: Tables of the rule book.
        source: Imported knowledge.

    Returns:
        Rows by table, in the order of the table's columns, with the days they hold.
    """
    versions: dict[str, list[KnowledgeVersion]] = {}
    for version in source.knowledge_versions():
        versions.setdefault(version.name, []).append(version)
    return {one.id: _rows(one, versions.get(one.id, []), source) for one in tables}


def import_of(
    table: KnowledgeTable, row: Row, versions: Iterable[KnowledgeVersion]
) -> KnowledgeVersion | None:
    """Tell which import a row in force came by; None where the book proposes it.

    Args:
        table: The row's table.
        row: A row of ``rows_in_force``.
        versions: ``knowledge_versions`` of the same source.
    """
    # Rows of an import begin with it; a proposal that would begin then does not hold any more.
    return next(
        (one for one in versions if one.name == table.id and _moment(one.begins_on) == row[-2]),
        None,
    )


def arrow_table(table: KnowledgeTable, rows: Iterable[Row]) -> pa.Table:
    """Make an Arrow table of rows, with the table's columns and types."""
    schema = pa.schema([(name, _ARROW[word]) for name, word in table.columns.items()])
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _rows(
    table: KnowledgeTable, versions: list[KnowledgeVersion], source: KnowledgeSource
) -> tuple[Row, ...]:
    if not versions:
        return table.rows
    first = _moment(versions[0].begins_on)
    found = [row for shipped in table.rows if (row := _until(shipped, first)) is not None]
    values = [name for name in table.columns if name not in DATES]
    for version in versions:
        begins = _moment(version.begins_on)
        ends = None if version.ends_on is None else _moment(version.ends_on)
        found += [
            (*(row.get(name) for name in values), begins, ends)
            for row in source.knowledge_rows(version)
        ]
    return tuple(found)


def _until(row: Row, end: datetime) -> Row | None:
    begins, ends = row[-2:]
    if isinstance(begins, datetime) and begins >= end:
        return None
    return row if isinstance(ends, datetime) and ends <= end else (*row[:-1], end)


def _moment(day: str) -> datetime:
    return datetime.fromisoformat(day)
