from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from hub.departments.faults import WHOLE_FILE, Fault, FileFaultError, Rule
from hub.departments.item_lines import MAX_FILE_BYTES, Line, open_item_file
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.tables.mapping_files import parse_item_mapping

if TYPE_CHECKING:
    from pathlib import Path

HEADER = b"institution,period,score\n"
ROW = b"H33030200001,2026H1,95.50\n"
CATALOG = load_catalog()


def read(path: Path, data: bytes, item: str = "09") -> list[Line | Fault]:
    path.write_bytes(data)
    with open_item_file(path, CATALOG.items[item]) as opened:
        return list(opened.lines())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "item_09_2026H1.csv"


def test_a_row_becomes_values_by_field_without_blanks(file: Path) -> None:
    rows = read(file, HEADER + b"H33030200001, 2026H1 ,95.50\r\n")
    assert rows == [
        Line(
            number=2,
            values={"institution": "H33030200001", "period": "2026H1", "score": "95.50"},
            content=hashlib.sha256(b"H33030200001, 2026H1 ,95.50").digest(),
        )
    ]


def test_columns_may_stand_in_any_order_and_case(file: Path) -> None:
    (row,) = read(file, b"Score,PERIOD,institution\n9,2026H1,H33030200001\n")
    assert isinstance(row, Line)
    assert row.values == {"institution": "H33030200001", "period": "2026H1", "score": "9"}


@pytest.mark.parametrize(
    ("line", "rule", "found"),
    [
        (b"H33030200001,2026H1\n", "field_count", "2 cells"),
        (b'H33030200001,"2026H1,9\n', "broken_csv", "quotes"),
        (b"H33030200001,2026H1,9\x00\n", "control_character", "control"),
        (b"H33030200001,2026H1,\xff\xfe\n", "undecodable", "UTF-8"),
        (b"H33030200001,13800001111\n", "field_count", "2 cells"),
    ],
)
def test_a_broken_line_is_one_fault_and_the_rest_is_read(
    file: Path, line: bytes, rule: str, found: str
) -> None:
    good = "H33030200002,2026H1,九\n".encode()
    rows = read(file, HEADER + good + line + good)
    assert [type(row) for row in rows] == [Line, Fault, Line]
    fault = rows[1]
    assert isinstance(fault, Fault)
    assert (fault.rule, fault.line) == (rule, 3)
    assert found in fault.masked
    assert "13800001111" not in fault.masked + fault.mend
    assert fault.mend
    assert fault.content == hashlib.sha256(line.rstrip(b"\n")).digest()


def test_the_same_row_is_the_same_line_in_every_format(tmp_path: Path) -> None:
    cells = {"institution": "H33030200001", "period": "2026H1", "score": "95.5"}
    paths = [tmp_path / name for name in ("a.csv.gz", "a.xlsx", "a.parquet", "a.jsonl", "a.json")]
    paths[0].write_bytes(gzip.compress(HEADER + b"H33030200001,2026H1,95.5\n"))
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(cells))
    sheet.append(["H33030200001", "2026H1", 95.5])
    book.save(paths[1])
    parquet.write_table(pa.table({name: [cell] for name, cell in cells.items()}), paths[2])
    line = b'{"institution":"H33030200001","period":"2026H1","score":95.5}\n'
    paths[3].write_bytes(line)
    paths[4].write_bytes(b"[" + line + b"]")
    for path in paths:
        with open_item_file(path, CATALOG.items["09"]) as opened:
            (row,) = list(opened.lines())
            assert isinstance(row, Line), path.name
            assert row.values == cells, path.name


