"""The input table refuses parts that do not fit, and digests what it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scoring_kernel.errors import KernelInputError
from scoring_kernel.inputs import MAX_INPUT, InputTable
from tests.support.kernel_models import Subject, small_model, table

MODEL = small_model()
TABLE = table(
    MODEL,
    [
        Subject(inputs={"work.done@current": 3, "work.planned@current": 4}),
        Subject(inputs={"item.12.city@current": 0}, level="2", type="tcm"),
    ],
)


def test_assemble_takes_the_columns_of_the_model_in_order() -> None:
    assert TABLE.columns == MODEL.input_columns
    at = TABLE.position("work.planned@current")
    assert (int(TABLE.values[0, at]), bool(TABLE.present[0, at])) == (4, True)
    assert (int(TABLE.values[1, at]), bool(TABLE.present[1, at])) == (0, False)


def test_a_value_that_is_not_present_is_kept_as_zero() -> None:
    parts = {"work.done@current": (np.array([9], np.int64), np.array([False]))}
    made = InputTable.assemble(MODEL, ["H1"], ["3"], ["general"], parts)
    assert not made.values.any()


def test_select_and_rows_keep_what_is_asked_for() -> None:
    part = TABLE.select(["work.planned@current", "work.done@current"])
    assert part.values.tolist() == [[4, 3], [0, 0]]
    kept = part.rows(np.array([False, True]))
    assert (kept.subjects, kept.levels, kept.types) == (("H00000000001",), ("2",), ("tcm",))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"levels": ("3",)}, "1 levels and 2 types for 2 subjects"),
        ({"subjects": ("H1", "H1")}, "appears twice"),
        ({"columns": ("a", "b")}, r"expected \(2, 2\)"),
        ({"values": TABLE.values.astype(np.int32)}, "expected int64 and bool"),
        ({"values": TABLE.values + MAX_INPUT + 1}, "found 10000000000001, expected at most"),
        ({"values": TABLE.values - MAX_INPUT - 1}, "found -10000000000001, expected at most"),
    ],
    ids=["levels", "subjects", "columns", "type", "too_large", "too_small"],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(KernelInputError, match=problem):
        replace(TABLE, **change)


@pytest.mark.parametrize(("level", "kind"), [("9", "general"), ("3", "dental")])
def test_an_unknown_level_or_type_is_refused(level: str, kind: str) -> None:
    with pytest.raises(KernelInputError, match="model small knows levels"):
        InputTable.assemble(MODEL, ["H1"], [level], [kind], {})


def test_a_part_of_another_length_is_refused() -> None:
    parts = {"work.done@current": (np.zeros(2, np.int64), np.zeros(2, np.bool_))}
    with pytest.raises(KernelInputError, match=r"column work\.done@current"):
        InputTable.assemble(MODEL, ["H1"], ["3"], ["general"], parts)


@pytest.mark.parametrize(
    ("numbers", "known"),
    [
        (np.array([np.nan]), np.array([True])),
        (np.array([np.inf]), np.array([True])),
        (np.array([0.5]), np.array([True])),
        (np.array([2**64 - 1], np.uint64), np.array([True])),
        (np.array([1], np.int64), np.array([1], np.int64)),
    ],
    ids=["nan", "infinite", "fraction", "wraps_around", "presence_is_a_number"],
)
def test_a_part_of_another_type_is_refused_not_cut(
    numbers: npt.NDArray[Any], known: npt.NDArray[Any]
) -> None:
    with pytest.raises(KernelInputError, match=r"column work\.done@current: .* expected int64"):
        InputTable.assemble(
            MODEL, ["H1"], ["3"], ["general"], {"work.done@current": (numbers, known)}
        )


def test_a_negative_count_is_refused_with_its_subject() -> None:
    done = ("work.done@current",)
    two = [Subject(inputs={done[0]: count}) for count in (0, -1)]
    with pytest.raises(
        KernelInputError, match=r"subject H00000000001, column work\.done@current: found -1"
    ):
        table(MODEL, two).refuse_negative(done)
    table(MODEL, two).refuse_negative(("work.planned@current",))
    table(MODEL, two[:1]).refuse_negative(done)
    table(MODEL, []).refuse_negative(done)


def test_what_is_not_present_is_never_negative() -> None:
    at = TABLE.position("work.done@base")
    values = TABLE.values.copy()
    values[0, at] = -1
    replace(TABLE, values=values).refuse_negative(("work.done@base",))


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(KernelInputError, match="mask"):
        TABLE.rows(np.array([True]))


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(KernelInputError, match=r"no column work\.wanted"):
        TABLE.select(["work.wanted@current"])


def test_the_digest_ignores_the_order_of_columns_but_no_value() -> None:
    turned = TABLE.select(TABLE.columns[::-1])
    assert turned.digest() == TABLE.digest()
    assert turned.digest(0) == TABLE.digest(0) != TABLE.digest(1)
    values = TABLE.values.copy()
    values[0, TABLE.position("work.done@current")] += 1
    changed = replace(TABLE, values=values)
    assert changed.digest() != TABLE.digest()
    assert changed.digest(1) == TABLE.digest(1)


def test_not_present_and_zero_have_different_digests() -> None:
    zero = table(MODEL, [Subject(inputs={"work.done@current": 0})])
    none = table(MODEL, [Subject(inputs={})])
    assert zero.digest() != none.digest()


def test_an_empty_table_is_a_table() -> None:
    assert table(MODEL, []).digest() == table(MODEL, []).digest()
