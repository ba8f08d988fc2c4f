from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring_kernel.supervision.evaluation import changes, deviations
from scoring_kernel.supervision.frames import Frame, SetRows
from scoring_kernel.supervision.loading import load_supervision
from scoring_kernel.supervision.outcomes import NO_PEERS, NO_SPREAD, Reason
from scoring_kernel.supervision.steps import Groups, Row
from scoring_kernel.supervision.values import median_twice, robust_z

if TYPE_CHECKING:
    from collections.abc import Callable

SETS = load_supervision().sets
numbers = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=30)


def median(values: list[Fraction]) -> Fraction:
    ranked = sorted(values)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


@given(numbers)
def test_robust_z_is_the_fraction_rounded_to_millionths(values: list[int]) -> None:
    centre = median([Fraction(one) for one in values])
    spread = median([abs(one - centre) for one in values])
    found = robust_z(values)
    if spread == 0:
        assert found is None
        return
    assert found is not None
    for value, score in zip(values, found, strict=True):
        exact = (value - centre) / (Fraction(14826, 10_000) * spread)
        assert abs(Fraction(score, 1_000_000) - exact) <= Fraction(1, 2_000_000)


@given(st.integers(-(10**9), 10**9), st.integers(1, 20))
def test_a_constant_group_has_no_deviation_and_says_why(value: int, size: int) -> None:
    assert robust_z([value] * size) is None
    found = deviations([value] * size, ["a"] * size, 5)
    assert set(found) == {NO_SPREAD if size >= 5 else NO_PEERS}


@given(numbers, st.integers(-1000, 1000), st.integers(1, 50))
def test_shift_and_scale_change_no_deviation(values: list[int], shift: int, scale: int) -> None:
    assert robust_z([scale * one + shift for one in values]) == robust_z(values)


@given(numbers)
def test_the_median_does_not_see_the_order(values: list[int]) -> None:
    assert median_twice(values) == median_twice(values[::-1])


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**15))
def test_a_change_undone_is_what_it_was(now: int, before: int) -> None:
    (found,) = changes([now], [before])
    assert not isinstance(found, Reason)
    assert abs(Fraction(found, 1_000_000) - (Fraction(now, before) - 1)) <= Fraction(1, 2_000_000)


rows = st.lists(
    st.tuples(
        st.sampled_from(["H1", "H2", "H3"]),
        st.sampled_from([202601, 202602, 202603]),
        st.integers(0, 10**9),
        st.integers(0, 50),
    ),
    max_size=20,
)


def frame(drawn: list[tuple[str, int, int, int]]) -> Frame:
    months: dict[int, SetRows] = {}
    for month in (202601, 202602, 202603):
        own = [one for one in drawn if one[1] == month]
        zeros = np.zeros(len(own), np.int64)
        columns = {measure.id: zeros for measure in SETS["care"].measures}
        columns["medfee_fen"] = np.array([one[2] for one in own], np.int64)
        columns["busiest_day"] = np.array([one[3] for one in own], np.int64)
        names = np.array([one[0] for one in own], np.str_)
        months[month] = SetRows(keys={"institution": names}, columns=columns)
    return Frame(SETS, {"care": months}, "institution", ["H1", "H2", "H3"])


@given(rows, st.permutations([202601, 202602, 202603]))
def test_months_merge_in_any_order(
    drawn: list[tuple[str, int, int, int]], order: list[int]
) -> None:
    found = frame(drawn)
    laws: dict[str, Callable[[list[int]], int]] = {"medfee_fen": sum, "busiest_day": max}
    for measure, law in laws.items():
        values = [(one[0], one[2] if measure == "medfee_fen" else one[3]) for one in drawn]
        expected = [
            law([value for owner, value in values if owner == name] or [0])
            for name in ("H1", "H2", "H3")
        ]
        assert found.fold(f"care.{measure}", order) == expected
        assert frame(drawn[::-1]).fold(f"care.{measure}", sorted(order)) == expected


@given(st.lists(st.integers(2**60, 2**62), min_size=2, max_size=9))
def test_sums_beyond_64_bits_are_exact(values: list[int]) -> None:
    size = len(values)
    columns = {measure.id: np.zeros(size, np.int64) for measure in SETS["care"].measures}
    columns["medfee_fen"] = np.array(values, np.int64)
    held = SetRows(keys={"institution": np.array(["H1"] * size)}, columns=columns)
    found = Frame(SETS, {"care": {202601: held}}, "institution", ["H1"])
    assert found.fold("care.medfee_fen", [202601]) == [sum(values)]


names = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(names, names), max_size=12), st.randoms())
def test_groups_are_the_connected_components(pairs: list[tuple[str, str]], order: object) -> None:
    del order
    assume(all(one != other for one, other in pairs))
    step = Groups(
        into="group", size="size", density="density", score="score",
        one="one", other="other", amount="amount",
    )  # fmt: skip
    table: list[Row] = [{"one": one, "other": other, "amount": 10} for one, other in pairs]
    step.apply(table, {})
    reach: dict[str, set[str]] = {name: {name} for pair in pairs for name in pair}
    for _ in pairs:
        for one, other in pairs:
            merged = reach[one] | reach[other]
            for name in merged:
                reach[name] = merged
    for row, (one, other) in zip(table, pairs, strict=True):
        assert row["size"] == len(reach[one])
        for near, (third, _) in zip(table, pairs, strict=True):
            assert (near["group"] == row["group"]) == (third in reach[other])
    again: list[Row] = [dict(row) for row in table[::-1]]
    step.apply(again, {})
    assert again[::-1] == table
