"""Records as relations of an embedded DuckDB: a snapshot of segments and staged rows.

The engine reads nothing but what is registered here, and writes nothing to
disk: a spill would be patient records in clear, so there is no spill directory.
"""

import sqlite3
from collections.abc import Collection, Iterable
from typing import Any, Final

import duckdb
import pyarrow as pa

from node.domain.records import MESSAGE
from node.errors import StoreError
from node.store.deletions import SEQ
from node.store.record_store import RecordStore
from node.store.transactions import snapshot
from scoring_kernel.measure_sets import KEY_COLUMNS, MeasureSet

__all__ = ["ENGINE", "NUMBERED", "complete", "measure_rows", "open_relations"]

NUMBERED: Final = "__numbered"
"""Ends the name of a kind's relation that has ``_seq`` beside the catalogue's columns."""

ENGINE: Final = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "temp_directory": "",
    # A name in SQL is a relation of ours, never a variable of this program.
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}
"""How every engine over records is opened."""
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
    records: RecordStore,
    kinds: Iterable[str],
    months: Collection[int] | None = None,
    memory_bytes: int | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open an engine with one relation per kind.

    Args:
        connection: Database of the node.
        records: Staged rows, segments and what of them is deleted.
        kinds: Record kinds, ``message`` among them if wanted.
        months: Months (yyyymm) whose records are read; all when None.
        memory_bytes: Most memory of the engine; its own bound when None. With a bound the caller
            locks the configuration, when it has set what it needs.

    Returns:
        A connection of its own; the caller closes it.

    Raises:
        StoreError: A kind is unknown.
    """
    wanted = tuple(kinds)
    for kind in wanted:
        if kind != MESSAGE and kind not in records.schemas:
            raise StoreError(f"relation {kind!r} found, expected a record kind of the catalogue")
    config: dict[str, Any] = dict(ENGINE)
    if memory_bytes is not None:
        # Rows in no order of their own: to keep one, an engine holds what a limit cuts off.
        config |= {"memory_limit": f"{memory_bytes} B", "preserve_insertion_order": "false"}
        del config["lock_configuration"]
        # What was read ahead goes back to the system at once, not into a pool of this process.
        pa.set_memory_pool(pa.system_memory_pool())
    engine = duckdb.connect(config=config)
    try:
        # One snapshot: a flush between two reads would lose or double rows.
        with snapshot(connection):
            for kind in wanted:
                if kind == MESSAGE:
                    engine.register(MESSAGE, _messages(connection))
                else:
                    _register(engine, kind, records, months)
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
    records: RecordStore,
    months: Collection[int] | None,
) -> None:
    schema = records.schemas[kind]
    columns = ", ".join(f'"{name}"' for name in schema.names)  # some are words of SQL
    deleted = records.deletions.of(kind, months)
    parts = []
    held = records.staging.segments(kind, months)
    if held:
        engine.register(f"{kind}__segments", complete(records.segments.dataset(held), schema))
        parts.append(f"{kind}__segments")
    staged = records.staging.staged(kind, months)
    if staged.num_rows or not held:
        engine.register(f"{kind}__staged", staged)
        parts.append(f"{kind}__staged")
    rest = ""
    if len(deleted):
        engine.register(f"{kind}__deleted", pa.table({SEQ: deleted}))
        rest = f" anti join {kind}__deleted using ({SEQ})"
    union = " union all ".join(f"select {columns}, {SEQ} from {part}{rest}" for part in parts)  # noqa: S608 - names from the catalogue
    engine.execute(f"create temp view {kind}{NUMBERED} as {union}")
    engine.execute(f"create temp view {kind} as select {columns} from {kind}{NUMBERED}")  # noqa: S608 - names from the catalogue


def complete(dataset: Any, schema: pa.Schema) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Give a dataset the columns that its first segment, of an earlier catalogue, lacks.

    The dataset is made without a schema on purpose: making it then opens a file, and with it
    the keys, outside of Python's lock, which the engine's own first file would wait for.
    """
    lacking = [column for column in schema if column.name not in dataset.schema.names]
    return dataset.replace_schema(pa.schema([*dataset.schema, *lacking])) if lacking else dataset


def _messages(connection: sqlite3.Connection) -> pa.Table:
    cursor = connection.execute("select msgid, infno, institution, month, accepted from message")
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
