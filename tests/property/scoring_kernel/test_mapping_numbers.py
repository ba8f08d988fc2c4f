"""Decimal text as integers: the vectorised reader agrees with one number at a time."""

import re
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.tables.mapping_numbers import decimal_counts, decimal_text, int_digits

NUMBERS = st.decimals(min_value=-(10**14), max_value=10**14, places=None, allow_nan=False).map(
    lambda one: format(one, "f")
)
CELLS = st.lists(
    st.none()
    | NUMBERS
    | st.integers(-(10**15), 10**15).map(str)
    | st.from_regex(r"[0-9]{1,6}\.[0-9]{2}", fullmatch=True)
    | st.text("0123456789.-+eE \uff11", max_size=8),
    max_size=40,
)


def slow(text: str | None, decimals: int, *, rounds: bool) -> int | None:
    """Count one cell the obvious way."""
    if text is None:
        return 0
    if not re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", text, re.ASCII):
        return None
    value = Decimal(text)
    if len(text.lstrip("-").split(".")[0]) > int_digits(decimals):
        return None
    places = len(text.partition(".")[2])
    if places > decimals and not rounds:
        return None
    return int(value.scaleb(decimals).quantize(Decimal(1), ROUND_HALF_UP))


@given(
    texts=CELLS,
    skip=st.integers(0, 3),
    decimals=st.sampled_from([0, 2, 4, 6, 12]),
    rounds=st.booleans(),
)
def test_the_fast_reader_agrees_with_the_slow_one(
    texts: list[str | None], skip: int, decimals: int, *, rounds: bool
) -> None:
    cells = pa.array(texts, pa.string()).slice(min(skip, len(texts)))
    counts, bad = decimal_counts(cells, decimals, rounds=rounds)

    expected = [slow(text, decimals, rounds=rounds) for text in cells.to_pylist()]
    assert bad.tolist() == [one is None for one in expected]
    assert counts.tolist() == [one or 0 for one in expected]


@given(
    counts=st.lists(st.integers(-(10**15) + 1, 10**15 - 1), min_size=1, max_size=20),
    decimals=st.sampled_from([0, 2, 4]),
)
def test_text_of_counts_reads_back(counts: list[int], decimals: int) -> None:
    text = decimal_text(np.array(counts, np.int64), decimals)
    found, bad = decimal_counts(text, decimals)
    fits = [abs(one) < 10 ** (int_digits(decimals) + decimals) for one in counts]
    assert bad.tolist() == [not one for one in fits]
    assert found.tolist() == [one if fit else 0 for one, fit in zip(counts, fits, strict=True)]
