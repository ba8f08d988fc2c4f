from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from security.audit.matching import Match, Matcher
from security.errors import AuditInputError

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_place(message: bytes) -> tuple[int, bytes] | None:
    """Messages are numbers; those from 100 on belong to no leaf."""
    return (message[0], message) if message[0] < 100 else None


def matcher(*numbers: int) -> Matcher[bytes]:
    return Matcher(iter([bytes([number]) for number in numbers]), find_place)


def shown(found: Match[bytes]) -> int | None:
    return None if found.message is None else found.message[0]


def test_messages_find_their_leaves_around_what_is_missing() -> None:
    messages = matcher(0, 2, 3)
    assert [shown(messages.take(place)) for place in range(5)] == [0, None, 2, 3, None]
    messages.drain()
    assert (messages.strangers, messages.broken) == (0, None)


def test_a_stranger_in_the_place_of_a_missing_message_is_told_apart() -> None:
    messages = matcher(0, 200, 2)
    assert [messages.take(place).replaced for place in range(3)] == [False, True, False]
    assert messages.strangers == 1


def test_a_stranger_before_its_message_replaces_nothing() -> None:
    messages = matcher(200, 0)
    assert messages.take(0) == Match(message=b"\x00", replaced=False)
    assert messages.strangers == 1


def test_late_and_left_over_messages_are_strangers() -> None:
    messages = matcher(1, 0, 2, 3, 200)
    assert [shown(messages.take(place)) for place in range(3)] == [None, 1, 2]
    messages.drain()
    assert messages.strangers == 3


def test_a_file_that_breaks_off_shows_nothing_further() -> None:
    def broken() -> Iterator[bytes]:
        yield b"\x00"
        raise AuditInputError("truncated inside message 1")

    messages = Matcher(broken(), find_place)
    assert [shown(messages.take(place)) for place in range(3)] == [0, None, None]
    messages.drain()
    assert messages.broken == "truncated inside message 1"


@given(numbers=st.lists(st.integers(0, 110), max_size=20), places=st.integers(0, 12))
def test_every_message_is_a_match_or_a_stranger(numbers: list[int], places: int) -> None:
    messages = matcher(*numbers)
    matched = [
        found for place in range(places) if (found := shown(messages.take(place))) is not None
    ]
    messages.drain()
    assert matched == sorted(set(matched))
    assert len(matched) + messages.strangers == len(numbers)
