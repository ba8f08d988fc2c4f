from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from scoring_kernel.tables import TableError, TableRule, open_table
from scoring_kernel.tables import sheet_merges as merges
from tests.support.table_files import read_table, write_workbook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from openpyxl.worksheet.worksheet import Worksheet

HEAD = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.xlsx"


def book_of(file: Path, *rows: Sequence[object]) -> tuple[openpyxl.Workbook, Worksheet]:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    book.save(file)
    return book, sheet


def test_cells_become_exact_texts(file: Path) -> None:
    row = [1.15, 3.0, -7, "温州", True, date(2026, 3, 1), datetime(2026, 3, 1, 8, 5), time(8, 5)]  # noqa: DTZ001 - a cell has no zone
    book_of(file, list("abcdefgh"), row)
    (found,) = read_table(file).rows
    assert list(found.values()) == [
        "1.15",
        "3",
        "-7",
        "温州",
        "true",
        "2026-03-01",
        "2026-03-01 08:05:00",
        "08:05:00",
    ]


def test_a_midnight_is_a_moment_where_its_column_shows_hours(file: Path) -> None:
    book, sheet = book_of(file, ["a", "b"], [datetime(2026, 3, 1), datetime(2026, 3, 1)])  # noqa: DTZ001 - as above
    sheet["A2"].number_format = "yyyy-mm-dd hh:mm"
    sheet["B2"].number_format = 'yyyy"h"mm"h"dd'
    book.save(file)
    assert read_table(file).rows == [{"a": "2026-03-01 00:00:00", "b": "2026-03-01"}]


def test_days_count_from_1904_where_the_workbook_says_so(file: Path) -> None:
    book, _ = book_of(file, ["a"], [date(2026, 3, 1)])
    book.epoch = CALENDAR_MAC_1904
    book.save(file)
    assert read_table(file).rows == [{"a": "2026-03-01"}]


@pytest.mark.parametrize(
    ("cell", "rule", "words"),
    [
        ("=A1&B1", "formula", "a formula in cell B2"),
        ("#N/A", "cell", "an error in cell B2"),
        (123456789012345678, "precision", "more than 15 digits in cell B2"),
        (timedelta(hours=30), "cell", "a duration in cell B2"),
    ],
)
def test_a_cell_without_a_value_of_its_own_refuses_its_row(
    file: Path, cell: object, rule: str, words: str
) -> None:
    book_of(file, ["a", "b"], ["x", cell], ["y", 1])
    read = read_table(file)
    assert read.rows == [{"a": "y", "b": "1"}]
    assert read.rules() == {2: rule}
    assert words in read.faults[0].found
    assert read.faults[0].raw == b'{"a":"x"}'


def test_merged_cells_refuse_their_rows_and_a_title_the_sheet(file: Path) -> None:
    book, sheet = book_of(file, ["a", "b"], ["x", 1], [None, 2], ["z", 3], ["u", 4])
    sheet.merge_cells("A2:A3")
    book.save(file)
    read = read_table(file)
    assert read.numbers == [4, 5]
    assert read.rules() == {2: "merged_cells", 3: "merged_cells"}
    sheet.merge_cells("A1:B1")
    book.save(file)
    with pytest.raises(TableError, match="merged cells in row 1"):
        open_table(file)


def test_a_value_beside_the_table_refuses_its_row(file: Path) -> None:
    book_of(file, ["a", None, "b", None], ["x", "n", 1], ["y", None, 2, "note"], [None] * 3)
    read = read_table(file)
    assert read.table.header == ("a", "", "b")
    assert read.rows == [{"a": "x", "b": "1"}]
    assert read.rules() == {3: "field_count"}


def test_hidden_rows_are_read_like_all_others(file: Path) -> None:
    book, sheet = book_of(file, ["a"], ["x"], ["y"])
    sheet.row_dimensions[2].hidden = True
    sheet.column_dimensions["A"].hidden = True
    book.save(file)
    assert [row["a"] for row in read_table(file).rows] == ["x", "y"]


def test_one_sheet_is_meant_or_named(file: Path) -> None:
    book, _ = book_of(file, ["a"], ["x"])
    hidden = book.create_sheet("hidden")
    hidden.append(["a"])
    hidden.sheet_state = "hidden"
    book.create_sheet("empty")
    book.save(file)
    assert read_table(file).rows == [{"a": "x"}]
    assert read_table(file, sheet="hidden").table.name == "a.xlsx#hidden"
    with pytest.raises(TableError, match="name one of: Sheet, hidden, empty"):
        open_table(file, sheet="none")
    with pytest.raises(TableError, match="an empty sheet"):
        open_table(file, sheet="empty")
    book["empty"].append(["b"])
    book.save(file)
    with pytest.raises(TableError, match="2 visible sheets"):
        open_table(file)


