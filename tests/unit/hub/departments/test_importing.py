from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from hub.departments import import_items, importing
from hub.errors import HubStoreError, ImportFileError
from hub.store.engine import reading, writing
from hub.store.grading_tables import item_row
from hub.store.item_imports import covered_periods
from tests.support.department_files import (
    CLINIC,
    HOSPITAL,
    PHARMACY,
    REGISTER,
    REGISTER_ROWS,
    write_csv,
    write_item,
    write_register,
)
from tests.support.import_desk import NOW, Desk, event

if TYPE_CHECKING:
    from pathlib import Path


UNKNOWN = "H33030299999"


def test_rows_are_parsed_into_units_and_read_back_with_days(
    registered: Desk, tmp_path: Path
) -> None:
    report = registered.take(
        write_item(
            tmp_path, registered.catalog, "03", "2026H1", [event("温医保 2026 第1号", "2026-03-09")]
        )
    )
    assert (report.added, report.quarantined) == (1, 0)
    (row,) = registered.rows("03")
    assert row["event_day"] == date(2026, 3, 9)
    assert row["amount_fen"] == 12050
    assert row["document_number"] == "温医保 2026 第1号"


def test_the_register_is_read_with_gaps_and_personal_fields_sealed(
    registered: Desk, tmp_path: Path
) -> None:
    names = [row["legal_representative"] for row in registered.rows("20")]
    assert names == ["张三", "李四", "王五"]
    assert registered.rows("20")[0]["uscc"] is None
    stored = (tmp_path / "hub.db").read_bytes() + (tmp_path / "hub.db-wal").read_bytes()
    assert "张三".encode() not in stored
    assert b"88880001" not in stored


def test_the_same_file_twice_changes_nothing(registered: Desk, tmp_path: Path) -> None:
    path = write_item(
        tmp_path,
        registered.catalog,
        "03",
        "2026H1",
        [event("1", "2026-03-09"), event("2", "2026-13-09")],
    )
    registered.take(path)
    before = registered.table()
    report = registered.take(path, now=NOW + timedelta(days=1))
    assert registered.table() == before
    assert (report.added, report.unchanged, report.quarantined) == (0, 1, 1)
    assert report.files[0].known_before


def test_a_clean_file_read_before_is_left_alone(registered: Desk, tmp_path: Path) -> None:
    report = registered.take(tmp_path / "item_20.csv")
    assert report.files[0].known_before
    assert (report.added, report.unchanged, report.quarantined) == (0, 0, 0)


def test_a_correction_is_a_new_version_and_the_last_one_counts(
    registered: Desk, tmp_path: Path
) -> None:
    catalog = registered.catalog
    registered.take(write_item(tmp_path, catalog, "09", "2026H1", [f"{HOSPITAL},2026H1,80.00"]))
    header = ",".join(catalog.items["09"].header)
    corrected = write_csv(
        tmp_path / "item_09_2026H1_corrected.csv",
        header,
        [f"{HOSPITAL},2026H1,81.50", f"{CLINIC},2026H1,90"],
    )
    report = registered.take(corrected)
    assert (report.added, report.corrected) == (1, 1)
    assert [row["score_centi"] for row in registered.rows("09")] == [8150, 9000]
    with reading(registered.engine) as connection:
        versions = connection.execute(
            select(item_row.c.version, item_row.c.current)
            .where(item_row.c.item == "09", item_row.c.subject == HOSPITAL)
            .order_by(item_row.c.version)
        ).fetchall()
    assert [tuple(row) for row in versions] == [(1, False), (2, True)]


def test_an_event_is_known_by_authority_and_document_number(
    registered: Desk, tmp_path: Path
) -> None:
    catalog = registered.catalog
    registered.take(write_item(tmp_path, catalog, "03", "2025H2", [event("7", "2025-09-01")]))
    report = registered.take(
        write_item(
            tmp_path, catalog, "03", "2026H1", [event("7", "2025-09-01", handling="suspension")]
        )
    )
    assert (report.added, report.corrected) == (0, 1)
    assert [row["handling"] for row in registered.rows("03")] == ["suspension"]


def test_an_old_file_read_again_does_not_undo_a_later_correction(
    registered: Desk, tmp_path: Path
) -> None:
    catalog = registered.catalog
    old = write_item(
        tmp_path, catalog, "09", "2026H1", [f"{HOSPITAL},2026H1,80", f"{UNKNOWN},2026H1,70"]
    )
    registered.take(old)
    header = ",".join(catalog.items["09"].header)
    registered.take(write_csv(tmp_path / "item_09_2026H1_b.csv", header, [f"{HOSPITAL},2026H1,95"]))
    report = registered.take(old)
    assert (report.corrected, report.unchanged, report.quarantined) == (0, 1, 1)
    assert [row["score_centi"] for row in registered.rows("09")] == [9500]


