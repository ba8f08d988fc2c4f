from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.tables import TableError, TableRule, open_table
from scoring_kernel.tables import workbook_parts as module
from scoring_kernel.tables.workbook_parts import verify_parts
from tests.support.table_files import read_table, write_workbook

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
ROW = "<row><c><v>1</v></c></row>"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "MAX_TREE_BYTES", 10_000)
    monkeypatch.setattr(module, "_PIECE", 1_000)
    return tmp_path / "a.xlsx"


@pytest.mark.parametrize(
    "body",
    [
        "<sheetData>" + HEAD + "<row>" + "<a/>" * 5_000 + "</row></sheetData>",
        "<sheetData><row><row/>" + "<row/>" * 5_000 + "</row></sheetData>",
        '<sheetData xmlns:o="o">' + "<o:row/>" * 5_000 + "</sheetData>",
        "<a/>" * 5_000 + "<sheetData>" + HEAD + "</sheetData>",
        "<sheetData>" + HEAD + "<row><c><v>" + " " * 20_000 + "</v></c></row></sheetData>",
        "<sheetData>" + HEAD + '<row r="' + "2" * 20_000 + '"/></sheetData>',
    ],
)
def test_a_tree_that_is_never_freed_is_refused(file: Path, body: str) -> None:
    with pytest.raises(TableError, match="without the end of a row") as refused:
        open_table(write_workbook(file, body))
    assert refused.value.rule is TableRule.BOMB


def test_deep_nesting_is_refused(file: Path) -> None:
    body = "<sheetData>" + HEAD + "<row>" + "<a>" * 6_000
    with pytest.raises(TableError, match="deeper than 64 levels"):
        open_table(write_workbook(file, body))


def test_another_part_is_small(file: Path) -> None:
    styles = f'<styleSheet xmlns="{MAIN}">' + '<numFmt numFmtId="200"/>' * 1_000 + "</styleSheet>"
    body = f"<sheetData>{HEAD}</sheetData>"
    with pytest.raises(TableError, match="without the end of a row"):
        open_table(write_workbook(file, body, more={"xl/styles.xml": styles}))


def test_shared_texts_are_told_by_their_content(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = f'<sst xmlns="{MAIN}">' + "<si><t>a</t></si>" * 1_000 + "</sst>"
    write_workbook(file, f"<sheetData>{HEAD}</sheetData>", more={"xl/else.xml": texts})
    verify_parts(file)
    monkeypatch.setattr(module, "MAX_STRINGS_BYTES", 15_000)
    with pytest.raises(TableError, match="shared texts of 1"):
        verify_parts(file)


def test_large_sheets_and_pictures_are_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "<sheetData>" + HEAD + ROW * 2_000 + "</sheetData>"
    write_workbook(file, body, more={"xl/media/a.png": "\x89PNG" * 10_000})
    assert len(read_table(file).rows) == 2_000
    monkeypatch.setattr(module, "MAX_PARTS_BYTES", 50_000)
    with pytest.raises(TableError, match="whose parts unpack to"):
        verify_parts(file)


def test_a_damaged_part_is_refused(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        rows = f'<worksheet xmlns="{MAIN}"><sheetData>{ROW * 1_000}</sheetData></worksheet>'
        archive.writestr("xl/a.xml", rows)
    file.write_bytes(file.read_bytes().replace(b">1<", b">0<", 1))
    with pytest.raises(TableError, match="breaks off"):
        verify_parts(file)
