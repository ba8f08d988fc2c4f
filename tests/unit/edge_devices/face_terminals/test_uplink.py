"""What is said to the node, and when."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from random import Random

import pytest

from edge_devices.errors import NodeRefusedError
from edge_devices.face_terminals.uplink import TRANSITIONS, LinkEvent, LinkState, Uplink
from tests.support.terminals import NOW


def uplink(seed: int = 1) -> Uplink:
    return Uplink(NOW, Random(seed))  # noqa: S311 - a test


def test_pauses_grow_to_a_minute_and_are_shortened_by_chance() -> None:
    up, pauses = uplink(), []
    for _ in range(9):
        up.greet()
        up.lost(NOW)
        pauses.append((up.greet_at - NOW).total_seconds())
    for pause, whole in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert whole / 2 <= pause <= whole
    others = uplink(2)
    others.greet()
    others.lost(NOW)
    assert (others.greet_at - NOW).total_seconds() != pauses[0]


def test_a_node_that_greets_and_takes_nothing_is_not_pressed() -> None:
    up, pauses = uplink(), []
    for _ in range(7):
        up.greet()
        up.greeted(0, 5, NOW)
        up.send(5)
        up.lost(NOW)
        pauses.append((up.greet_at - NOW).total_seconds())
    assert pauses[-1] >= 30
    up.greet()
    up.greeted(0, 5, NOW)
    up.send(5)
    up.taken(5)
    up.lost(NOW)
    assert (up.greet_at - NOW).total_seconds() <= 1


def test_events_go_from_what_the_node_holds() -> None:
    up = uplink()
    assert up.is_greeting_due(NOW)
    up.greet()
    assert not up.greeted(3, 5, NOW)
    assert up.can_send(5)
    assert not up.can_send(3)
    up.send(5)
    assert not up.can_send(9)
    up.taken(4)
    assert (up.through, up.can_send(5)) == (4, True)


@pytest.mark.parametrize("through", [0, 2, 3, 6])
def test_an_answer_that_cannot_be_is_refused(through: int) -> None:
    up = uplink()
    up.greet()
    up.greeted(3, 5, NOW)
    up.send(5)
    with pytest.raises(NodeRefusedError, match="sent again"):
        up.taken(through)
    up.lost(NOW)
    assert (up.through, up.is_up) == (3, False)


def test_a_node_that_holds_more_than_there_ever_was_is_told_apart() -> None:
    up = uplink()
    up.greet()
    assert up.greeted(6, 5, NOW)
    up.began_anew(NOW)
    assert (up.through, up.is_greeting_due(NOW)) == (0, True)


def test_the_greeting_is_repeated() -> None:
    up = uplink()
    up.greet()
    up.greeted(0, 0, NOW)
    assert not up.is_greeting_due(NOW + timedelta(minutes=4))
    assert up.is_greeting_due(NOW + timedelta(minutes=5))


@pytest.mark.parametrize("pair", sorted(set(product(LinkState, LinkEvent)) - set(TRANSITIONS)))
def test_a_missing_transition_is_an_error(pair: tuple[LinkState, LinkEvent]) -> None:
    up = uplink()
    up.state = pair[0]
    with pytest.raises(ValueError, match=pair[0]):
        up._move(pair[1])  # noqa: SLF001 - every pair, not only reachable ones
