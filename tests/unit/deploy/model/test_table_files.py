"""Tables as a hostile or careless sender could make them: an error of ours, never a crash."""

from __future__ import annotations

import random
import struct
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet
import pytest

from deploy.errors import InputFileError
from deploy.model import table_files
from deploy.model.choosing import choose_model
from deploy.model.input_files import read_inputs
from deploy.model.table_files import column_names, read_columns, read_table
from deploy.model.targets import write_table

if TYPE_CHECKING:
    from pathlib import Path

FILLED = "item.20.filled_fields@current"
CHOICE = choose_model("institution")
ROWS = 40


def _table(subject: pa.DataType | None = None, count: pa.DataType | None = None) -> pa.Table:
    subjects = pa.array([f"H{row:011d}" for row in range(ROWS)])
    return pa.table(
        {
            "subject": subjects if subject is None else subjects.cast(subject),
            "level": ["3"] * ROWS,
            "type": ["general"] * ROWS,
            FILLED: pa.array([*range(ROWS - 1), None], count or pa.int64()),
        }
    )


def _write(path: Path, table: pa.Table, *, stream: bool) -> None:
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path, write_page_checksum=True)
        return
    start = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, start(sink, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("stream", [False, True], ids=["file", "stream"])
def test_text_offsets_that_point_outside_are_an_error(tmp_path: Path, *, stream: bool) -> None:
    path = tmp_path / "inputs.arrow"
    _write(path, _table(), stream=stream)
    content = path.read_bytes()
    offsets = struct.pack("<3i", 0, 12, 24)
    assert offsets in content
    for wrong in (2**31 - 1, -1, 1_000_000):
        path.write_bytes(content.replace(offsets, struct.pack("<3i", 0, wrong, 24)))
        with pytest.raises(InputFileError, match=r"not a readable \.arrow file"):
            read_inputs(path, CHOICE.model, CHOICE.catalog)


@pytest.mark.parametrize("name", ["file.arrow", "stream.arrow", "pages.parquet"])
def test_any_damage_is_a_table_or_an_error_of_ours(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _write(path, _table(), stream=name.startswith("stream"))
    content = path.read_bytes()
    chance = random.Random(7)  # noqa: S311 - the seed is the argument
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(damaged))
            damaged[at : at + 4] = chance.choice((b"\xff\xff\xff\x7f", b"\xff" * 4, bytes(4)))
        path.write_bytes(bytes(damaged))
        try:
            found = read_inputs(path, CHOICE.model, CHOICE.catalog)
        except InputFileError:
            refused += 1
        else:
            assert len(found.subjects) >= 1
    assert refused > 50


def test_a_damaged_page_does_not_pass_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "inputs.parquet"
    pa.parquet.write_table(
        _table(), path, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = path.read_bytes()
    assert b"H00000000007" in content
    path.write_bytes(content.replace(b"H00000000007", b"H00000000999"))
    with pytest.raises(InputFileError, match="not a readable"):
        read_inputs(path, CHOICE.model, CHOICE.catalog)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.arrow", "stream.arrow"])
def test_bounds_come_before_reading(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    if name == "a.csv":
        write_table(_table(), path)
    else:
        _write(path, _table(), stream=name.startswith("stream"))
    names = column_names(path)
    monkeypatch.setattr(table_files, "MAX_CELLS", 4 * ROWS - 1)
    with pytest.raises(InputFileError, match="40 rows of 4 columns to read") as info:
        read_columns(path, names)
    assert "divide it" in str(info.value)
    assert read_columns(path, names[:3]).table.num_rows == ROWS
    monkeypatch.setattr(table_files, "MAX_ROWS", ROWS - 1)
    with pytest.raises(InputFileError, match="expected at most 39 rows"):
        read_columns(path, names[:1])
    monkeypatch.setattr(table_files, "MAX_COLUMNS", 3)
    with pytest.raises(InputFileError, match="4 columns, expected at most 3"):
        column_names(path)
    monkeypatch.setattr(table_files, "MAX_BYTES", 10)
    with pytest.raises(InputFileError, match="larger than"):
        column_names(path)


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    write_table(_table(), path)

    def exhausted(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError

    monkeypatch.setattr(pa.csv, "read_csv", exhausted)
    with pytest.raises(InputFileError, match="too large for the memory"):
        read_table(path)


def test_only_wanted_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    odd = pa.array([b"\xff"] * ROWS, pa.binary())
    other = next(
        one for one in CHOICE.catalog.input_columns if one not in CHOICE.model.input_columns
    )
    _write(path, _table().append_column(other, odd), stream=False)
    assert len(read_inputs(path, CHOICE.model, CHOICE.catalog).subjects) == ROWS


@pytest.mark.parametrize(
    ("subject", "count"),
    [
        (pa.string_view(), pa.int8()),
        (pa.large_string(), pa.decimal128(9, 0)),
        (pa.dictionary(pa.int32(), pa.string()), pa.decimal256(50, 0)),
        (pa.string(), pa.dictionary(pa.int8(), pa.int64())),
        (pa.string(), pa.float32()),
        (pa.string(), pa.uint64()),
    ],
    ids=str,
)
def test_types_that_say_the_same_give_the_same(
    tmp_path: Path, subject: pa.DataType, count: pa.DataType
) -> None:
    path = tmp_path / "a.arrow"
    plain = _table().column(FILLED).combine_chunks()
    table = _table(subject)
    if pa.types.is_dictionary(count):
        values = plain.dictionary_encode().cast(count)
    elif pa.types.is_decimal(count):
        cells = [None if one is None else Decimal(one) for one in plain.to_pylist()]
        values = pa.array(cells, count)
    else:
        values = plain.cast(count)
    _write(path, table.set_column(3, FILLED, values), stream=False)
    found = read_inputs(path, CHOICE.model, CHOICE.catalog)
    at = found.position(FILLED)
    assert found.subjects[:2] == ("H00000000000", "H00000000001")
    assert found.values[:, at].tolist() == [*range(ROWS - 1), 0]
    assert found.present[:, at].tolist() == [True] * (ROWS - 1) + [False]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([True]),
        pa.array([1.0], pa.float16()),
        pa.array([b"1"]),
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array([0], pa.date32()),
        pa.array([Decimal("1.0")]),
    ],
    ids=lambda one: str(one.type),
)
def test_types_that_are_no_numbers_are_refused(tmp_path: Path, values: pa.Array) -> None:
    path = tmp_path / "a.arrow"
    _write(path, _table().slice(0, 1).set_column(3, FILLED, values), stream=False)
    with pytest.raises(InputFileError, match=r"holds .*, expected whole numbers"):
        read_inputs(path, CHOICE.model, CHOICE.catalog)


def test_a_number_that_no_integer_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = pa.array([2**64 - 1], pa.uint64())
    _write(path, _table().slice(0, 1).set_column(3, FILLED, values), stream=False)
    with pytest.raises(InputFileError, match=r"out of bounds.*unit mistake"):
        read_inputs(path, CHOICE.model, CHOICE.catalog)


def _csv(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "inputs.csv"
    path.write_bytes(content)
    return path


HEAD = f"subject,level,type,{FILLED}\n".encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEAD, "no subject in it"),
        (b"", "lacks the columns subject, level, type"),
        (HEAD.replace(b",", b";") + b"H1;3;general;1\n", "separated by ';', expected commas"),
        (HEAD.replace(b",", b"\t") + b"H1\t3\tgeneral\t1\n", "separated by '\\\\t'"),
        (HEAD + "H1,3,general,1\n市人民医院,3,general,1\n".encode("gb18030"), "CSV UTF-8"),
        ("subject,市人民医院\n".encode("gb18030"), "not UTF-8"),
        ((HEAD.decode() + "H1,3,general,1\n").encode("utf-16"), "not UTF-8"),
        (b'"subject,level\n', "not a readable"),
        (b"x" * 1_000_001, "first line is longer"),
        (HEAD + b"H1,9\x1b[2J,general,1\n", r"line 2, column level: '9\\x1b\[2J' is unknown"),
    ],
)  # fmt: skip
def test_a_csv_file_that_cannot_be_read_says_why(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(InputFileError, match=words) as info:
        read_inputs(_csv(tmp_path, content), CHOICE.model, CHOICE.catalog)
    assert str(info.value).isprintable()


def test_a_header_is_read_as_csv(tmp_path: Path) -> None:
    content = f'\ufeff"subject", level ,type,"{FILLED}"\r\nH1,3,general,7\r\n'.encode()
    found = read_inputs(_csv(tmp_path, content), CHOICE.model, CHOICE.catalog)
    assert found.values[0, found.position(FILLED)] == 7


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (b"=1+2", "spreadsheet takes for a formula"),
        (b"@a", "spreadsheet"),
        (b" H1", "blanks around it"),
        (b"H\x1b1", "cannot be seen"),
        ("H\u202e1".encode(), "cannot be seen"),
        (b"H" * 65, "has 65 characters"),
    ],
)
def test_a_subject_id_is_printable_text(tmp_path: Path, subject: bytes, words: str) -> None:
    content = HEAD + b"H1,3,general,1\n" + subject + b",3,general,1\n"
    with pytest.raises(InputFileError, match=f"line 3, column subject: .*{words}"):
        read_inputs(_csv(tmp_path, content), CHOICE.model, CHOICE.catalog)


def test_ids_in_any_script_are_ids(tmp_path: Path) -> None:
    content = HEAD + "甲 院,3,general,1\n".encode() + b"H" * 64 + b",3,general,2\n"
    found = read_inputs(_csv(tmp_path, content), CHOICE.model, CHOICE.catalog)
    assert found.subjects == ("甲 院", "H" * 64)
