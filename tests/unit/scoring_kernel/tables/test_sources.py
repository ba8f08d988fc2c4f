from __future__ import annotations

import copy
import zipfile
from typing import TYPE_CHECKING

import openpyxl
import pytest

from scoring_kernel.tables import TableError, TableRule, open_table
from scoring_kernel.tables import sources as module
from scoring_kernel.tables.cell_texts import number_text
from scoring_kernel.tables.fhir_values import id_of
from scoring_kernel.tables.sheet_merges import MergedRows, find_merged_rows
from scoring_kernel.tables.sources import find_source, members
from tests.support.table_files import read_table, write_workbook

if TYPE_CHECKING:
    from pathlib import Path


def test_the_error_of_a_file_crosses_a_process_border_whole() -> None:
    error = TableError(TableRule.BOMB, "much", "less", "send less")
    again = copy.copy(error)
    assert (again.rule, again.found, again.expected, again.mend) == (
        TableRule.BOMB,
        "much",
        "less",
        "send less",
    )
    assert str(again) == "bomb: found much, expected less; send less"


def test_no_regular_file_no_bytes_and_too_many_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no regular file"):
        find_source(tmp_path)
    with pytest.raises(TableError, match="FileNotFoundError"):
        find_source(tmp_path / "none")
    path = tmp_path / "a.csv"
    path.touch()
    with pytest.raises(TableError, match="0 bytes") as caught:
        find_source(path)
    assert caught.value.rule is TableRule.EMPTY_FILE
    path.write_bytes(b"a,b\n")
    with pytest.raises(TableError, match="found 4 bytes, expected at most 3"):
        open_table(path, max_bytes=3)


def test_a_file_that_is_gone_at_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n")
    with open_table(path) as table:
        assert table.consumed == 0
        reading = table.batches()
        next(reading)
        path.unlink()
        with pytest.raises(TableError, match="FileNotFoundError"):
            next(reading)


def test_zips_with_many_files_or_a_password_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "a\n")
    data = bytearray(path.read_bytes())
    # Bit 0 of the flags says that an entry is encrypted: APPNOTE 4.4.4.
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(TableError, match="without password"):
        members(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "a\n")
    named = path.read_bytes()
    path.write_bytes(named.replace(b"a.csv", b"\0.csv"))
    with pytest.raises(TableError, match="a file without a name"):
        members(path)
    path.write_bytes(named)
    monkeypatch.setattr(module, "_MAX_MEMBERS", 0)
    with pytest.raises(TableError, match="1 files in a zip"):
        members(path)


def test_a_zip_within_its_bounds_tells_its_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/", "")
        archive.writestr("a/b.csv", "a\n1\n")
    assert [one.filename for one in members(path)] == ["a/", "a/b.csv"]
    source = find_source(path)
    assert (source.member, source.text_name, source.is_packed) == ("a/b.csv", "a/b.csv", True)


def test_overlapping_merges_are_one_stretch(tmp_path: Path) -> None:
    path = tmp_path / "sheet.xml"
    path.write_text('<mergeCell ref="A4:B2"/><x:mergeCell  ref="$C$3:$C$9"/>', encoding="utf-8")
    with path.open("rb") as part:
        found = find_merged_rows(part)
    assert found == MergedRows(firsts=(2,), lasts=(9,))
    assert [row for row in range(12) if found.holds(row)] == list(range(2, 10))


def test_empty_rows_above_the_header_and_too_many_sheets(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    book.worksheets[0]["A3"] = "a"
    book.worksheets[0]["A4"] = "x"
    book.worksheets[0]["C3"].number_format = "0.00"
    book.worksheets[0]["A1"].number_format = "0.00"
    book.save(path)
    read = read_table(path)
    assert (read.rows, read.numbers, read.table.consumed) == (
        [{"a": "x"}],
        [4],
        path.stat().st_size,
    )
    for _ in range(100):
        book.create_sheet()
    book.save(path)
    with pytest.raises(TableError, match="101 sheets"):
        open_table(path)


def test_a_cell_that_is_no_number_at_all_refuses_its_row(tmp_path: Path) -> None:
    head = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
    body = f'<sheetData>{head}<row r="2"><c r="A2"><v>1E-500</v></c></row></sheetData>'
    assert read_table(write_workbook(tmp_path / "a.xlsx", body)).rows == [{"a": "0"}]
    body = body.replace("1E-500", "nanE")
    with pytest.raises(TableError, match="cannot be read"):
        read_table(write_workbook(tmp_path / "a.xlsx", body))


@pytest.mark.parametrize("text", ["1ee", "e", "", "-", "1e401", "\uff11"])
def test_what_is_no_number_has_no_text(text: str) -> None:
    assert number_text(text) is None


def test_a_reference_may_name_an_identifier_alone() -> None:
    assert id_of({"identifier": {"system": "x", "value": "77"}}) == "77"
    assert id_of({"reference": "#coverage"}) == "#coverage"
    assert id_of({}) is None
