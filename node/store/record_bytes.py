"""One encoding of a record's values, and the digests and leaves that are made of it.

Rules:
- ``shape ‖ fixed ‖ (0xFF ‖ text)*``: the shape is the first 16 bytes of SHA-256 over the names
  and types of the columns that are not null, in the schema's order; ``fixed`` holds their
  numbers, little-endian in the type's own width (a bool is one byte, a moment its seconds since
  1970 on the wall clock); the texts follow as UTF-8, which never holds the byte 0xFF.
- So equal bytes mean equal values: the shape tells every width and the number of texts. A null
  leaves nothing but its name's absence, so null and empty differ, and a column that a later
  catalogue adds changes no digest of the records that lack it.
- A leaf says of its record ``SHA-256(encoding without record_id) ‖ record_id``: the digest, of 32
  bytes always, also tells whether two records have the same values, whatever their ids.
- Tables are encoded column by column; the only work per row is its one hash. A table of a few
  rows is encoded row by row, which is less work there.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from node.errors import StoreError

__all__ = [
    "DIGEST_BYTES",
    "canonical_bytes",
    "key_digests",
    "leaf_content",
    "leaf_contents",
    "row_digests",
    "value_digests",
]

DIGEST_BYTES: Final = 32
_KEY_DIGEST_BYTES: Final = 16
_SHAPE_BYTES: Final = 16
_FEW_ROWS: Final = 8
_PREFIX: Final = b"yixin/row/v1"
_ID: Final = "record_id"
_END: Final = b"\xff"
_SLICE_ROWS: Final = 65_536
_SLICE_BYTES: Final = 64 * 1024 * 1024
"""Larger slices are halved: bounds the memory, and keeps Arrow's 32-bit offsets from ending."""
_WIDTHS: Final[Mapping[str, int]] = {
    "bool": 1,
    "int8": 1,
    "int32": 4,
    "int64": 8,
    "timestamp[s]": 8,
}
_TEXT: Final = "string"
_SEPARATOR: Final = pa.scalar(_END, pa.binary())
_NOTHING: Final = pa.scalar(b"", pa.binary())


def row_digests(table: pa.Table) -> npt.NDArray[np.uint8]:
    """Hash every row of a table.

    Args:
        table: Rows of any columns of the catalogue's types.

    Returns:
        SHA-256 of each row's canonical bytes, shape (n, 32).

    Raises:
        StoreError: A column is of another type, or a text is not UTF-8.
    """
    sha256 = hashlib.sha256
    found = [sha256(row).digest() for part in _encoded(table) for row in part.to_pylist()]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, DIGEST_BYTES)


def value_digests(table: pa.Table) -> npt.NDArray[np.uint8]:
    """Hash the values of every record without its id, shape (n, 32); see ``row_digests``."""
    return row_digests(table.drop_columns([_ID]))


def leaf_contents(digests: npt.NDArray[np.uint8], table: pa.Table) -> pa.BinaryArray:
    """Make what the leaf of every record says of it.

    Args:
        digests: ``value_digests`` of the records, shape (n, 32).
        table: The records.
    """
    ids = pc.cast(table.column(_ID).combine_chunks(), pa.binary())
    return pc.binary_join_element_wise(_binary(digests), ids, _NOTHING)


def leaf_content(row: Mapping[str, object], schema: pa.Schema) -> bytes:
    """Make what the leaf of one record says of it, slowly and plainly.

    Args:
        row: Values by column; a column left out is null.
        schema: The columns of the row's kind, in their order.

    Raises:
        StoreError: A value is not of its column's type, or the record has no id.
    """
    record_id = row.get(_ID)
    if not isinstance(record_id, str):
        raise StoreError("the record has no record_id; read it from the node's export")
    values = {name: value for name, value in row.items() if name != _ID}
    return hashlib.sha256(canonical_bytes(values, schema)).digest() + record_id.encode()


