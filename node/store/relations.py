"""Records as relations of an embedded DuckDB: a snapshot of segments and staged rows.

The engine reads nothing but what is registered here, and writes nothing to
disk: a spill would be patient records in clear, so there is no spill directory.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

import duckdb
import pyarrow as pa

from node.domain.records import MESSAGE
from node.errors import StoreError
from node.store.database import snapshot
from node.store.ledger import CSV_INFNO
from node.store.staging import Staging
from scoring_kernel.measure_sets import KEY_COLUMNS, MeasureSet
from security.at_rest import SegmentStore

__all__ = ["measure_rows", "open_relations"]

_ENGINE: Final = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "temp_directory": "",
    "lock_configuration": "true",
}
_MESSAGE_SCHEMA: Final = pa.schema(
    [
        ("msgid", pa.string()),
        ("infno", pa.string()),
        ("institution", pa.string()),
        ("month", pa.int32()),
        ("accepted", pa.bool_()),
    ]
)
_FETCH_ROWS: Final = 65_536


def open_relations(
    connection: sqlite3.Connection,
    staging: Staging,
    segments: SegmentStore,
    kinds: Iterable[str],
    schemas: Mapping[str, pa.Schema],
) -> duckdb.DuckDBPyConnection:
    """Open an engine with one relation per kind.

    Args:
        connection: Database of the node.
        staging: Staged rows and segments.
        segments: Opens segments, verified by their SHA-256.
        kinds: Record kinds, ``message`` among them if wanted.
        schemas: Schema per kind.

    Returns:
        A connection of its own; the caller closes it.

    Raises:
        StoreError: A kind is unknown.
    """
    wanted = tuple(kinds)
    for kind in wanted:
        if kind != MESSAGE and kind not in schemas:
            raise StoreError(f"relation {kind!r} found, expected a record kind of the catalogue")
    engine = duckdb.connect(config=dict(_ENGINE))
    try:
        # One snapshot: a flush between two reads would lose or double rows.
        with snapshot(connection):
            for kind in wanted:
                if kind == MESSAGE:
                    engine.register(MESSAGE, _messages(connection))
                else:
                    _register(engine, kind, staging, segments, schemas[kind])
    except BaseException:
        engine.close()
        raise
    return engine


def measure_rows(engine: duckdb.DuckDBPyConnection, measure_set: MeasureSet) -> pa.Table:
    """Run a measure set's SQL.

    Returns:
        Columns ``institution`` (string), ``month`` (int32), ``subject`` (string), then one
        int64 column per measure; sorted by the first three.

    Raises:
        StoreError: The SQL fails, or returns other columns or a null.
    """
    measures = [(measure.id, pa.int64()) for measure in measure_set.measures]
    schema = pa.schema(
        [
            ("institution", pa.string()),
            ("month", pa.int32()),
            ("subject", pa.string()),
            *measures,
        ]
    )
    try:
        found = engine.sql(measure_set.sql).to_arrow_table()
    except duckdb.Error as error:
        raise StoreError(
            f"measure set {measure_set.id!r} cannot be computed ({error}); check the catalogue"
        ) from error
    if found.column_names != schema.names:
        raise StoreError(
            f"measure set {measure_set.id!r} returns columns {found.column_names}, expected"
            f" {schema.names}; check the catalogue"
        )
    table = found.cast(schema)
    if any(column.null_count for column in table.columns):
        raise StoreError(f"measure set {measure_set.id!r} returns nulls; check the catalogue")
    return table.sort_by([(name, "ascending") for name in KEY_COLUMNS])


def _register(
    engine: duckdb.DuckDBPyConnection,
    kind: str,
    staging: Staging,
    segments: SegmentStore,
    schema: pa.Schema,
) -> None:
    parts = []
    held = staging.segments(kind)
    if held:
        engine.register(f"{kind}__segments", _complete(segments.dataset(held), schema))
        parts.append(f"{kind}__segments")
    staged = staging.staged(kind)
    if staged.num_rows or not held:
        engine.register(f"{kind}__staged", staged)
        parts.append(f"{kind}__staged")
    union = " union all by name ".join(f"select * from {part}" for part in parts)  # noqa: S608 - names from the catalogue
    engine.execute(f"create view {kind} as {union}")


def _complete(dataset: Any, schema: pa.Schema) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Give a dataset the columns that its first segment, of an earlier catalogue, lacks.

    The dataset is made without a schema on purpose: making it then opens a file, and with it
    the keys, outside of Python's lock, which the engine's own first file would wait for.
    """
    lacking = [column for column in schema if column.name not in dataset.schema.names]
    return dataset.replace_schema(pa.schema([*dataset.schema, *lacking])) if lacking else dataset


def _messages(connection: sqlite3.Connection) -> pa.Table:
    cursor = connection.execute(
        "select msgid, infno, institution, month, accepted from message where infno <> ?",
        (CSV_INFNO,),
    )
    batches = []
    while rows := cursor.fetchmany(_FETCH_ROWS):
        msgid, infno, institution, month, accepted = zip(*rows, strict=True)
        batches.append(
            pa.record_batch(
                [
                    pa.array(msgid, pa.string()),
                    pa.array(infno, pa.string()),
                    pa.array(institution, pa.string()),
                    pa.array(month, pa.int32()),
                    pa.array(accepted, pa.int8()).cast(pa.bool_()),
                ],
                schema=_MESSAGE_SCHEMA,
            )
        )
    return pa.Table.from_batches(batches, _MESSAGE_SCHEMA)
