"""Laws of the link tokens, against an oracle that knows the whole key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.errors import LinkAnswerError, LinkPointsError
from security.linking.oprf import (
    MAX_POINTS,
    ORDER,
    POINT_BYTES,
    Canary,
    PeriodKey,
    blind,
    check_point,
)
from tests.support import p256_oracle

SCALARS = st.integers(2, ORDER - 2)
PERIODS = st.sampled_from(["2026H1", "2026H2", "2027H1"])
IDENTIFIERS = st.text("0123456789XABC", min_size=1, max_size=20)


def half(scalar: int) -> PeriodKey:
    return PeriodKey.from_bytes(scalar.to_bytes(32, "big"))


@given(first=SCALARS, second=SCALARS, period=PERIODS, identifier=IDENTIFIERS)
@settings(max_examples=25)
def test_the_token_is_that_of_the_whole_key_in_either_order(
    first: int, second: int, period: str, identifier: str
) -> None:
    expected = p256_oracle.token(period, identifier, first * second)
    for one, other in ((half(first), half(second)), (half(second), half(first))):
        blinded = blind(period, [identifier])
        assert blinded.tokens(other.evaluate(one.evaluate(blinded.points))) == (expected,)


@given(scalar=SCALARS, period=PERIODS, people=st.lists(IDENTIFIERS, min_size=1, max_size=6))
@settings(max_examples=25)
def test_equal_people_have_equal_tokens_and_nothing_else_has(
    scalar: int, period: str, people: list[str]
) -> None:
    key = half(scalar)
    blinded = blind(period, people)
    tokens = blinded.tokens(key.evaluate(blinded.points))
    assert len(set(tokens)) == len(set(people))
    assert len(set(zip(people, tokens, strict=True))) == len(set(people))
    other = blind(f"{int(period[:4]) + 5}H1", people)
    assert not set(tokens) & set(other.tokens(key.evaluate(other.points)))


@given(period=PERIODS, identifier=IDENTIFIERS)
@settings(max_examples=25)
def test_two_requests_of_one_person_have_nothing_in_common(period: str, identifier: str) -> None:
    twice = blind(period, [identifier, identifier])
    again = blind(period, [identifier])
    first, second = twice.points[:POINT_BYTES], twice.points[POINT_BYTES:]
    assert len({first, second, again.points}) == 3


@given(scalar=SCALARS, other=SCALARS, period=PERIODS)
@settings(max_examples=25)
def test_a_canary_finds_another_key_and_only_that(scalar: int, other: int, period: str) -> None:
    key = half(scalar)
    canary = Canary.make(period, key.check(period))
    assert key.evaluate(canary.point) == canary.answer
    assert canary.point != check_point(period)
    is_same = other in {scalar, ORDER - scalar}
    assert (half(other).evaluate(canary.point) == canary.answer) is is_same


@given(data=st.binary(max_size=200))
def test_any_bytes_are_points_or_our_error(data: bytes) -> None:
    try:
        found = half(7).evaluate(data)
    except LinkPointsError:
        return
    assert len(found) == len(data)


@given(data=st.binary(max_size=100))
def test_any_answer_makes_tokens_or_our_error(data: bytes) -> None:
    blinded = blind("2026H1", ["1"])
    try:
        tokens = blinded.tokens(data)
    except LinkAnswerError:
        return
    assert [len(token) for token in tokens] == [16]


@pytest.mark.parametrize("scalar", [0, 1, ORDER - 1, ORDER, ORDER + 1])
def test_a_half_that_hides_nothing_is_no_half(scalar: int) -> None:
    with pytest.raises(ValueError, match="out of its range"):
        PeriodKey(scalar)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_half_has_its_length(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PeriodKey.from_bytes(bytes(length))


@pytest.mark.parametrize("people", [[], [""], ["  "], ["1" * 65], ["1"] * (MAX_POINTS + 1)])
def test_what_is_no_identifier_is_not_asked_for(people: list[str]) -> None:
    with pytest.raises(ValueError, match="identifier"):
        blind("2026H1", people)


def test_blanks_and_case_do_not_make_another_person() -> None:
    key = PeriodKey.generate()
    blinded = blind("2026H1", ["33030219900101123x", " 33030219900101123X "])
    first, second = blinded.tokens(key.evaluate(blinded.points))
    assert first == second


def test_nothing_secret_is_shown() -> None:
    blinded = blind("2026H1", ["330302199001011234"])
    canary = Canary.make("2026H1", PeriodKey.generate().check("2026H1"))
    assert repr(blinded) == "BlindedPoints(period='2026H1')"
    assert repr(canary) == "Canary()"
    assert "330302" not in repr(PeriodKey.generate())
    assert PeriodKey.generate().to_bytes() != PeriodKey.generate().to_bytes()


def test_an_answer_of_another_length_or_off_the_curve_makes_no_token() -> None:
    blinded = blind("2026H1", ["1", "2"])
    with pytest.raises(LinkAnswerError, match="1 points for 2"):
        blinded.tokens(blinded.points[:POINT_BYTES])
    with pytest.raises(LinkAnswerError, match="no point"):
        blinded.tokens(blinded.points[:POINT_BYTES] + b"\xff" * POINT_BYTES)
