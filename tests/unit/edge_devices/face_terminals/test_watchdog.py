"""The watchdog's policy: when a source is begun anew, and what is told."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from edge_devices.face_terminals.watchdog import (
    TRANSITIONS,
    RestartPolicy,
    SourceEvent,
    SourceState,
    Watchdog,
)
from tests.support.terminals import NOW

SECOND = timedelta(seconds=1)


def fail(dog: Watchdog) -> bool:
    dog.begun(NOW)
    return dog.failed("gone", NOW)


def test_waits_grow_to_a_minute_and_shrink_after_a_frame() -> None:
    dog = Watchdog(RestartPolicy(), NOW)
    waits = []
    for _ in range(8):
        fail(dog)
        waits.append((dog.restart_at - NOW) // SECOND)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    dog.begun(NOW)
    dog.opened()
    dog.frame()
    dog.failed("gone", NOW)
    assert dog.restart_at - NOW == SECOND


def test_unavailable_and_recovered_are_told_once() -> None:
    dog = Watchdog(RestartPolicy(), NOW)
    assert [fail(dog) for _ in range(7)] == [False] * 4 + [True, False, False]
    assert dog.fault == "gone"
    dog.begun(NOW)
    dog.opened()
    assert [dog.frame(), dog.frame()] == [True, False]
    assert (dog.fault, dog.is_unavailable) == ("", False)
    assert not fail(Watchdog(RestartPolicy(), NOW))


def test_failures_long_ago_do_not_count() -> None:
    dog = Watchdog(RestartPolicy(), NOW)
    for number in range(12):
        dog.begun(NOW)
        assert not dog.failed("gone", NOW + number * timedelta(minutes=3))


def test_a_source_is_stalled_only_where_a_frame_is_wanted() -> None:
    dog = Watchdog(RestartPolicy(), NOW)
    assert dog.deadline == NOW
    dog.begun(NOW)
    assert dog.deadline == NOW + timedelta(seconds=15)
    dog.opened()
    assert dog.deadline is None
    dog.wanted(NOW)
    dog.wanted(NOW + 3 * SECOND)
    assert dog.deadline == NOW + 5 * SECOND
    dog.frame()
    assert dog.deadline is None


@pytest.mark.parametrize("pair", sorted(set(product(SourceState, SourceEvent)) - set(TRANSITIONS)))
def test_a_missing_transition_is_an_error(pair: tuple[SourceState, SourceEvent]) -> None:
    dog = Watchdog(RestartPolicy(), NOW)
    dog.state = pair[0]
    with pytest.raises(ValueError, match=pair[0]):
        dog._move(pair[1])  # noqa: SLF001 - every pair, not only reachable ones
