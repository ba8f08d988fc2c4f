"""Measures refuse what does not fit, before it can become a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scoring_kernel.errors import KernelInputError
from scoring_kernel.measures import (
    MAX_VALUE,
    MonthlyMeasures,
    fold,
    merge_slots,
    refuse_negative,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LAWS = {"fund_fen": "sum"}


def rows(values: Sequence[int], *, name: str = "fund_fen", of: str = "s") -> MonthlyMeasures:
    return MonthlyMeasures(
        measure_set=of,
        subjects=np.array(["H1"] * len(values), np.str_),
        months=np.array([202601] * len(values), np.int32),
        columns={name: np.array(values, np.int64)},
    )


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(KernelInputError, match="1 months for 2 subjects"):
        MonthlyMeasures(
            measure_set="s",
            subjects=np.array(["H1", "H2"]),
            months=np.array([202601], np.int32),
            columns={},
        )


@pytest.mark.parametrize("values", [np.array([1.5]), np.array([1, 2], np.int64)])
def test_only_whole_numbers_of_every_row_are_measures(values: np.ndarray) -> None:
    with pytest.raises(KernelInputError, match=r"s\.fund_fen: found .* expected int64"):
        MonthlyMeasures(
            measure_set="s",
            subjects=np.array(["H1"]),
            months=np.array([202601], np.int32),
            columns={"fund_fen": values},
        )


@pytest.mark.parametrize("value", [MAX_VALUE + 1, -MAX_VALUE - 1])
def test_a_value_beyond_the_bound_is_refused(value: int) -> None:
    with pytest.raises(KernelInputError, match=f"row 1 holds {value}"):
        rows([0, value])


def test_a_sum_that_leaves_the_bound_is_an_error_never_a_wrap() -> None:
    for count in (2, 1_000_000):
        with pytest.raises(
            KernelInputError, match=r"s\.fund_fen: a sum exceeds .* subject H1: look"
        ):
            fold(rows([MAX_VALUE] * count), LAWS, ["H1"], [202601])
    with pytest.raises(KernelInputError, match="a sum exceeds"):
        fold(rows([-MAX_VALUE, -1]), LAWS, ["H1"], [202601])


def test_large_amounts_that_net_out_are_no_error() -> None:
    folded, _ = fold(rows([MAX_VALUE, MAX_VALUE, -MAX_VALUE]), LAWS, ["H1"], [202601])
    assert folded["fund_fen"].tolist() == [MAX_VALUE]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(KernelInputError, match="found float64 of shape"):
        MonthlyMeasures(
            measure_set="s",
            subjects=np.array(["H1"]),
            months=np.array([202601], np.int32),
            columns={"fund_fen": np.array([value])},
        )


def test_a_negative_count_is_refused_with_subject_and_month() -> None:
    refuse_negative(rows([0, 3], name="visits"), "visits")
    with pytest.raises(
        KernelInputError, match=r"s\.visits: H1 counts -1 in 202601, expected no neg"
    ):
        refuse_negative(rows([0, -1], name="visits"), "visits")


@pytest.mark.parametrize(("any_month", "expect"), [(False, [False]), (True, [True])])
def test_one_month_can_be_enough(*, any_month: bool, expect: list[bool]) -> None:
    folded, present = fold(rows([7]), LAWS, ["H1"], [202601, 202602], any_month=any_month)
    assert (folded["fund_fen"].tolist(), present.tolist()) == ([7], expect)


def test_reversals_net_out() -> None:
    folded, present = fold(rows([1_250, -1_250, 40]), LAWS, ["H1"], [202601])
    assert folded["fund_fen"].tolist() == [40]
    assert present.tolist() == [True]


@pytest.mark.parametrize(
    ("subjects", "months"),
    [(["H1", "H1"], [202601]), (["H1"], [202601, 202601]), (["H1"], [])],
    ids=["subject_twice", "month_twice", "no_month"],
)
def test_a_window_names_each_subject_and_month_once(subjects: list[str], months: list[int]) -> None:
    with pytest.raises(KernelInputError, match="expected unique subjects"):
        fold(rows([1]), LAWS, subjects, months)


def test_a_measure_without_a_law_is_refused() -> None:
    with pytest.raises(KernelInputError, match="found None"):
        fold(rows([1]), {}, ["H1"], [202601])
    with pytest.raises(KernelInputError, match="found 'mean'"):
        fold(rows([1]), {"fund_fen": "mean"}, ["H1"], [202601])


def test_folding_nothing_is_nothing() -> None:
    folded, present = fold(rows([]), LAWS, ["H1", "H2"], [202601])
    assert (folded["fund_fen"].tolist(), present.tolist()) == ([0, 0], [False, False])
    folded, present = fold(rows([1]), LAWS, [], [202601])
    assert (folded["fund_fen"].tolist(), present.tolist()) == ([], [])


def test_only_slots_of_one_measure_set_merge() -> None:
    with pytest.raises(KernelInputError, match="cannot merge s"):
        merge_slots(rows([1]), rows([1], of="t"), LAWS)
    with pytest.raises(KernelInputError, match="cannot merge s"):
        merge_slots(rows([1]), rows([1], name="medfee_fen"), LAWS)
