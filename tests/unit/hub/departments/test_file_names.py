from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.departments import file_names
from hub.departments.file_names import FileName, find_files, parse_name
from hub.errors import ImportFileError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "item", "period"),
    [
        ("item_05_2026H1.csv", "05", "2026H1"),
        ("ITEM_05_2026h1.CSV", "05", "2026H1"),
        ("item_05_2026H1_corrected-2.csv", "05", "2026H1"),
        ("item_20.csv", "20", None),
        ("item_20-更正.csv", "20", None),
        ("item_s01.csv", "s01", None),
        ("ITEM_S03_2026H1_更正.csv", "s03", "2026H1"),
        ("item_l01-2026H1.csv", "l01", None),
        ("item_5.csv", None, None),
        ("item_ss1.csv", None, None),
        ("item_\u0661\u0662.csv", None, None),
        ("item_05_2026H3.csv", "05", None),
        ("items.csv", None, None),
        ("item_05_2026H1.xlsx", "05", "2026H1"),
        ("item_05_2026H1-b.csv.gz", "05", "2026H1"),
        ("item_05_2026H1.json", "05", "2026H1"),
        ("item_05_2026H1.pdf", None, None),
    ],
)
def test_a_name_tells_item_and_period(name: str, item: str | None, period: str | None) -> None:
    assert parse_name(name) == FileName(item=item, period=period)


def test_registers_are_read_first_and_other_files_are_left_alone(tmp_path: Path) -> None:
    read = ("item_05_2026H1.csv", "item_20.xlsx", "item_s01.csv", "item_01_2026H1.json")
    for name in (*read, "a.md", "manifest.json", "notes.txt", "court.yaml"):
        (tmp_path / name).touch()
    assert [path.name for path in find_files(tmp_path, {"20", "s01"})] == [
        "item_20.xlsx",
        "item_s01.csv",
        "item_01_2026H1.json",
        "item_05_2026H1.csv",
    ]


def test_one_file_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "anything.txt"
    path.touch()
    assert find_files(path, ()) == (path,)


def test_an_absent_path_or_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="Found no table"):
        find_files(tmp_path, ())
    with pytest.raises(ImportFileError, match="Found no file or directory"):
        find_files(tmp_path / "absent", ())


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_names, "MAX_FILES", 1)
    for name in ("item_01.csv", "item_02.csv"):
        (tmp_path / name).touch()
    with pytest.raises(ImportFileError, match="several directories"):
        find_files(tmp_path, ())