def key_digests(table: pa.Table, columns: Sequence[str], secret: bytes) -> npt.NDArray[np.uint64]:
    """Hash the key of every row, so that an index of keys tells nothing about them.

    Args:
        table: Rows.
        columns: The key's columns, in the key's order.
        secret: Key of the digest, 32 bytes; it never leaves the node.

    Returns:
        Keyed BLAKE2b of 128 bits over the canonical bytes of the key, shape (n, 2).

    Raises:
        StoreError: A column is of another type, or a text is not UTF-8.
    """
    keyed = hashlib.blake2b(digest_size=_KEY_DIGEST_BYTES, key=secret)
    found: list[bytes] = []
    for part in _encoded(table.select(list(columns))):
        for row in part.to_pylist():
            state = keyed.copy()
            state.update(row)
            found.append(state.digest())
    return np.frombuffer(b"".join(found), "<u8").reshape(-1, 2).astype(np.uint64, copy=False)


def canonical_bytes(row: Mapping[str, object], schema: pa.Schema) -> bytes:
    """Encode one row, slowly and plainly: what an inspector compares with.

    Args:
        row: Values by column, as ``Table.to_pylist`` gives them; a column left out is null. A
            moment may be given as its seconds.
        schema: The columns of the row's kind, in their order.

    Returns:
        The bytes that are digested.

    Raises:
        StoreError: A column is of a type that the catalogue does not have.
    """
    present, fixed, texts = [], [], []
    for name, word, width in _columns(schema):
        value = row.get(name)
        if value is None:
            continue
        present.append((name, word))
        if isinstance(value, datetime):
            value = int(value.replace(tzinfo=UTC).timestamp())
        if width is None and isinstance(value, str):
            texts.append(value.encode())
        elif width is not None and isinstance(value, int):
            fixed.append(value.to_bytes(width, "little", signed=True))
        else:
            raise StoreError(
                f"column {name} holds a value of type {type(value).__name__}, expected {word};"
                " read the row from the node's export"
            )
    return b"".join((_shape(tuple(present)), *fixed, *(_END + text for text in texts)))


def _encoded(table: pa.Table) -> Iterator[Any]:
    """Encode rows, as binary arrays in their order."""
    if table.num_rows <= _FEW_ROWS:
        yield pa.array(_few(table), pa.binary())
        return
    for part in _slices(table):
        yield _encode(part)


def _few(table: pa.Table) -> list[bytes]:
    columns = [
        _values(field, column) for field, column in zip(table.schema, table.columns, strict=True)
    ]
    names = table.column_names
    return [
        canonical_bytes(dict(zip(names, row, strict=True)), table.schema)
        for row in zip(*columns, strict=True)
    ]


def _values(field: pa.Field, column: Any) -> list[object]:  # noqa: ANN401 - pyarrow ships no types
    try:
        # A moment as its seconds: those of year 0 have no datetime.
        is_moment = pa.types.is_timestamp(field.type)
        found: list[object] = (pc.cast(column, pa.int64()) if is_moment else column).to_pylist()
    except UnicodeDecodeError as error:
        raise _not_utf8(field) from error
    return found


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, _SLICE_ROWS):
        yield from _halved(table.slice(start, _SLICE_ROWS))


def _halved(part: pa.Table) -> Iterator[pa.Table]:
    if part.nbytes <= _SLICE_BYTES or part.num_rows == 1:
        yield part
        return
    middle = part.num_rows // 2
    yield from _halved(part.slice(0, middle))
    yield from _halved(part.slice(middle))


