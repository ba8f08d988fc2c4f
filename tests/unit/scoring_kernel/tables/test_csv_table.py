from __future__ import annotations

import csv
import gzip
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.tables import TableError, TableRule, open_table
from scoring_kernel.tables import line_blocks as blocks
from scoring_kernel.tables.line_cutter import MAX_LINE_BYTES
from tests.support.table_files import read_table

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "code,name\nH1,温州市第一医院\nH2,鹿城区卫生院\n"
NAMES = ["温州市第一医院", "鹿城区卫生院"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_three_encodings_and_both_line_ends_give_the_same_cells(
    file: Path, encoding: str, end: str
) -> None:
    file.write_bytes(TEXT.replace("\n", end).encode(encoding))
    read = read_table(file)
    assert [row["name"] for row in read.rows] == NAMES
    assert [row["code"] for row in read.rows] == ["H1", "H2"]
    assert read.numbers == [2, 3]
    assert read.raws[0] == f"H1,{NAMES[0]}".encode(encoding.replace("-sig", ""))
    assert read.table.encoding == encoding.replace("-sig", "")


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_the_one_that_cuts_the_header(file: Path, delimiter: str) -> None:
    file.write_text(f"a{delimiter}b\n1{delimiter}2\n", encoding="utf-8")
    read = read_table(file)
    assert (read.rows, read.table.delimiter) == ([{"a": "1", "b": "2"}], delimiter)


def test_a_tsv_is_cut_at_tabs_and_a_named_delimiter_wins(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a,b\tc\n1,2\t3\n", encoding="utf-8")
    assert read_table(path).rows == [{"a,b": "1,2", "c": "3"}]
    assert read_table(path, delimiter=",").rows == [{"a": "1", "b\tc": "2\t3"}]


def test_quotes_blanks_and_nulls(file: Path) -> None:
    file.write_text('a,b\n"x, ""y""", 5" tall \n"",  \nNA,\u3000\n,,\n', encoding="utf-8")
    read = read_table(file, nulls=["NA"])
    assert read.rows == [{"a": 'x, "y"', "b": ' 5" tall '}, {"a": None, "b": None}]
    assert read.numbers == [2, 4]
    assert read.rules() == {5: "field_count"}
    assert read.raws[1] == "NA,\u3000".encode()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"1", "field_count"),
        (b"1,2,3", "field_count"),
        (b'1,"2', "broken_csv"),
        (b'1,"2"x', "broken_csv"),
        (b"1,\x00", "control_character"),
        (b"1\r,2", "control_character"),
        (b"1,\xff", "undecodable"),
        (b"1," + b"9" * MAX_LINE_BYTES, "line_too_long"),
    ],
)
def test_a_bad_line_harms_only_itself(file: Path, line: bytes, rule: str) -> None:
    good = "1,温\n".encode()
    file.write_bytes(b"a,b\n" + good + line + b"\n" + good)
    read = read_table(file)
    assert read.numbers == [2, 4]
    (fault,) = read.faults
    assert (fault.number, str(fault.rule)) == (3, rule)
    assert fault.raw == line[:MAX_LINE_BYTES]
    assert fault.mend


def test_lines_in_another_encoding_than_most_are_refused(file: Path) -> None:
    gb, utf8 = "1,温州市\n".encode("gb18030"), "1,温州市\n".encode()
    file.write_bytes(b"a,b\n" + utf8 * 3 + gb)
    assert read_table(file).rules() == {5: "undecodable"}
    file.write_bytes(b"a,b\n" + gb * 3 + utf8)
    read = read_table(file)
    assert read.rules() == {5: "undecodable"}
    assert [row["b"] for row in read.rows] == ["温州市"] * 3


def test_a_named_encoding_is_not_asked_again(file: Path) -> None:
    file.write_bytes("a,b\n1,温州市\n".encode())
    assert read_table(file, encoding="gbk").rules() == {2: "undecodable"}
    with pytest.raises(TableError, match="utf-8 or gb18030"):
        open_table(file, encoding="latin-1")


def test_the_majority_is_that_of_the_whole_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    gb, utf8 = "1,温州市\n".encode("gb18030"), "1,温州市\n".encode()
    file.write_bytes(b"a,b\n" + b"1,x\n" * 40 + utf8 + gb * 9)
    read = read_table(file)
    assert read.table.encoding == "gb18030"
    assert read.rules() == {42: "undecodable"}


def test_a_last_line_without_its_end_may_be_cut_off(file: Path, tmp_path: Path) -> None:
    data = b"a,b\n1,2\n3,4"
    file.write_bytes(data)
    assert read_table(file).rules() == {3: "truncated"}
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(data))
    assert read_table(packed).numbers == [2, 3]


def test_empty_lines_and_empty_rows_of_a_spreadsheet_are_passed_over(file: Path) -> None:
    file.write_bytes(b"\n\na,b\n\n,,\n , \n  \n,\n1,2\n\n ")
    read = read_table(file)
    assert read.numbers == [9]
    assert read.rules() == {5: "field_count"}


def test_a_header_alone_states_that_there_is_nothing(file: Path) -> None:
    file.write_bytes(b"a,b\n")
    assert read_table(file).rows == []


