"""Kinds of record as Arrow schemas.

A table of records carries exactly its kind's columns in their order; every
record's ``month`` is the month, Asia/Shanghai, of its kind's own day.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from node.errors import StoreError
from scoring_kernel.record_kinds import RecordKind

__all__ = ["MESSAGE", "RAW", "complete_records", "record_schemas", "verify_records"]

RAW: Final = "raw"
"""Messages of known transactions that make no typed record, kept as JSON text."""
MESSAGE: Final = "message"
"""Relation over the ledger; its rows are in SQLite, not in segments."""

_ARROW_TYPES: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "timestamp[s]": pa.timestamp("s"),
}


def record_schemas(kinds: Mapping[str, RecordKind]) -> dict[str, pa.Schema]:
    """Map the catalogue's record kinds to Arrow schemas.

    Args:
        kinds: ``Catalog.records``.

    Returns:
        Schema per kind that is kept in segments.
    """
    return {
        kind.id: pa.schema(
            [
                pa.field(name, _ARROW_TYPES[word], nullable=name in kind.nullable)
                for name, word in kind.schema
            ]
        )
        for kind in kinds.values()
        if kind.stored == "segment"
    }


def complete_records(kind: str, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give records that were kept under an earlier catalogue the columns they lack, all null.

    Raises:
        StoreError: A column is lacking that may not be null.
    """
    for column in schema:
        if column.name in table.schema.names:
            continue
        if not column.nullable:
            raise StoreError(
                f"records of kind {kind!r} that are kept lack {column.name}, which may not be"
                " null; make the column nullable in the catalogue"
            )
        table = table.append_column(column, pa.nulls(table.num_rows, column.type))
    return table.select(schema.names)


def verify_records(kind: str, table: pa.Table, schema: pa.Schema) -> None:
    """Refuse a table that is not of its kind.

    Raises:
        StoreError: Columns, types or nulls differ from the kind's schema.
    """
    if not table.schema.equals(schema):
        raise StoreError(
            f"records of kind {kind!r} have columns {table.schema.names}, expected"
            f" {schema.names} with the catalogue's types; mend the code that builds them"
        )
    for column in schema:
        if not column.nullable and table.column(column.name).null_count:
            raise StoreError(
                f"records of kind {kind!r} lack {column.name} in"
                f" {table.column(column.name).null_count} rows; mend the code that builds them"
            )
