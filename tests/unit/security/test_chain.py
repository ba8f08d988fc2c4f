from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.yixin.v1 import envelope_pb2
from security.chain import GENESIS, ZERO_HASH, ChainPosition, Step, check_next
from security.errors import ChainForkError, ChainGapError


def name(number: int) -> bytes:
    return number.to_bytes(32)


class Receiver:
    """Holds a chain as an intake does: head, and hash by place."""

    def __init__(self) -> None:
        self.held = GENESIS
        self.known: dict[tuple[int, int], bytes] = {}

    def take(
        self, header: envelope_pb2.EnvelopeHeader, found: bytes, *, issued: int | None = None
    ) -> Step:
        step = check_next(
            self.held,
            lambda incarnation, seq: self.known.get((incarnation, seq)),
            header,
            found,
            issued_incarnation=issued,
        )
        if step is Step.NEXT:
            self.held = ChainPosition(incarnation=header.incarnation, seq=header.seq, hash=found)
            self.known[header.incarnation, header.seq] = found
        return step


def header(seq: int, previous: bytes, **parts: Any) -> envelope_pb2.EnvelopeHeader:  # noqa: ANN401 - parts of any type
    fields: dict[str, Any] = {"incarnation": 1, "seq": seq, "previous_hash": previous}
    return envelope_pb2.EnvelopeHeader(**(fields | parts))


@pytest.fixture
def receiver() -> Receiver:
    """Holds seq 1 to 3 of incarnation 1, named 1 to 3."""
    receiver = Receiver()
    for seq in (1, 2, 3):
        assert receiver.take(header(seq, name(seq - 1)), name(seq)) is Step.NEXT
    return receiver


def test_a_chain_advances_in_order(receiver: Receiver) -> None:
    assert receiver.held == ChainPosition(incarnation=1, seq=3, hash=name(3))


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_the_same_envelope_again_is_a_repetition(receiver: Receiver, seq: int) -> None:
    assert receiver.take(header(seq, name(seq - 1)), name(seq)) is Step.SAME
    assert receiver.held.seq == 3


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_another_envelope_at_a_known_place_is_a_fork(receiver: Receiver, seq: int) -> None:
    with pytest.raises(ChainForkError) as caught:
        receiver.take(header(seq, name(seq - 1)), name(99))
    assert caught.value.held == receiver.held


def test_a_next_envelope_on_another_history_is_a_fork(receiver: Receiver) -> None:
    with pytest.raises(ChainForkError, match="Both are kept as evidence"):
        receiver.take(header(4, name(99)), name(4))


@pytest.mark.parametrize("seq", [5, 6, 2**63 - 1])
def test_a_gap_names_the_place_to_continue_from(receiver: Receiver, seq: int) -> None:
    with pytest.raises(ChainGapError, match="incarnation 1, seq 3") as caught:
        receiver.take(header(seq, name(seq - 1)), name(seq))
    assert caught.value.expected == receiver.held


def test_reordered_envelopes_are_refused_until_their_turn(receiver: Receiver) -> None:
    with pytest.raises(ChainGapError):
        receiver.take(header(5, name(4)), name(5))
    assert receiver.take(header(4, name(3)), name(4)) is Step.NEXT
    assert receiver.take(header(5, name(4)), name(5)) is Step.NEXT


def test_a_first_envelope_with_a_history_is_a_fork() -> None:
    with pytest.raises(ChainForkError):
        Receiver().take(header(1, name(7)), name(1))


def test_a_chain_cannot_begin_in_the_middle() -> None:
    with pytest.raises(ChainGapError):
        Receiver().take(header(2, name(1)), name(2))


def test_a_place_whose_hash_is_lost_is_a_gap_not_a_fork(receiver: Receiver) -> None:
    del receiver.known[1, 2]
    with pytest.raises(ChainGapError):
        receiver.take(header(2, name(1)), name(2))


def test_an_issued_incarnation_continues_after_the_head_it_cites(receiver: Receiver) -> None:
    first = header(1, name(3), incarnation=2, cited_incarnation=1, cited_seq=3)
    assert receiver.take(first, name(10), issued=2) is Step.NEXT
    assert receiver.take(header(2, name(10), incarnation=2), name(11)) is Step.NEXT
    assert receiver.take(header(3, name(2)), name(3)) is Step.SAME


def test_an_incarnation_that_was_not_issued_is_refused(receiver: Receiver) -> None:
    first = header(1, name(3), incarnation=2, cited_incarnation=1, cited_seq=3)
    with pytest.raises(ChainGapError):
        receiver.take(first, name(10))
    with pytest.raises(ChainGapError):
        receiver.take(first, name(10), issued=3)


@pytest.mark.parametrize(("incarnation", "seq"), [(0, 0), (1, 2), (1, 4)])
def test_an_incarnation_that_cites_another_head_is_refused(
    receiver: Receiver, incarnation: int, seq: int
) -> None:
    first = header(1, name(3), incarnation=2, cited_incarnation=incarnation, cited_seq=seq)
    with pytest.raises(ChainGapError):
        receiver.take(first, name(10), issued=2)


def test_an_incarnation_that_cites_another_hash_is_a_fork(receiver: Receiver) -> None:
    first = header(1, name(9), incarnation=2, cited_incarnation=1, cited_seq=3)
    with pytest.raises(ChainForkError):
        receiver.take(first, name(10), issued=2)


def test_a_closed_incarnation_takes_nothing_new(receiver: Receiver) -> None:
    with pytest.raises(ChainGapError):
        receiver.take(header(4, name(3)), name(4), issued=2)
    assert receiver.take(header(3, name(2)), name(3), issued=2) is Step.SAME


def test_a_new_incarnation_may_be_the_very_first() -> None:
    assert Receiver().take(header(1, ZERO_HASH, incarnation=4), name(1), issued=4) is Step.NEXT


@given(order=st.permutations(range(1, 6)), again=st.lists(st.integers(1, 5), max_size=5))
def test_whatever_the_order_the_chain_only_ever_grows_by_one(
    order: list[int], again: list[int]
) -> None:
    receiver = Receiver()
    for seq in (*order, *again):
        before = receiver.held
        if seq > before.seq + 1:
            with pytest.raises(ChainGapError) as caught:
                receiver.take(header(seq, name(seq - 1)), name(seq))
            assert caught.value.expected == before
        else:
            step = receiver.take(header(seq, name(seq - 1)), name(seq))
            assert step is (Step.NEXT if seq == before.seq + 1 else Step.SAME)
        assert receiver.held.seq == before.seq + (seq == before.seq + 1)
