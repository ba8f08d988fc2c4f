from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from hub.departments import importing, open_faults
from hub.store.engine import reading
from hub.store.item_imports import count_open_faults, covered_periods
from tests.support.department_files import (
    CLINIC,
    HOSPITAL,
    REGISTER_ROWS,
    row_of,
    write_csv,
    write_item,
    write_register,
)
from tests.support.import_desk import Desk, event

if TYPE_CHECKING:
    from pathlib import Path


UNKNOWN = "H33030299999"


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        (f"{HOSPITAL},2026H1,-3,10.00", "rejected_visits", "negative"),
        (f"{HOSPITAL},2026H1,3,10.005", "rejected_yuan", "places"),
        (f"{HOSPITAL},2025H1,3,10.00", "period", "other_period"),
        (f"{UNKNOWN},2026H1,3,10.00", "institution", "unknown_institution"),
        ("H3303,2026H1,3,10.00", "institution", "format"),
        (f"{HOSPITAL},2026H1,3", "", "field_count"),
        (event("1", "2026-07-01"), "event_day", "event_outside_period"),
        (event("1", "2022-12-31"), "event_day", "event_outside_period"),
        (event("1", "2026-02-30"), "event_day", "format"),
        (event("1", "2026-02-03", handling="scolding"), "handling", "code_list"),
    ],
)
def test_a_broken_rule_is_one_quarantined_line_and_the_rest_goes_in(
    registered: Desk, tmp_path: Path, line: str, field: str, rule: str
) -> None:
    number = "03" if "温州市医保局" in line else "05"
    good = (
        event("99", "2026-06-30")
        if number == "03"
        else row_of(registered.catalog, number, CLINIC, "2026H1", "1")
    )
    path = write_item(tmp_path, registered.catalog, number, "2026H1", [line, good])
    report = registered.take(path)
    assert (report.added, report.quarantined, report.by_rule) == (1, 1, {rule: 1})
    with reading(registered.engine) as connection:
        (fault,) = open_faults(connection)
    assert (fault.item, fault.period, fault.file_name) == (number, "2026H1", path.name)
    assert (fault.line, fault.field, fault.rule) == (2, field, rule)
    assert fault.mend


def test_a_wrong_check_digit_in_the_register_is_refused(desk: Desk, tmp_path: Path) -> None:
    wrong = REGISTER_ROWS[0].replace(",,3,", ",91330300MA0000000X,3,")
    report = desk.take(write_register(tmp_path, [wrong, REGISTER_ROWS[1]]))
    assert (report.added, report.by_rule) == (1, {"check_digit": 1})


def test_personal_values_never_enter_the_quarantine(desk: Desk, tmp_path: Path) -> None:
    wrong = REGISTER_ROWS[0].replace("0577-88880001", "call 88880001")
    desk.take(write_register(tmp_path, [wrong]))
    with reading(desk.engine) as connection:
        (fault,) = open_faults(connection)
    assert fault.field == "phone"
    assert "88880001" not in fault.masked + fault.mend


def test_an_event_of_the_years_that_a_rating_looks_back_on_goes_in(
    registered: Desk, tmp_path: Path
) -> None:
    rows = [event("1", "2023-01-01"), event("2", "2026-06-30")]
    report = registered.take(write_item(tmp_path, registered.catalog, "03", "2026H1", rows))
    assert (report.added, report.quarantined) == (2, 0)


def test_an_event_after_today_in_shanghai_is_refused(registered: Desk, tmp_path: Path) -> None:
    rows = [event("1", "2026-03-02"), event("2", "2026-03-03")]
    path = write_item(tmp_path, registered.catalog, "03", "2026H1", rows)
    # 17:00 UTC on the first is one o'clock on the second in Shanghai.
    report = registered.take(path, now=datetime(2026, 3, 1, 17, 0, tzinfo=UTC))
    assert (report.added, report.by_rule) == (1, {"event_outside_period": 1})


def test_a_key_twice_in_one_file_keeps_the_first_and_quarantines_the_contradiction(
    registered: Desk, tmp_path: Path
) -> None:
    lines = [f"{HOSPITAL},2026H1,80", f"{HOSPITAL},2026H1,80", f"{HOSPITAL},2026H1,90"]
    report = registered.take(write_item(tmp_path, registered.catalog, "09", "2026H1", lines))
    assert (report.added, report.unchanged, report.by_rule) == (1, 1, {"duplicate_key": 1})
    assert [row["score_centi"] for row in registered.rows("09")] == [8000]


def test_lines_refused_before_the_register_came_go_in_when_the_file_comes_again(
    desk: Desk, tmp_path: Path
) -> None:
    path = write_item(tmp_path, desk.catalog, "09", "2026H1", [f"{HOSPITAL},2026H1,80"])
    assert desk.take(path).by_rule == {"unknown_institution": 1}
    desk.take(write_register(tmp_path))
    report = desk.take(path)
    assert (report.added, report.quarantined) == (1, 0)
    with reading(desk.engine) as connection:
        assert open_faults(connection) == ()


def test_a_corrected_file_of_the_same_name_resolves_its_faults(
    registered: Desk, tmp_path: Path
) -> None:
    catalog = registered.catalog
    registered.take(
        write_item(
            tmp_path,
            catalog,
            "09",
            "2026H1",
            [f"{HOSPITAL},2026H1,x", f"{CLINIC},2026H1,y"],
        )
    )
    path = write_item(
        tmp_path, catalog, "09", "2026H1", [f"{HOSPITAL},2026H1,80", f"{CLINIC},2026H1,y"]
    )
    registered.take(path)
    with reading(registered.engine) as connection:
        (fault,) = open_faults(connection)
        assert (fault.line, fault.masked) == (3, "'y'")
        assert count_open_faults(connection, {"2026H1"}) == 1
        assert count_open_faults(connection, {"2025H1", ""}) == 0


def test_a_refused_file_covers_nothing_and_is_one_fault_until_it_is_mended(
    registered: Desk, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "item_21_2026H1.csv", "institution;authority", [])
    for _ in range(2):
        report = registered.take(path)
        assert (report.quarantined, report.by_rule) == (1, {"header_mismatch": 1})
    with reading(registered.engine) as connection:
        assert covered_periods(connection, "21") == frozenset()
        (fault,) = open_faults(connection)
        assert (fault.line, fault.rule) == (0, "header_mismatch")
    registered.take(write_item(tmp_path, registered.catalog, "21", "2026H1", []))
    with reading(registered.engine) as connection:
        assert open_faults(connection) == ()


def test_a_file_full_of_faults_is_another_table(
    registered: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_FAULTS_PER_FILE", 5)
    lines = [f"{HOSPITAL},2026H1,x{number}" for number in range(9)]
    report = registered.take(write_item(tmp_path, registered.catalog, "09", "2026H1", lines))
    assert report.by_rule == {"too_many_faults": 1}
    with reading(registered.engine) as connection:
        assert covered_periods(connection, "09") == frozenset()
