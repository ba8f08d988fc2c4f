from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel import load_catalog
from scoring_kernel.joining import (
    PARAMETERS,
    ClueRetention,
    Join,
    JoinKind,
    staff_mark,
    staff_of,
)
from scoring_kernel.periods import Period

JOINING = load_catalog().joining
DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))


@given(begins=DAYS, length=st.integers(0, 400))
def test_a_record_is_reported_for_every_period_it_touches_or_nearly_touches(
    begins: date, length: int
) -> None:
    ends = begins + timedelta(days=length)
    found = [Period.parse(name) for name in JOINING.periods_of(begins, ends)]
    assert found == sorted(set(found))
    margin = timedelta(days=JOINING.border_days)
    assert found[0].first_day <= begins - margin <= found[0].last_day
    assert found[-1].first_day <= ends + margin <= found[-1].last_day
    assert all(
        later.first_day - one.last_day == timedelta(days=1) for one, later in pairwise(found)
    )


@given(one=DAYS, other=DAYS)
def test_two_records_within_the_margin_share_a_period(one: date, other: date) -> None:
    if abs(one - other) <= timedelta(days=JOINING.border_days):
        assert {*JOINING.periods_of(one, one)} & {*JOINING.periods_of(other, other)}


@given(
    first=st.integers(0, 10**12),
    second=st.integers(0, 10**12),
    verdict=st.sampled_from(sorted(JOINING.score.verdict)),
    severity=st.sampled_from(sorted(JOINING.score.severity)),
)
def test_a_score_is_within_bounds_and_never_falls_with_the_amount(
    first: int, second: int, verdict: str, severity: str
) -> None:
    low, high = sorted((first, second))
    scores = [JOINING.score.of(verdict, severity, amount) for amount in (low, high)]
    assert 0 <= scores[0] <= scores[1] <= 1000


def test_every_join_has_its_numbers_in_force_and_none_before() -> None:
    for join, names in PARAMETERS.items():
        rule = JOINING.joins[join]
        found = rule.on(date(2026, 6, 1))
        assert found is not None
        assert {*found} == {*names}
        assert rule.on(date(2020, 1, 1)) is None
    assert len({rule.id for rule in JOINING.joins.values()}) == len(Join)


def test_the_window_of_a_join_is_no_wider_than_the_margin_at_a_border() -> None:
    numbers = JOINING.joins[Join.DOCTOR_SHOPPING].on(date(2026, 6, 1))
    assert numbers is not None
    assert numbers["window_days"] <= JOINING.border_days


def test_only_watched_classes_are_known() -> None:
    assert JOINING.watched_class("XN02AAM085A001010100001") == "XN02A"
    assert JOINING.watched_class("XC09AAY001A001010100001") is None
    assert JOINING.watched_class("") is None


@pytest.mark.parametrize("kind", JoinKind)
def test_a_record_expires_after_its_days(kind: JoinKind) -> None:
    day = date(2026, 3, 1)
    assert JOINING.expires(kind, day) == day + timedelta(days=JOINING.retention_days[kind])


@given(month=st.sampled_from([202601, 202602, 202611, 202612]), today=DAYS, years=st.integers(1, 9))
def test_a_clue_is_over_from_the_day_it_expires_on(month: int, today: date, years: int) -> None:
    kept = ClueRetention(years=years, basis="-")
    today = today.replace(year=today.year + years)
    assert kept.is_over(month, today) == (today >= kept.expires(month))
    assert kept.is_over(month, today) == (month <= kept.last_over(today))


def test_a_hub_keeps_clues_no_longer_than_a_node_keeps_their_evidence() -> None:
    assert JOINING.hub_clues.years <= JOINING.node_clues.years


@given(code=st.from_regex(r"(D|HY)[0-9]{12}", fullmatch=True), other=st.binary(max_size=16))
def test_staff_are_told_by_their_mark(code: str, other: bytes) -> None:
    assert len(staff_mark(code)) == 16
    assert staff_of(staff_mark(code)) == code
    assert staff_of(other.ljust(16, b"x")) is None
