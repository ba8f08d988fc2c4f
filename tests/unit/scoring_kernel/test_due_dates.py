from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel import load_catalog
from scoring_kernel.due_dates import CHANGE, FREQUENCIES, Due
from scoring_kernel.periods import Period

DAYS = st.dates(date(1990, 1, 1), date(2190, 12, 31))
DUES = st.builds(
    Due,
    every=st.sampled_from([one for one in FREQUENCIES if one != CHANGE]),
    days_after=st.integers(0, 366),
)


@pytest.mark.parametrize(
    ("every", "days_after", "expect"),
    [
        ("half_year", 15, "2026-07-15"),
        ("year", 31, "2026-01-31"),
        ("quarter", 0, "2026-06-30"),
        ("month", 10, "2026-07-10"),
        ("week", 1, "2026-06-29"),
        ("day", 1, "2026-07-01"),
    ],
)
def test_a_periods_deadline_follows_the_last_span_that_ended(
    every: str, days_after: int, expect: str
) -> None:
    deadline = Due(every=every, days_after=days_after).deadline(Period.parse("2026H1"))
    assert deadline == date.fromisoformat(expect)


def test_the_second_half_has_the_years_own_deadline() -> None:
    due = Due(every="year", days_after=31)
    assert due.deadline(Period.parse("2026H2")) == date(2027, 1, 31)


def test_what_is_due_on_change_is_never_late() -> None:
    due = Due(every=CHANGE, days_after=0)
    assert due.deadline(Period.parse("2026H1")) is None
    assert due.next_deadline(date(2026, 3, 1)) is None
    assert due.last_deadline(date(2026, 3, 1)) is None


@given(due=DUES, day=DAYS)
def test_deadlines_follow_each_other_without_a_gap(due: Due, day: date) -> None:
    coming, past = due.next_deadline(day), due.last_deadline(day)
    assert coming is not None
    assert past is not None
    assert past < day <= coming
    assert due.next_deadline(past + timedelta(days=1)) == coming
    assert due.last_deadline(coming) == past


@given(due=DUES, year=st.integers(1991, 2190), half=st.sampled_from((1, 2)))
def test_a_periods_deadline_is_one_of_the_deadlines(due: Due, year: int, half: int) -> None:
    deadline = due.deadline(Period(year=year, half=half))
    assert deadline is not None
    assert due.next_deadline(deadline) == deadline


def test_every_item_says_when_it_is_due() -> None:
    items = load_catalog().items
    assert len(items) == 56
    assert {item.due.every for item in items.values()} == {"half_year"}
    assert items["22"].due.days_after > 31, "readmissions within 31 days are known later"
