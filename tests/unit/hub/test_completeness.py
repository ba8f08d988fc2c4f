from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from hub.completeness import Completeness, ItemStanding, Standing, as_rows, completeness
from hub.store.database import open_database
from hub.store.engine import reading
from scoring_kernel import load_catalog
from scoring_kernel.periods import Period
from security.at_rest import Vault
from tests.support.department_files import CLINIC, HOSPITAL, write_item, write_register
from tests.support.import_desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOG = load_catalog()
H1 = Period.parse("2026H1")
DEADLINE = CATALOG.items["09"].due.deadline(H1)
IN_TIME = datetime(2026, 7, 10, 2, 0, tzinfo=UTC)
LATER = datetime(2026, 9, 20, 2, 0, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    engine = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    yield Desk(engine, CATALOG, Vault(bytes(range(32))))
    engine.dispose()


def at(desk: Desk, now: datetime, period: Period | None = None) -> Completeness:
    with reading(desk.engine) as connection:
        return completeness(connection, CATALOG, now=now, period=period)


def item(found: Completeness, number: str) -> ItemStanding:
    (row,) = [row for row in found.rows if row.item == number]
    return row


def test_every_item_of_the_last_half_year_is_owed_by_its_department(desk: Desk) -> None:
    found = at(desk, IN_TIME)
    assert found.period == "2026H1"
    assert {row.item for row in found.rows} == set(CATALOG.items)
    row = item(found, "18")
    assert (row.owed_by, row.every) == ("中级人民法院", "half_year")
    assert (row.standing, row.days_late) == (Standing.AWAITED, 0)
    assert found.figures == {
        "period": "2026H1",
        "owed": len(CATALOG.items),
        "late": 0,
        "awaited": len(CATALOG.items),
        "came_late": 0,
        "came": 0,
    }


def test_what_came_in_time_is_told_with_its_subjects_and_refused_lines(
    desk: Desk, tmp_path: Path
) -> None:
    desk.take(write_register(tmp_path), now=IN_TIME)
    rows = [f"{HOSPITAL},2026H1,80", f"{CLINIC},2026H1,x"]
    desk.take(write_item(tmp_path, CATALOG, "09", "2026H1", rows), now=IN_TIME)
    row = item(at(desk, LATER), "09")
    assert (row.standing, row.came_on, row.days_late) == (Standing.CAME, date(2026, 7, 10), 0)
    assert (row.subjects, row.registered, row.refused) == (1, 3, 1)
    assert row.deadline == DEADLINE


def test_what_came_late_stays_marked_and_what_did_not_come_counts_on(
    desk: Desk, tmp_path: Path
) -> None:
    assert DEADLINE is not None
    desk.take(write_item(tmp_path, CATALOG, "21", "2026H1", []), now=LATER)
    found = at(desk, LATER)
    came = item(found, "21")
    days = (date(2026, 9, 20) - DEADLINE).days
    assert (came.standing, came.days_late) == (Standing.CAME_LATE, days)
    late = item(found, "09")
    assert (late.standing, late.came_on, late.days_late) == (Standing.LATE, None, days)
    assert found.rows[0].standing is Standing.LATE
    assert found.rows[-1].item == "21"


def test_the_day_after_the_deadline_in_shanghai_is_late(desk: Desk) -> None:
    assert DEADLINE is not None
    # 15:59 UTC is the last minute of the day in Shanghai.
    last = datetime(DEADLINE.year, DEADLINE.month, DEADLINE.day, 15, 59, tzinfo=UTC)
    assert item(at(desk, last), "09").standing is Standing.AWAITED
    after = last.replace(hour=16)
    assert item(at(desk, after), "09").days_late == 1


def test_a_register_that_came_once_is_here_and_one_that_never_came_is_late(
    desk: Desk, tmp_path: Path
) -> None:
    desk.take(write_register(tmp_path), now=LATER)
    found = at(desk, LATER)
    assert item(found, "20").standing is Standing.CAME
    assert item(found, "20").period == ""
    assert item(found, "d01").standing is Standing.LATE


def test_another_half_year_may_be_asked_for_and_rows_are_plain_values(desk: Desk) -> None:
    found = at(desk, IN_TIME, Period.parse("2025H2"))
    assert found.period == "2025H2"
    first = as_rows(found)[0]
    assert (first["standing"], first["came_on"]) == ("late", None)
    assert first["deadline"] == "2026-01-15"
