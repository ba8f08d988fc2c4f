"""When a nightly run is due: once a night, made up for once, never in a circle."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from node.domain.nights import Night, find_due, read_night, write_night

AT = time(1, 0)
ONE_O_CLOCK = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
"""01:00 of the 22nd in Asia/Shanghai."""
DONE = Night(begun_at=ONE_O_CLOCK.isoformat(), ended_at=ONE_O_CLOCK.isoformat())
CUT = replace(DONE, ended_at=None)


def due(last: Night | None, after: timedelta, *, is_start: bool = False) -> int | None:
    return find_due(last, AT, ONE_O_CLOCK + after, is_start=is_start)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(0), None),
        (timedelta(hours=23, minutes=59), None),
        (timedelta(days=1), 1),
        (timedelta(days=1, hours=9), 1),
        (timedelta(days=40), 1),
    ],
)
def test_one_run_a_night_and_missed_ones_are_one(after: timedelta, expected: int | None) -> None:
    assert due(DONE, after) == expected
    assert due(DONE, after, is_start=True) == expected


def test_the_first_is_due_at_once_and_never_before_its_time() -> None:
    assert due(None, timedelta(hours=5)) == 1
    before = Night(begun_at=(ONE_O_CLOCK - timedelta(seconds=1)).isoformat())
    assert due(before, timedelta(seconds=-1)) is None
    assert due(before, timedelta(0)) == 1


def test_one_that_was_cut_off_is_begun_once_more_and_only_at_a_start() -> None:
    hour = timedelta(hours=1)
    assert due(CUT, hour) is None
    assert due(CUT, hour, is_start=True) == 2
    assert due(replace(CUT, attempts=2), hour, is_start=True) is None
    assert due(replace(CUT, attempts=2), timedelta(days=1)) == 1


def test_one_that_failed_waits_for_the_next_night() -> None:
    failed = replace(DONE, error="rules: the disk is full")
    assert due(failed, timedelta(hours=1), is_start=True) is None
    assert due(failed, timedelta(days=1)) == 1


def test_a_clock_that_was_far_ahead_does_not_end_the_nights() -> None:
    wrong = replace(DONE, begun_at="2099-01-01T00:00:00+00:00")
    assert due(wrong, timedelta(0)) == 1


def test_a_night_is_read_as_it_was_written_and_nothing_else_is() -> None:
    night = replace(DONE, run=3, hits=7, stopped=("M33",), error="x")
    assert read_night(write_night(night)) == night
    for text in (None, "", "[]", "{}", '{"begun_at":"x","stopped":[]}', '{"stopped":1}'):
        assert read_night(text) is None
