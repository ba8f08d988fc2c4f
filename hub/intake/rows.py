"""Rows of a statement as they arrive: an Arrow IPC stream from another organisation.

Rules of this module: the schema is known before a row is read; compressed bodies and dictionaries
are refused, so that a small payload cannot grow; every array is validated in full; no nulls.
"""

import struct
from functools import lru_cache
from itertools import islice
from typing import Final

import pyarrow as pa

from hub.errors import StatementError

MAX_IPC_BYTES: Final = 1024 * 1024
MAX_BATCHES: Final = 64
_MEND: Final = "update the sender's program and state the slots again"


@lru_cache(maxsize=64)
def rows_schema(measures: tuple[str, ...]) -> pa.Schema:
    """Schema of statement rows: institution, month, subject, then one int64 column a measure."""
    return pa.schema(
        [("institution", pa.string()), ("month", pa.int32()), ("subject", pa.string())]
        + [(measure, pa.int64()) for measure in measures]
    )


def read_rows(data: bytes, schema: pa.Schema) -> pa.Table:
    """Read the rows of a statement.

    Args:
        data: Arrow IPC stream, at most ``MAX_IPC_BYTES``.
        schema: Columns that must be there; those of measures may come in any order.

    Returns:
        The rows; no value is null.

    Raises:
        StatementError: The bytes are no such stream, have other columns or types, are compressed,
            or hold a null.
    """
    if len(data) > MAX_IPC_BYTES:
        raise StatementError(f"Found {len(data)} bytes of rows, at most {MAX_IPC_BYTES} are read.")
    try:
        table = _read_table(data, schema)
    except (pa.ArrowException, struct.error, OSError, ValueError) as error:
        raise StatementError(
            f"The rows are no Arrow stream of the catalogue's columns "
            f"({type(error).__name__}); {_MEND}."
        ) from error
    if any(column.null_count for column in table.columns):
        raise StatementError(f"The rows hold a null, expected integers only; {_MEND}.")
    return table


def _read_table(data: bytes, schema: pa.Schema) -> pa.Table:
    _refuse_growing(data)
    with pa.ipc.open_stream(data) as reader:
        found = reader.schema.remove_metadata()
        if not _is_same(found, schema):
            raise StatementError(
                f"The rows have columns {', '.join(found.names[:12])}, expected "
                f"{', '.join(schema.names)} with the catalogue's types; {_MEND}."
            )
        table = reader.read_all()
    table.validate(full=True)
    return table if found.names == schema.names else table.select(schema.names)


def _refuse_growing(data: bytes) -> None:
    """Look at the messages of a stream without reading one: a schema, then plain batches only."""
    reader = pa.ipc.MessageReader.open_stream(data)
    expected = "schema"
    for message in islice(reader, MAX_BATCHES + 1):
        if message.type != expected:
            raise StatementError(f"The rows hold a {message.type}, not a {expected}; {_MEND}.")
        if expected == "record batch" and _is_compressed(message.metadata.to_pybytes()):
            raise StatementError(f"The rows are compressed, expected plain ones; {_MEND}.")
        expected = "record batch"
    if next(reader, None) is not None:
        raise StatementError(f"The rows come in more than {MAX_BATCHES} batches; {_MEND}.")


def _is_same(found: pa.Schema, schema: pa.Schema) -> bool:
    if found.equals(schema):
        return True
    keys = 3
    return (
        found.names[:keys] == schema.names[:keys]
        and len(found) == len(schema)
        and {field.name: field.type for field in found}
        == {field.name: field.type for field in schema}
    )


def _is_compressed(metadata: bytes) -> bool:
    """Whether a record batch's metadata declares a compressed body.

    Source:
        Arrow format, ``Message.fbs``: table Message {version, header_type, header, …}, table
        RecordBatch {length, nodes, buffers, compression, …}; FlatBuffers internals.
    """
    message = struct.unpack_from("<I", metadata, 0)[0]
    header_field = _field(metadata, message, 2)
    if header_field is None:
        raise ValueError("a message without a header")
    header = header_field + struct.unpack_from("<I", metadata, header_field)[0]
    return _field(metadata, header, 3) is not None


def _field(buffer: bytes, table: int, slot: int) -> int | None:
    """Position of a table's field, or None when it is absent."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0:
        raise ValueError("a vtable outside the buffer")
    size = struct.unpack_from("<H", buffer, vtable)[0]
    place = 4 + 2 * slot
    if place + 2 > size:
        return None
    offset: int = struct.unpack_from("<H", buffer, vtable + place)[0]
    return table + offset if offset else None