@pytest.mark.parametrize(
    ("data", "rule", "found"),
    [
        (b"", "empty_file", "0 bytes"),
        (b"PK\x03\x04rest", "archive", "zip"),
        (b"\xd0\xcf\x11\xe0rest", "format_unknown", "Excel"),
        ("institution".encode("utf-16"), "encoding", "UTF-16"),
        (b"institution,period\n", Rule.HEADER_MISMATCH, "missing: score; surplus or repeated: 0"),
        (b"institution,period,score,x\n", Rule.HEADER_MISMATCH, "missing: none; surplus"),
        (b"institution,period,score,\n", Rule.HEADER_MISMATCH, "surplus or repeated: 1"),
        (b"institution,period,period,score\n", "header", "'period' 2 times"),
        (b'institution,"period,score\n', "header", "quotes"),
        (b"x" * 3_000_000, "header", "first line"),
        (HEADER[:-1], "header", "cut off"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_as_a_whole(
    file: Path, data: bytes, rule: str, found: str
) -> None:
    with pytest.raises(FileFaultError) as caught:
        read(file, data)
    assert caught.value.fault.rule == rule
    assert caught.value.fault.line == WHOLE_FILE
    assert found in caught.value.fault.masked
    assert found in str(caught.value)


def test_a_file_over_the_bound_is_refused_before_it_is_read(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.write(HEADER)
        sparse.truncate(MAX_FILE_BYTES + 1)
    with (
        pytest.raises(FileFaultError, match=str(MAX_FILE_BYTES)) as caught,
        open_item_file(file, CATALOG.items["09"]),
    ):
        pass
    assert caught.value.fault.rule == "file_too_large"


def test_a_directory_or_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.csv"):
        with (
            pytest.raises(FileFaultError) as caught,
            open_item_file(path, CATALOG.items["09"]),
        ):
            pass
        assert caught.value.fault.rule == "unreadable"


def test_a_file_that_grows_while_it_is_read_is_refused_at_its_end(file: Path) -> None:
    file.write_bytes(HEADER + ROW)
    with open_item_file(file, CATALOG.items["09"]) as opened:
        with file.open("ab") as more:
            more.write(ROW)
        with pytest.raises(FileFaultError, match="nobody writes") as caught:
            list(opened.lines())
    assert caught.value.fault.rule == "file_changed"


MAPPING = """
format: 1
item: "09"
nulls: ["-"]
columns:
  institution: {column: 机构代码}
  period: {constant: "2026H1"}
  score: {column: 得分}
"""


def test_a_mapping_gives_foreign_columns_their_meaning(file: Path, catalog: Catalog) -> None:
    mapping = parse_item_mapping(MAPPING.encode(), "a.yaml", catalog)
    file.write_bytes("序号;得分;机构代码\n1;95.5;H33030200001\n2;-;H33030200002\n".encode("gbk"))
    with open_item_file(file, catalog.items["09"], mapping) as opened:
        rows = list(opened.lines())
        with_mapping = opened.sha256
    assert [row.values for row in rows if isinstance(row, Line)] == [
        {"institution": "H33030200001", "period": "2026H1", "score": "95.5"},
        {"institution": "H33030200002", "period": "2026H1", "score": ""},
    ]
    assert with_mapping != hashlib.sha256(file.read_bytes()).digest()


def test_a_cell_that_a_mapping_cannot_read_refuses_its_row_alone(
    file: Path, catalog: Catalog
) -> None:
    text = MAPPING.replace("{column: 得分}", "{sum: [得分, 加分]}")
    mapping = parse_item_mapping(text.encode(), "a.yaml", catalog)
    rows = "机构代码,得分,加分\nH33030200001,90,x\nH33030200002,90,2.5\n"
    file.write_text(rows, encoding="utf-8")
    with open_item_file(file, catalog.items["09"], mapping) as opened:
        fault, line = list(opened.lines())
    assert isinstance(fault, Fault)
    assert (fault.line, fault.field, fault.rule, fault.masked) == (2, "score", "field_type", "'x'")
    assert "加分" in fault.mend
    assert isinstance(line, Line)
    assert line.values["score"] == "92.50"


def test_a_column_that_a_mapping_names_must_be_there(file: Path, catalog: Catalog) -> None:
    mapping = parse_item_mapping(MAPPING.encode(), "a.yaml", catalog)
    file.write_bytes(HEADER + ROW)
    with (
        open_item_file(file, catalog.items["09"], mapping) as opened,
        pytest.raises(FileFaultError, match="missing: 得分, 机构代码"),
    ):
        list(opened.lines())


def test_the_same_fault_keeps_its_identity_on_another_line() -> None:
    first = Fault(line=2, rule="r", masked="m", mend="n", field="f", content=b"c")
    moved = Fault(line=9, rule="r", masked="m", mend="n", field="f", content=b"c")
    other = Fault(line=2, rule="r", masked="m", mend="n", field="g", content=b"c")
    names = {fault.identity("05", "2026H1", "a.csv") for fault in (first, moved)}
    assert len(names) == 1
    assert other.identity("05", "2026H1", "a.csv") not in names


@settings(deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_give_lines_or_faults_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    for start in (b"", HEADER):
        try:
            rows = read(path, start + data)
        except FileFaultError:
            continue
        assert all(isinstance(row, Line | Fault) for row in rows)
