"""Half-years, their bases and their windows."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.errors import PeriodError
from scoring_kernel.periods import MAX_AGE, Period


@pytest.mark.parametrize(
    ("name", "first", "last", "months"),
    [
        ("2026H1", date(2026, 1, 1), date(2026, 6, 30), (202601, 202606)),
        ("2026H2", date(2026, 7, 1), date(2026, 12, 31), (202607, 202612)),
    ],
)
def test_a_period_is_a_half_year(
    name: str, first: date, last: date, months: tuple[int, int]
) -> None:
    period = Period.parse(name)
    assert period.name == name
    assert (period.first_day, period.last_day) == (first, last)
    assert (period.months[0], period.months[-1], len(period.months)) == (*months, 6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026H3",
        "2026h1",
        "2026H1 ",
        "26H1",
        "1989H1",
        "2200H1",
        "\uff12\uff10\uff12\uff16H1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(PeriodError, match="such as 2026H1"):
        Period.parse(text)


def test_the_first_period_has_no_base() -> None:
    with pytest.raises(PeriodError, match="1989H2"):
        Period.parse("1990H2").base()


@pytest.mark.parametrize(("name", "prior"), [("2026H1", "2025H2"), ("2026H2", "2026H1")])
def test_the_prior_period_is_the_half_year_before(name: str, prior: str) -> None:
    period = Period.parse(name)
    assert period.prior().name == prior
    assert period.prior().last_day == period.first_day - timedelta(days=1)


def test_the_first_period_has_no_prior_one() -> None:
    with pytest.raises(PeriodError, match="1989H2"):
        Period.parse("1990H1").prior()


@given(st.integers(2000, 2199), st.sampled_from([1, 2]))
def test_age_windows_are_three_years_without_a_gap(year: int, half: int) -> None:
    period = Period(year=year, half=half)
    end = period.first_day
    for age in range(1, MAX_AGE + 1):
        first, last = period.age_window(age)
        assert last == end - timedelta(days=1)
        assert last - first in (timedelta(days=364), timedelta(days=365))
        end = first


@pytest.mark.parametrize("age", [0, MAX_AGE + 1])
def test_an_age_outside_the_windows_is_a_mistake(age: int) -> None:
    with pytest.raises(ValueError, match=f"age {age}"):
        Period.parse("2026H1").age_window(age)


def test_periods_are_ordered_in_time() -> None:
    assert sorted([Period.parse("2026H2"), Period.parse("2025H2"), Period.parse("2026H1")]) == [
        Period.parse("2025H2"),
        Period.parse("2026H1"),
        Period.parse("2026H2"),
    ]
