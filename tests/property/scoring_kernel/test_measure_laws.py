"""The two laws of measures: statements replace, slots merge."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.errors import KernelInputError
from scoring_kernel.measure_sets import Histogram
from scoring_kernel.measures import (
    MonthlyMeasures,
    SlotRows,
    fold,
    merge_slots,
    replace_slots,
)
from scoring_kernel.statements import rows_digest

if TYPE_CHECKING:
    from random import Random

    from scoring_kernel.measures import IntVector

LAWS = {"a": "sum", "b": "max", "c": "min", "stay_0": "sum", "stay_1": "sum", "stay_2": "sum"}
STAY = Histogram(id="stay", edges=(-1_000, 1_000))
MONTHS = (202601, 202602, 202603)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["D1", "D2", "D3", "D4"]),
        st.sampled_from(MONTHS),
        st.integers(-(10**11), 10**11),
    ),
    max_size=12,
)


def measures(rows: list[tuple[str, int, int]]) -> MonthlyMeasures:
    values = np.array([value for *_, value in rows], np.int64)
    return MonthlyMeasures(
        measure_set="practice",
        subjects=np.array([subject for subject, *_ in rows], np.str_),
        months=np.array([month for _, month, _ in rows], np.int32),
        columns={
            "a": values,
            "b": values,
            "c": -values,
            **{name: np.int64(1) * (bins(values) == at) for at, name in enumerate(STAY.bins)},
        },
    )


def bins(values: IntVector) -> IntVector:
    """Bin of each value, by the histogram's edges."""
    return np.searchsorted(np.array(STAY.edges, np.int64), values, side="right").astype(np.int64)


def content(found: MonthlyMeasures) -> list[tuple[object, ...]]:
    columns = [found.columns[name].tolist() for name in sorted(found.columns)]
    return list(zip(found.subjects.tolist(), found.months.tolist(), *columns, strict=True))


@given(ROWS, ROWS, ROWS)
def test_merging_is_associative(
    a: list[tuple[str, int, int]],
    b: list[tuple[str, int, int]],
    c: list[tuple[str, int, int]],
) -> None:
    one, two, three = measures(a), measures(b), measures(c)
    left = merge_slots(merge_slots(one, two, LAWS), three, LAWS)
    right = merge_slots(one, merge_slots(two, three, LAWS), LAWS)
    assert content(left) == content(right)


@given(ROWS, ROWS)
def test_merging_is_commutative(
    a: list[tuple[str, int, int]], b: list[tuple[str, int, int]]
) -> None:
    one, two = measures(a), measures(b)
    assert content(merge_slots(one, two, LAWS)) == content(merge_slots(two, one, LAWS))


@given(ROWS, ROWS)
def test_a_merged_histogram_counts_every_row_once_and_by_its_bin(
    a: list[tuple[str, int, int]], b: list[tuple[str, int, int]]
) -> None:
    merged = merge_slots(measures(a), measures(b), LAWS)
    for at, name in enumerate(STAY.bins):
        values = np.array([value for *_, value in a + b], np.int64)
        assert int(merged.columns[name].sum()) == int((bins(values) == at).sum())


@given(ROWS, ROWS)
def test_folding_merged_slots_equals_folding_all_rows(
    a: list[tuple[str, int, int]], b: list[tuple[str, int, int]]
) -> None:
    subjects = ["D3", "D1", "D9", "D2"]
    merged = fold(merge_slots(measures(a), measures(b), LAWS), LAWS, subjects, MONTHS[:2])
    plain = fold(measures(a + b), LAWS, subjects, MONTHS[:2])
    for name in LAWS:
        assert merged[0][name].tolist() == plain[0][name].tolist()
    assert merged[1].tolist() == plain[1].tolist()
    rows = [row for row in a + b if row[1] in MONTHS[:2]]
    for at, subject in enumerate(subjects):
        own = [value for name, _, value in rows if name == subject]
        assert int(plain[0]["a"][at]) == sum(own)
        assert int(plain[0]["b"][at]) == (max(own) if own else 0)
        assert int(plain[0]["c"][at]) == (min(-value for value in own) if own else 0)
        stated = {month for name, month, _ in rows if name == subject}
        assert bool(plain[1][at]) == (stated == set(MONTHS[:2]))


STATEMENTS = st.lists(
    st.builds(
        lambda institution, incarnation, version: SlotRows(
            institution=institution,
            measure_set="settlement",
            month=202601,
            incarnation=incarnation,
            version=version,
            # The rows follow from the version, as they do at an honest sender.
            rows=((institution, (incarnation * 100 + version,)),),
        ),
        st.sampled_from(["H1", "H2"]),
        st.integers(1, 3),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=12,
)


@given(STATEMENTS)
def test_replacing_twice_is_replacing_once(statements: list[SlotRows]) -> None:
    once: dict[tuple[str, str, int], SlotRows] = reduce(replace_slots, statements, {})
    assert reduce(replace_slots, statements, once) == once
    for statement in statements:
        held = replace_slots(once, statement)
        assert replace_slots(held, statement) == held == once


@given(STATEMENTS, st.randoms(use_true_random=False))
def test_the_newest_statement_wins_in_any_order_and_any_number(
    statements: list[SlotRows], random: Random
) -> None:
    shuffled = statements * 2
    random.shuffle(shuffled)
    once: dict[tuple[str, str, int], SlotRows] = reduce(replace_slots, statements, {})
    again: dict[tuple[str, str, int], SlotRows] = reduce(replace_slots, shuffled, {})
    assert once == again
    for slot, winner in once.items():
        ranks = [(s.incarnation, s.version) for s in statements if s.slot == slot]
        assert (winner.incarnation, winner.version) == max(ranks)


def test_an_empty_newer_statement_deletes_the_rows() -> None:
    full = SlotRows(
        institution="H1",
        measure_set="settlement",
        month=202601,
        incarnation=1,
        version=1,
        rows=(("H1", (5,)),),
    )
    empty = SlotRows(
        institution="H1",
        measure_set="settlement",
        month=202601,
        incarnation=1,
        version=2,
        rows=(),
    )
    held = replace_slots(replace_slots({}, empty), full)
    assert held[empty.slot].rows == ()


def test_two_contents_of_one_version_are_a_fork() -> None:
    def made(value: int) -> SlotRows:
        return SlotRows(
            institution="H1",
            measure_set="settlement",
            month=202601,
            incarnation=1,
            version=1,
            rows=(("H1", (value,)),),
        )

    with pytest.raises(KernelInputError, match="forked"):
        replace_slots(replace_slots({}, made(1)), made(2))


@given(ROWS, st.randoms(use_true_random=False))
def test_the_digest_of_rows_ignores_their_order(
    rows: list[tuple[str, int, int]], random: Random
) -> None:
    def digest(some: list[tuple[str, int, int]]) -> bytes:
        subjects = [subject for subject, *_ in some]
        months = [month for _, month, _ in some]
        return rows_digest(["H1"] * len(some), months, subjects, {"a": [v for *_, v in some]})

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert digest(rows) == digest(shuffled)
    for before, after in pairwise([rows[:at] for at in range(len(rows) + 1)]):
        assert digest(before) != digest(after)