def _encode(part: pa.Table) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Encode the rows of a slice, as one binary array."""
    rows = part.num_rows
    kept = [
        (field, column.combine_chunks())
        for field, column in zip(part.schema, part.columns, strict=True)
        if column.null_count < rows
    ]
    pieces, texts, run = [], [], [_shapes(kept, rows)]
    for field, column in kept:
        if _width(field) is None:
            texts.append(_text(field, column))
        elif not column.null_count:
            run.append(_numbers(field, column))
        else:
            pieces += [_binary(np.hstack(run))] if run else []
            pieces.append(_binary(_numbers(field, column), pc.is_valid(column)))
            run = []
    pieces += [_binary(np.hstack(run))] if run else []
    fixed = pc.binary_join_element_wise(*pieces, _NOTHING, null_handling="skip")
    if not texts:
        return fixed
    return pc.binary_join_element_wise(fixed, *texts, _SEPARATOR, null_handling="skip")


def _shapes(kept: Sequence[tuple[pa.Field, Any]], rows: int) -> npt.NDArray[np.uint8]:
    """The shape of every row, shape (rows, 16): one hash per pattern of nulls that occurs."""
    patterns = np.zeros(rows, np.uint64)
    for place, (_, column) in enumerate(kept):
        if column.null_count:
            null = pc.is_null(column).to_numpy(zero_copy_only=False)
            patterns |= null.astype(np.uint64) << np.uint64(place)
    coded = pa.array(patterns).dictionary_encode()
    shapes = [
        _shape(
            tuple(
                (field.name, str(field.type))
                for place, (field, _) in enumerate(kept)
                if not pattern >> place & 1
            )
        )
        for pattern in coded.dictionary.to_pylist()
    ]
    by_pattern = np.frombuffer(b"".join(shapes), np.uint8).reshape(-1, _SHAPE_BYTES)
    found: npt.NDArray[np.uint8] = by_pattern[coded.indices.to_numpy()]
    return found


@lru_cache(maxsize=1_024)
def _shape(present: tuple[tuple[str, str], ...]) -> bytes:
    """The shape of rows in which columns of these names and types are not null."""
    words = "".join(f"\0{name}\0{word}" for name, word in present)
    return hashlib.sha256(_PREFIX + words.encode()).digest()[:_SHAPE_BYTES]


@lru_cache(maxsize=256)
def _columns(schema: pa.Schema) -> tuple[tuple[str, str, int | None], ...]:
    """Name, type and bytes of every column."""
    return tuple((column.name, str(column.type), _width(column)) for column in schema)


def _width(column: pa.Field) -> int | None:
    """Bytes of a number; None for a text."""
    word = str(column.type)
    if word != _TEXT and word not in _WIDTHS:
        raise StoreError(
            f"column {column.name} is of type {word}, expected one of"
            f" {', '.join((_TEXT, *_WIDTHS))}; mend the code that builds the records"
        )
    return _WIDTHS.get(word)


def _numbers(field: pa.Field, column: Any) -> npt.NDArray[np.uint8]:  # noqa: ANN401 - pyarrow ships no types
    """The bytes of a column of numbers, shape (n, width); of a null, zeros."""
    width = _WIDTHS[str(field.type)]
    number = pa.int64() if pa.types.is_timestamp(field.type) else pa.from_numpy_dtype(f"i{width}")
    filled = pc.fill_null(pc.cast(column, number), 0)
    values = filled.to_numpy(zero_copy_only=False).astype(f"<i{width}", copy=False)
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, width)


def _text(field: pa.Field, column: Any) -> Any:  # noqa: ANN401 - pyarrow ships no types
    binary = pc.cast(column, pa.binary())
    data = binary.buffers()[2]
    if data is not None and (np.frombuffer(data, np.uint8) == _END[0]).any():
        raise _not_utf8(field)
    return binary


def _not_utf8(field: pa.Field) -> StoreError:
    return StoreError(
        f"column {field.name} holds a text that is not UTF-8; mend the code that builds it"
    )


def _binary(block: npt.NDArray[np.uint8], valid: Any = None) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Rows of bytes, shape (n, width), as a binary array; null where not valid."""
    rows, width = block.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    mask = None if valid is None else pa.array(valid.to_numpy(zero_copy_only=False)).buffers()[1]
    data = pa.py_buffer(np.ascontiguousarray(block))
    return pa.Array.from_buffers(pa.binary(), rows, [mask, pa.py_buffer(offsets), data])
