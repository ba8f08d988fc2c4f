"""Whole columns are checked as each value alone would be."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.intake.columns import FaultBook, moments, numbers, texts
from node.intake.field_rules import FieldRule

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-(10**9), 10**9, places=2, allow_nan=False).map(float),
    st.sampled_from(["", " ", "1", "35.60", "-2", "1e5", "2026-03-18", "2026-03-18 09:00:00"]),
    st.sampled_from(["2026-02-30", "2026-03-18T09:00:00", "1", "2", "abc", "x" * 40]),
    st.text(max_size=12),
    st.just({"a": 1}),
    st.just(["x"]),
)
NUMBERS = st.one_of(st.none(), st.integers(-(10**6), 10**6), st.sampled_from([0.1, 35.6, 17.805]))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "1", "2", " ", "x" * 40]), st.text(max_size=9))
DAYS = st.sampled_from([None, "", "2026-03-18", "2026-03-18 09:00:00", "2026-02-30 01:00:00"])
COLUMNS = st.one_of(*(st.lists(one, max_size=8) for one in (SCALARS, NUMBERS, TEXTS, DAYS)))

Check = Callable[[FieldRule, Sequence[Any], Sequence[int], FaultBook], Any]


def rule_of(*, needed: bool, codes: bool, signed: bool) -> FieldRule:
    return FieldRule(
        name="x",
        path="request.data.x",
        type="string",
        needed=needed,
        personal=False,
        signed=signed,
        max_length=20,
        scale=2,
        max_scaled=10**9,
        codes=frozenset(("1", "2")) if codes else None,
    )


@pytest.mark.parametrize("check", [numbers, texts, moments])
@given(column=COLUMNS, needed=st.booleans(), codes=st.booleans(), signed=st.booleans())
def test_a_column_is_checked_as_its_values_are(
    check: Check, column: list[Any], *, needed: bool, codes: bool, signed: bool
) -> None:
    rule = rule_of(needed=needed, codes=codes, signed=signed)
    together, alone = FaultBook(), FaultBook()

    found = check(rule, column, range(len(column)), together)
    each = [check(rule, [value], [owner], alone) for owner, value in enumerate(column)]

    assert together.faults == alone.faults
    for owner in set(range(len(column))) - set(alone.faults):
        if check is numbers:
            assert (found[0][owner], found[1][owner]) == (each[owner][0][0], each[owner][1][0])
        else:
            same = found[owner] == each[owner][0]
            assert same or (np.isnat(found[owner]) and np.isnat(each[owner][0]))


@pytest.mark.parametrize(("check", "odd"), [(numbers, "1"), (texts, 1), (moments, "2026-03-18 ")])
@given(column=COLUMNS)
def test_a_column_with_something_odd_in_it_is_checked_alike(
    check: Check, odd: object, column: list[Any]
) -> None:
    """The odd value takes the column off its fast way; the others stay what they are."""
    rule = rule_of(needed=False, codes=False, signed=True)
    plain, slow = FaultBook(), FaultBook()

    found = check(rule, column, range(len(column)), plain)
    other = check(rule, [*column, odd], range(len(column) + 1), slow)

    assert plain.faults == slow.faults
    for owner in set(range(len(column))) - set(plain.faults):
        if check is numbers:
            assert (found[0][owner], found[1][owner]) == (other[0][owner], other[1][owner])
        else:
            same = found[owner] == other[owner]
            assert same or (np.isnat(found[owner]) and np.isnat(other[owner]))
