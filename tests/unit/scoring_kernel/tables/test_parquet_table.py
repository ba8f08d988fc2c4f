from __future__ import annotations

import decimal
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from scoring_kernel.tables import TableError, TableRule, open_table
from tests.support.table_files import read_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.parquet"


MOMENT = datetime(2026, 3, 1, 8, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (pa.array([1, None, -(2**63)]), ["1", None, "-9223372036854775808"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([0.1, 1e22, 3.0, 1e-7]), ["0.1", "10000000000000000000000", "3", "0.0000001"]),
        (pa.array([0.1], pa.float32()), ["0.1"]),
        (pa.array(np.array([0.5], np.float16)), ["0.5"]),
        (pa.array([decimal.Decimal("1.50"), None]), ["1.50", None]),
        (pa.array([decimal.Decimal("0.0000001")]), ["0.0000001"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([date(2026, 3, 1)]), ["2026-03-01"]),
        (pa.array([MOMENT.replace(tzinfo=None)]), ["2026-03-01 08:05:00"]),
        (pa.array([MOMENT], pa.timestamp("s", "Asia/Shanghai")), ["2026-03-01 16:05:00+08:00"]),
        (pa.array([MOMENT], pa.timestamp("ms", "UTC")), ["2026-03-01 08:05:00Z"]),
        (pa.array([1_500_000], pa.timestamp("us")), ["1970-01-01 00:00:01.500000"]),
        (pa.array([time(8, 5)]), ["08:05:00"]),
        (pa.array(["温", " ", ""]).dictionary_encode(), ["温", None, None]),
        (pa.array(["x"], pa.large_string()), ["x"]),
        (pa.nulls(1), [None]),
    ],
)
def test_cells_become_exact_texts(file: Path, cells: pa.Array, texts: list[str | None]) -> None:
    parquet.write_table(pa.table({"a": cells}), file)
    assert [row["a"] for row in read_table(file).rows] == texts


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([[1]]),
        pa.array([{"x": 1}]),
        pa.array([b"x"]),
        pa.array([1], pa.duration("s")),
        pa.array([[(1, 2)]], pa.map_(pa.int8(), pa.int8())),
    ],
)
def test_a_nested_column_is_not_given_and_says_why(file: Path, cells: pa.Array) -> None:
    parquet.write_table(pa.table({"a": ["x"], "b": cells}), file)
    read = read_table(file)
    assert read.rows == [{"a": "x"}]
    assert read.table.header == ("a",)
    assert str(cells.type)[:4] in read.table.unreadable["b"]


def test_a_row_with_a_cell_that_is_no_text_is_refused(file: Path) -> None:
    parquet.write_table(
        pa.table({"a": [1.0, float("nan"), float("inf"), 2.0], "b": ["x", "y", "z", "\x01"]}), file
    )
    read = read_table(file)
    assert read.rows == [{"a": "1", "b": "x"}]
    assert read.rules() == {2: "cell", 3: "cell", 4: "control_character"}
    assert read.faults[0].raw == b'{"b":"y"}'


def test_nulls_columns_and_batches(file: Path) -> None:
    parquet.write_table(pa.table({"a": ["x", "NA", "z"], "b": [1, 2, 3]}), file, row_group_size=2)
    read = read_table(file, columns=["a"], nulls=["NA"], rows=1)
    assert read.rows == [{"a": "x"}, {"a": None}, {"a": "z"}]
    assert read.numbers == [1, 2, 3]
    assert read.raws == [b'{"a":"x"}', b"{}", b'{"a":"z"}']
    assert read.table.consumed == file.stat().st_size


def test_what_unpacks_without_end_is_refused_before_it_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet.write_table(
        pa.table({"a": ["0" * 1000] * 100_000}), file, compression="zstd", use_dictionary=False
    )
    monkeypatch.setattr("scoring_kernel.tables.parquet_table.MAX_GROUP_BYTES", 1_000_000)
    with pytest.raises(TableError, match="a row group that unpacks to") as caught:
        open_table(file)
    assert caught.value.rule is TableRule.BOMB
    monkeypatch.undo()
    monkeypatch.setattr("scoring_kernel.tables.sources.FREE_BYTES", 1_000_000)
    with pytest.raises(TableError, match="at most 200 times"):
        open_table(file)


def test_a_column_twice_refuses_the_file(file: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    parquet.write_table(table, file)
    with pytest.raises(TableError, match="'a' 2 times"):
        open_table(file)


@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1), data=st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_rows_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, place: float, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    columns: dict[str, Any] = {"a": ["x", "y"], "b": [1.5, None], "c": [MOMENT, MOMENT]}
    parquet.write_table(pa.table(columns), path)
    whole = path.read_bytes()
    at = int(place * (len(whole) - len(data)))
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    try:
        read_table(path)
    except TableError as error:
        assert error.mend  # noqa: PT017 - either way is right