def test_a_header_alone_covers_the_period(registered: Desk, tmp_path: Path) -> None:
    report = registered.take(write_item(tmp_path, registered.catalog, "21", "2026H1", []))
    assert (report.added, report.quarantined) == (0, 0)
    with reading(registered.engine) as connection:
        assert covered_periods(connection, "21") == {"2026H1"}
        assert covered_periods(connection, "07") == frozenset()


def test_a_directory_reads_the_register_first_and_goes_on_after_a_refused_file(
    desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "departments"
    folder.mkdir()
    write_item(folder, desk.catalog, "09", "2026H1", [f"{HOSPITAL},2026H1,80"])
    write_csv(folder / "item_99_2026H1.csv", "institution", [])
    write_csv(folder / "notes.csv", "institution", [])
    write_csv(folder / "item_05.csv", "institution", [])
    write_register(folder)
    report = desk.take(folder)
    assert [file.file_name for file in report.files] == [
        "item_20.csv",
        "item_05.csv",
        "item_09_2026H1.csv",
        "item_99_2026H1.csv",
        "notes.csv",
    ]
    assert report.added == 4
    assert report.by_rule == {"file_name": 3}


def test_options_win_over_the_file_name(registered: Desk, tmp_path: Path) -> None:
    header = ",".join(registered.catalog.items["09"].header)
    path = write_csv(tmp_path / "download.txt", header, [f"{HOSPITAL},2026H1,80"])
    report = registered.take(path, item="09", period="2026H1")
    assert (report.files[0].item, report.files[0].period, report.added) == ("09", "2026H1", 1)


def test_wrong_options_and_paths_are_refused(desk: Desk, tmp_path: Path) -> None:
    path = write_register(tmp_path)
    with pytest.raises(ImportFileError, match="expected one of 01, 02"):
        desk.take(path, item="99")
    with pytest.raises(ImportFileError, match="2026H3"):
        desk.take(path, period="2026H3")
    with pytest.raises(ImportFileError, match="Found no file"):
        desk.take(tmp_path / "absent")


def test_a_large_file_is_committed_in_batches_with_progress(
    registered: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH_LINES", 2)
    rows = [event(str(number), "2026-03-09") for number in range(5)]
    path = write_item(tmp_path, registered.catalog, "03", "2026H1", rows)
    seen: list[tuple[int, int]] = []

    def progress(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        assert stage == "importing item_03_2026H1.csv"
        assert unit == "bytes"
        seen.append((done, total))

    import_items(
        registered.engine,
        registered.catalog,
        path,
        vault=registered.vault,
        now=NOW,
        progress=progress,
    )
    size = path.stat().st_size
    assert seen == [(size, size)] * 3
    assert len(registered.rows("03")) == 5


def test_a_stop_between_batches_keeps_what_was_committed_and_the_next_import_completes(
    registered: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH_LINES", 2)
    rows = [event(str(number), "2026-03-09") for number in range(5)]
    path = write_item(tmp_path, registered.catalog, "03", "2026H1", rows)

    def stop(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        raise KeyboardInterrupt(stage, done, total, unit)

    with pytest.raises(KeyboardInterrupt):
        import_items(
            registered.engine,
            registered.catalog,
            path,
            vault=registered.vault,
            now=NOW,
            progress=stop,
        )
    assert len(registered.rows("03")) == 2
    with reading(registered.engine) as connection:
        assert covered_periods(connection, "03") == frozenset()
    report = registered.take(path)
    assert (report.added, report.unchanged) == (3, 2)


def test_gb18030_files_are_read(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "item_20.csv", REGISTER, REGISTER_ROWS, encoding="gb18030")
    assert desk.take(path).added == 3
    assert desk.rows("20")[0]["name"] == "温州市第一医院"


def test_a_row_moved_to_another_place_in_the_database_does_not_open(
    registered: Desk,
) -> None:
    with writing(registered.engine) as connection:
        sealed = connection.execute(
            select(item_row.c.sealed).where(item_row.c.subject == PHARMACY)
        ).scalar_one()
        connection.execute(
            update(item_row).where(item_row.c.subject == HOSPITAL).values(sealed=sealed)
        )
    with pytest.raises(HubStoreError, match=f"{HOSPITAL}.*restore both"):
        registered.rows("20")