@pytest.mark.parametrize("names", [["a", "a"], ["a", "=B2"], [None, None]])
def test_a_header_that_names_no_columns_refuses_the_sheet(file: Path, names: list[object]) -> None:
    book_of(file, names)
    with pytest.raises(TableError):
        open_table(file)


def test_batches_are_bounded(file: Path) -> None:
    book_of(file, ["a"], *[[number] for number in range(7)])
    with open_table(file) as table:
        assert [batch.rows for batch in table.batches(3)] == [3, 3, 1]
        assert [batch.rows for batch in table.batches(10)] == [7]
        assert table.consumed == file.stat().st_size


def test_a_sheet_that_claims_rows_without_end_is_refused(file: Path) -> None:
    body = f'<sheetData>{HEAD}<row r="999999999999"><c><v>1</v></c></row></sheetData>'
    with pytest.raises(TableError, match="more than 1048576 rows") as caught:
        read_table(write_workbook(file, body))
    assert caught.value.rule is TableRule.BOMB


def test_a_row_to_the_last_column_is_refused(file: Path) -> None:
    body = f'<sheetData>{HEAD}<row r="2"><c r="XFD2"><v>1</v></c></row></sheetData>'
    with pytest.raises(TableError, match="2000 columns"):
        read_table(write_workbook(file, body))


def test_entities_are_never_expanded(file: Path) -> None:
    path = write_workbook(file, f"<sheetData>{HEAD}</sheetData>")
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    for name in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        changed = {**parts, name: bomb + parts[name].replace(">a<", ">&b;<")}
        with zipfile.ZipFile(path, "w") as archive:
            for part, text in changed.items():
                archive.writestr(part, text)
        with pytest.raises(TableError, match=r"EntitiesForbidden|DTDForbidden"):
            open_table(path)


def test_what_unpacks_without_end_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = f"<sheetData>{HEAD}</sheetData>"
    write_workbook(file, body, more={"xl/media/a.bin": "0" * 40_000_000})
    monkeypatch.setattr("scoring_kernel.tables.sources.FREE_BYTES", 1_000_000)
    with pytest.raises(TableError, match="at most 200 times"):
        open_table(file)
    monkeypatch.undo()
    write_workbook(file, body + " " * (3 * 1024 * 1024))
    with pytest.raises(TableError, match="without any cell"):
        open_table(file)


def test_merges_are_found_across_pieces(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merges, "_PIECE", 1009)
    book, sheet = book_of(file, ["a", "b"], *[["x", 1]] * 99)
    for row in range(2, 100, 4):
        sheet.merge_cells(f"A{row}:A{row + 1}")
    book.save(file)
    refused = [row for row in range(2, 101) if row % 4 in {2, 3}]
    assert list(read_table(file).rules()) == refused


@pytest.mark.parametrize("drop", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_workbook_without_its_parts_is_refused(file: Path, drop: str) -> None:
    write_workbook(file, f"<sheetData>{HEAD}</sheetData>")
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != drop}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(TableError):
        open_table(file)


def test_an_old_or_encrypted_workbook_is_named_as_such(file: Path) -> None:
    file.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    with pytest.raises(TableError, match=r"save it as \.xlsx without"):
        open_table(file)


SMALL = st.integers(-(10**15) + 1, 10**15 - 1)
VALUES = st.one_of(
    SMALL.map(lambda one: (one, str(one))),
    st.decimals("-99999999", "99999999", places=2).map(lambda one: (float(one), str(float(one)))),
    st.dates(date(1901, 1, 1)).map(lambda one: (one, one.isoformat())),
    st.text("abc温州,\"'<&>", min_size=1).map(lambda one: (one, one)),
)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_what_was_written_as_xlsx_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[tuple[object, str], ...]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.xlsx"
    book_of(path, ["a", "b"], *[[value for value, _ in row] for row in rows])
    read = read_table(path)
    assert [list(row.values()) for row in read.rows] == [
        [text.removesuffix(".0") for _, text in row] for row in rows
    ]


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1), data=st.binary(min_size=1, max_size=8))
def test_a_damaged_workbook_is_rows_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, place: float, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.xlsx"
    book_of(path, ["a", "b"], ["x", 1.5], [date(2026, 3, 1), True])
    whole = path.read_bytes()
    at = int(place * (len(whole) - len(data)))
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    try:
        read_table(path)
    except TableError as error:
        assert error.mend  # noqa: PT017 - either way is right
