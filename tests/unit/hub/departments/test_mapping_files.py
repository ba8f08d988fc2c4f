from __future__ import annotations

from typing import TYPE_CHECKING

import openpyxl
import pytest

from hub.departments import load_mapping, mapping_files, propose_mapping
from hub.errors import ImportFileError
from tests.support.department_files import CLINIC, HOSPITAL

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel import Catalog
    from tests.support.import_desk import Desk

MAPPING = """
format: 1
item: "09"
columns:
  institution: {column: 机构代码}
  period: {constant: "2026H1"}
  score: {column: 得分}
"""


def workbook(path: Path, *rows: list[str | int | float]) -> Path:
    book = openpyxl.Workbook()
    header: list[str | int | float] = ["序号", "机构代码", "得分"]
    for row in (header, *rows):
        book.worksheets[0].append(row)
    book.save(path)
    return path


def mapping_at(path: Path, text: str = MAPPING) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_department_s_own_workbook_goes_in_by_its_mapping(
    registered: Desk, tmp_path: Path
) -> None:
    mapping = load_mapping(mapping_at(tmp_path / "a.yaml"), registered.catalog)
    path = workbook(tmp_path / "考核.xlsx", [1, HOSPITAL, 80.5], [2, CLINIC, "=A1"])
    report = registered.take(path, period="2026H1", mapping=mapping)
    assert (report.files[0].item, report.added, report.by_rule) == ("09", 1, {"formula": 1})
    assert [row["score_centi"] for row in registered.rows("09")] == [8050]
    again = registered.take(path, period="2026H1", mapping=mapping)
    assert (again.files[0].known_before, again.unchanged, again.quarantined) == (True, 1, 1)


def test_the_same_file_under_another_mapping_is_another_file(
    registered: Desk, tmp_path: Path
) -> None:
    path = workbook(tmp_path / "a.xlsx", [90, HOSPITAL, 80])
    for text, added, corrected, score in (
        (MAPPING, 1, 0, 8000),
        (MAPPING.replace("得分", "序号"), 0, 1, 9000),
    ):
        mapping = load_mapping(mapping_at(tmp_path / "a.yaml", text), registered.catalog)
        report = registered.take(path, period="2026H1", mapping=mapping)
        assert (report.added, report.corrected) == (added, corrected)
        assert [row["score_centi"] for row in registered.rows("09")] == [score]


def test_a_mapping_for_another_item_than_asked_is_refused(desk: Desk, tmp_path: Path) -> None:
    mapping = load_mapping(mapping_at(tmp_path / "a.yaml"), desk.catalog)
    path = workbook(tmp_path / "a.xlsx")
    with pytest.raises(ImportFileError, match="item 05 and a mapping for item 09"):
        desk.take(path, item="05", period="2026H1", mapping=mapping)


def test_a_broken_mapping_is_refused_with_its_line(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mapping_at(tmp_path / "a.yaml", MAPPING.replace("得分}", "得分, unit: parsec}"))
    with pytest.raises(ImportFileError, match=r"a\.yaml:7"):
        load_mapping(path, catalog)
    with pytest.raises(ImportFileError, match="FileNotFoundError"):
        load_mapping(tmp_path / "none.yaml", catalog)
    monkeypatch.setattr(mapping_files, "MAX_MAPPING_BYTES", 10)
    with pytest.raises(ImportFileError, match="more than 10 bytes"):
        load_mapping(path, catalog)


def test_a_mapping_is_proposed_from_names_and_values(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"机构代码,评价周期,得分\n{HOSPITAL},2026H1,95.5\n", encoding="utf-8")
    found = propose_mapping(path, catalog, item="09")
    assert found.targets == ("09",)
    assert 'item: "09"' in found.text
    assert "机构代码" in found.text


def test_what_no_mapping_can_be_proposed_for_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx")
    with pytest.raises(ImportFileError, match="expected one of 01, 02"):
        propose_mapping(path, catalog, item="99")
    with pytest.raises(ImportFileError, match="name one of: Sheet"):
        propose_mapping(path, catalog, sheet="none")
