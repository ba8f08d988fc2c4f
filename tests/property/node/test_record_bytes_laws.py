"""Laws of the canonical bytes: they are the plain ones, and only equal rows share them."""

import hashlib
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.store import record_bytes
from node.store.record_bytes import canonical_bytes, row_digests

SCHEMA = pa.schema(
    [
        ("a", pa.string()),
        ("b", pa.int8()),
        ("c", pa.string()),
        ("d", pa.timestamp("s")),
        ("e", pa.bool_()),
        ("f", pa.int64()),
        ("g", pa.int32()),
    ]
)
_SECONDS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - wall clock
    max_value=datetime(9999, 12, 31),  # noqa: DTZ001 - wall clock
).map(lambda at: at.replace(microsecond=0))
_TEXTS = st.one_of(st.sampled_from(["", "\0", "a", "aa", "\0a"]), st.text("\0aé医𠮷", max_size=6))


def _whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "a": st.none() | _TEXTS,
            "b": st.none() | _whole(8),
            "c": st.none() | _TEXTS,
            "d": st.none() | _SECONDS,
            "e": st.none() | st.booleans(),
            "f": st.none() | _whole(64),
            "g": st.none() | _whole(32),
        }
    ),
    max_size=20,
)


@given(rows=ROWS)
def test_columns_are_hashed_as_rows_are(rows: list[dict[str, Any]]) -> None:
    expected = [hashlib.sha256(canonical_bytes(row, SCHEMA)).digest() for row in rows]
    for few in (-1, 8):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(record_bytes, "_FEW_ROWS", few)
            found = row_digests(pa.Table.from_pylist(rows, schema=SCHEMA))
        assert [row.tobytes() for row in found] == expected


@given(rows=ROWS)
def test_equal_bytes_mean_equal_rows(rows: list[dict[str, Any]]) -> None:
    by_bytes: dict[bytes, dict[str, Any]] = {}
    for row in rows:
        assert by_bytes.setdefault(canonical_bytes(row, SCHEMA), row) == row
