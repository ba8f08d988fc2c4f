"""Where texts stand among others, however they are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring_kernel import positions as module
from scoring_kernel.positions import positions

if TYPE_CHECKING:
    import pytest

IDS = st.one_of(
    st.from_regex(r"[A-Z]{1,2}[0-9]{1,12}", fullmatch=True),
    st.sampled_from(["", "H", "H\u00ff", "h", "医", "R" + "0" * 32, "R" + "0" * 31 + "1"]),
    st.text(alphabet="ab", max_size=3),
)


def compare(wanted: list[str], found: list[str]) -> None:
    places, known = positions(np.array(wanted, np.str_), np.array(found, np.str_))
    expected = {text: place for place, text in enumerate(wanted)}
    assert known.tolist() == [text in expected for text in found]
    assert places[known].tolist() == [expected[text] for text in found if text in expected]


@settings(max_examples=200, deadline=None)
@given(st.lists(IDS, min_size=1, max_size=40, unique=True), st.lists(IDS, min_size=1, max_size=80))
def test_few_texts_are_found(wanted: list[str], found: list[str]) -> None:
    compare(wanted, found)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(IDS, min_size=1, max_size=40, unique=True),
    st.lists(IDS, min_size=1, max_size=80),
    st.integers(0, 3),
)
def test_tables_of_hashes_find_the_same(
    monkeypatch: pytest.MonkeyPatch, wanted: list[str], found: list[str], tables: int
) -> None:
    # With few tables clashes are left over, and sorting has to do it.
    monkeypatch.setattr(module, "FEW", 0)
    monkeypatch.setattr(module, "TABLES", tables)
    compare(wanted, found)


def test_many_texts_are_found_in_tables() -> None:
    wanted = [f"D{(n * 7_919) % 10**6:012d}" for n in range(30_000)]
    found = [*wanted[::-1], "D", "", "D0000000000001", "X000000000001", *wanted[:10]]
    compare(wanted, found)


def test_texts_that_do_not_lie_together_are_found() -> None:
    wanted = np.array([f"D{n:012d}" for n in range(10_000)])
    places, known = positions(wanted, np.repeat(wanted, 2)[::2])
    assert known.all()
    assert places.tolist() == list(range(10_000))
