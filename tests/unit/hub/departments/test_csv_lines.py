from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.departments.csv_lines import (
    MAX_LINE_BYTES,
    FileFaultError,
    Line,
    read_lines,
    survey,
)
from hub.departments.faults import WHOLE_FILE, Fault, Rule

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("institution", "period", "score")
HEADER = b"institution,period,score\n"


def read(path: Path, data: bytes, columns: tuple[str, ...] = COLUMNS) -> list[Line | Fault]:
    path.write_bytes(data)
    return list(read_lines(path, survey(path), columns))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "item_09_2026H1.csv"


def test_a_line_becomes_values_by_column_without_blanks(file: Path) -> None:
    rows = read(file, HEADER + b"H33030200001, 2026H1 ,95.50\r\n")
    assert rows == [
        Line(
            number=2,
            values={"institution": "H33030200001", "period": "2026H1", "score": "95.50"},
            content=hashlib.sha256(b"H33030200001, 2026H1 ,95.50").digest(),
        )
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_three_encodings_give_the_same_chinese_text(file: Path, encoding: str) -> None:
    text = "institution,name\nH33030200001,温州市第一医院\nH33030200002,鹿城区卫生院\n"
    rows = read(file, text.encode(encoding), ("institution", "name"))
    assert [row.values["name"] for row in rows if isinstance(row, Line)] == [
        "温州市第一医院",
        "鹿城区卫生院",
    ]


def test_one_broken_line_does_not_turn_a_utf8_file_into_gb18030(file: Path) -> None:
    good = "H33030200001,温州市第一医院\n".encode()
    rows = read(
        file, b"institution,name\n" + good * 3 + b"H1,\xff\xfe\xff\n", ("institution", "name")
    )
    assert [row.values["name"] for row in rows[:3] if isinstance(row, Line)] == [
        "温州市第一医院"
    ] * 3
    fault = rows[3]
    assert isinstance(fault, Fault)
    assert (fault.rule, fault.line) == (Rule.UNDECODABLE, 5)
    assert "UTF-8" in fault.masked


def test_columns_may_stand_in_any_order_and_case(file: Path) -> None:
    rows = read(file, b"Score,PERIOD,institution\n9,2026H1,H33030200001\n")
    assert isinstance(rows[0], Line)
    assert rows[0].values == {"institution": "H33030200001", "period": "2026H1", "score": "9"}


@pytest.mark.parametrize(
    ("line", "rule", "found"),
    [
        (b"H33030200001,2026H1\n", Rule.FIELD_COUNT, "2 fields"),
        (b"H33030200001,2026H1,9,9\n", Rule.FIELD_COUNT, "4 fields"),
        (b'H33030200001,"2026H1,9\n', Rule.BROKEN_CSV, "quotes"),
        (b'H33030200001,"2026H1"x,9\n', Rule.BROKEN_CSV, "quotes"),
        (b"H33030200001,2026H1,9\x00\n", Rule.CONTROL_CHARACTER, "control"),
        (b"H33030200001,2026H1," + b"9" * MAX_LINE_BYTES + b"\n", Rule.LINE_TOO_LONG, "bytes"),
    ],
    ids=["too_few", "too_many", "unclosed_quote", "text_after_quote", "nul", "too_long"],
)
def test_a_broken_line_is_one_fault_and_the_rest_is_read(
    file: Path, line: bytes, rule: Rule, found: str
) -> None:
    good = b"H33030200002,2026H1,9\n"
    rows = read(file, HEADER + good + line + good)
    assert [type(row) for row in rows] == [Line, Fault, Line]
    fault = rows[1]
    assert isinstance(fault, Fault)
    assert (fault.rule, fault.line) == (rule, 3)
    assert found in fault.masked
    assert isinstance(rows[2], Line)
    assert rows[2].number == 4


def test_a_line_fault_never_repeats_the_line(file: Path) -> None:
    rows = read(file, HEADER + b"H33030200001,13800001111\n")
    assert isinstance(rows[0], Fault)
    assert "13800001111" not in rows[0].masked + rows[0].mend


def test_a_last_line_without_line_end_may_be_cut_off(file: Path) -> None:
    rows = read(file, HEADER + b"H33030200001,2026H1,95.50\nH33030200002,2026H1,9")
    assert isinstance(rows[0], Line)
    assert isinstance(rows[1], Fault)
    assert rows[1].rule == Rule.TRUNCATED


def test_blank_lines_and_empty_spreadsheet_rows_are_passed_over(file: Path) -> None:
    rows = read(file, HEADER + b"\n,,\n  \nH33030200001,2026H1,9\n\n")
    assert [row.number for row in rows if isinstance(row, Line)] == [5]
    assert len(rows) == 1


def test_a_header_alone_states_that_there_is_nothing(file: Path) -> None:
    assert read(file, HEADER) == []


@pytest.mark.parametrize(
    ("data", "rule", "found"),
    [
        (b"", Rule.EMPTY_FILE, "0 bytes"),
        (b"PK\x03\x04rest", Rule.NOT_CSV, "spreadsheet"),
        (b"\xd0\xcf\x11\xe0rest", Rule.NOT_CSV, "spreadsheet"),
        ("institution".encode("utf-16"), Rule.ENCODING, "UTF-16"),
        (b"institution,period\n", Rule.HEADER_MISMATCH, "missing: score; surplus or repeated: 0"),
        (b"institution,period,score,x\n", Rule.HEADER_MISMATCH, "missing: none; surplus"),
        (b"institution,period,period,score\n", Rule.HEADER_MISMATCH, "surplus or repeated: 1"),
        (b"institution;period;score\n", Rule.HEADER_MISMATCH, "missing: institution"),
        (b'institution,"period,score\n', Rule.HEADER_MISMATCH, "unreadable"),
        (b"\xef\xbb\xbfinstitution,\xff\n", Rule.HEADER_MISMATCH, "unreadable"),
        (b"x" * (MAX_LINE_BYTES * 3), Rule.HEADER_MISMATCH, "no header"),
    ],
    ids=[
        "empty",
        "xlsx",
        "xls",
        "utf16",
        "missing",
        "surplus",
        "repeated",
        "semicolon",
        "quotes",
        "undecodable",
        "one_long_line",
    ],
)
def test_a_file_that_is_no_such_csv_is_refused_as_a_whole(
    file: Path, data: bytes, rule: Rule, found: str
) -> None:
    with pytest.raises(FileFaultError) as caught:
        read(file, data)
    assert caught.value.fault.rule == rule
    assert caught.value.fault.line == WHOLE_FILE
    assert found in caught.value.fault.masked
    assert found in str(caught.value)


def test_a_file_over_the_bound_is_refused_before_it_is_read(file: Path) -> None:
    file.write_bytes(HEADER)
    with pytest.raises(FileFaultError, match="25 bytes") as caught:
        survey(file, max_bytes=10)
    assert caught.value.fault.rule == Rule.FILE_TOO_LARGE


def test_a_directory_or_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(FileFaultError) as caught:
            survey(path)
        assert caught.value.fault.rule == Rule.UNREADABLE


def test_a_file_that_vanishes_between_the_passes_is_unreadable(file: Path) -> None:
    file.write_bytes(HEADER)
    facts = survey(file)
    file.unlink()
    with pytest.raises(FileFaultError) as caught:
        list(read_lines(file, facts, COLUMNS))
    assert caught.value.fault.rule == Rule.UNREADABLE


def test_the_survey_counts_lines_and_digests_the_bytes(file: Path) -> None:
    data = HEADER + b"a" * (MAX_LINE_BYTES * 2) + b"\nb"
    file.write_bytes(data)
    facts = survey(file)
    assert (facts.lines, facts.size_bytes) == (3, len(data))
    assert facts.sha256 == hashlib.sha256(data).digest()


def test_the_same_fault_keeps_its_identity_on_another_line() -> None:
    first = Fault(line=2, rule="r", masked="m", mend="n", field="f", content=b"c")
    moved = Fault(line=9, rule="r", masked="m", mend="n", field="f", content=b"c")
    other = Fault(line=2, rule="r", masked="m", mend="n", field="g", content=b"c")
    names = {fault.identity("05", "2026H1", "a.csv") for fault in (first, moved)}
    assert len(names) == 1
    assert other.identity("05", "2026H1", "a.csv") not in names


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