def test_unnamed_columns_are_not_given(file: Path) -> None:
    file.write_bytes(b",a, ,b\n0,1,x,2\n")
    read = read_table(file)
    assert read.table.header == ("", "a", "", "b")
    assert read.rows == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"a,b,a\n", "'a' 2 times"),
        (b"a,b", "cut off"),
        (b"\n\n", "empty lines"),
        (b",,\n", "no names"),
        (b'"a,b\n', "quotes"),
        (b"a\x00,b\n", "control"),
        (b"a," * 2001 + b"b\n", "at most 2000"),
        (b"\xef\xbb\xbfa,\xff\n", "not UTF-8"),
        ("a,b\n".encode("utf-16"), "UTF-16"),
        (b"x" * 9_000_000, "more than 1048576"),
    ],
)
def test_a_header_that_names_no_columns_refuses_the_file(
    file: Path, header: bytes, words: str
) -> None:
    file.write_bytes(header)
    with pytest.raises(TableError, match=words):
        open_table(file)


def test_a_sparse_line_of_two_gigabytes_is_one_refused_line(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1024 * 1024)
    with file.open("wb") as sparse:
        sparse.write(b"a,b\n1,2\n")
        sparse.seek(2 * 1024**3 // 16)
        sparse.write(b"\n3,4\n")
    read = read_table(file)
    assert read.numbers == [2, 4]
    assert read.rules() == {3: "line_too_long"}
    assert len(read.faults[0].raw) == MAX_LINE_BYTES


def test_batches_are_bounded_and_faults_stay_at_their_place(file: Path) -> None:
    file.write_bytes(b"a,b\n" + b"1,2\n3\n" * 10)
    with open_table(file) as table:
        batches = list(table.batches(4))
    assert [batch.rows for batch in batches] == [4, 4, 2]
    assert [len(batch.faults) for batch in batches] == [3, 4, 3]
    assert [batch.raw(0) for batch in batches] == [b"1,2"] * 3
    assert table.consumed == file.stat().st_size


def test_only_the_wanted_columns_are_given_in_the_order_of_the_header(file: Path) -> None:
    file.write_bytes(b"a,b,c\n1,2,3\n4,,\n")
    read = read_table(file, columns=["c", "a"])
    assert read.rows == [{"a": "1", "c": "3"}, {"a": "4", "c": None}]
    with pytest.raises(KeyError, match="d"):
        read_table(file, columns=["d"])


def test_a_row_is_read_though_its_wanted_cells_are_empty(file: Path) -> None:
    file.write_bytes(b"a,b\n,2\n,\n")
    assert read_table(file, columns=["a"]).numbers == [2]


def test_a_file_that_changes_while_it_is_read_is_refused(file: Path) -> None:
    file.write_bytes(b"a,b\n1,2\n")
    with open_table(file) as table:
        with file.open("ab") as more:
            more.write(b"3,4\n")
        with pytest.raises(TableError, match="nobody writes") as caught:
            list(table.batches())
        file.unlink()
        with pytest.raises(TableError, match="FileNotFoundError"):
            list(table.batches())
    assert caught.value.rule is TableRule.FILE_CHANGED


def test_a_zip_of_one_file_is_read_and_any_other_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/a.tsv", "a\tb\n1\t2")
    assert read_table(path).rows == [{"a": "1", "b": "2"}]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", "a,b\n")
    with pytest.raises(TableError, match="a zip of 2 files"):
        open_table(path)


def test_archives_that_break_off_or_never_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv.gz"
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 4_000_000)
    path.write_bytes(packed[:-2000])
    with pytest.raises(TableError, match="breaks off") as caught:
        read_table(path)
    assert caught.value.rule is TableRule.ARCHIVE
    path.write_bytes(packed)
    monkeypatch.setattr("scoring_kernel.tables.sources.FREE_BYTES", 9_000_000)
    with pytest.raises(TableError, match="at most 200 times") as caught:
        read_table(path)
    assert caught.value.rule is TableRule.BOMB


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), max_size=6
)


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_was_written_as_csv_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], encoding: str, quoting: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([["a", "b", "c"], *rows])
    path.write_bytes(text.getvalue().encode(encoding))
    read = read_table(path, encoding=encoding)
    full = [row for row in rows if any(row)]
    mixed = {fault.number for fault in read.faults}
    if not mixed:
        assert [[row[name] or "" for name in "abc"] for row in read.rows] == full
    else:
        assert encoding == "gb18030"


@settings(deadline=None)
@given(data=st.binary(max_size=300), start=st.sampled_from([b"", b"a,b\n", b"a,b\n1,2\n"]))
def test_any_bytes_are_rows_faults_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(start + data)
    try:
        read = read_table(path)
    except TableError as error:
        assert error.mend  # noqa: PT017 - either way is right
        return
    places = [*read.numbers, *(fault.number for fault in read.faults)]
    assert len(set(places)) == len(places)
    lines = (start + data).split(b"\n")
    for number, raw in zip(read.numbers, read.raws, strict=True):
        assert lines[number - 1].rstrip(b"\r") == raw
