from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.cheapest_sets import MAX_EFFORT, MAX_NEED, cheapest_set
from scoring_kernel.errors import KernelInputError

_CHANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)), min_size=0, max_size=12)


def _by_brute_force(gains: list[int], efforts: list[int], need: int) -> tuple[int, ...] | None:
    """Look at every set, the smallest first."""
    for count in range(len(gains) + 1):
        fitting = [
            (sum(efforts[at] for at in chosen), chosen)
            for chosen in combinations(range(len(gains)), count)
            if sum(gains[at] for at in chosen) >= need
        ]
        if fitting:
            return min(fitting)[1]
    return None


@given(_CHANGES, st.integers(0, 400))
def test_equals_brute_force(changes: list[tuple[int, int]], need: int) -> None:
    gains, efforts = [gain for gain, _ in changes], [effort for _, effort in changes]
    assert cheapest_set(gains, efforts, need) == _by_brute_force(gains, efforts, need)


def test_fewest_changes_win_over_least_effort() -> None:
    assert cheapest_set([500, 300, 300], [MAX_EFFORT, 1, 1], 500) == (0,)


def test_nothing_needed_changes_nothing() -> None:
    assert cheapest_set([500], [1], 0) == ()


@pytest.mark.parametrize(
    ("gains", "efforts", "need"),
    [
        ([1], [], 1),
        ([1], [1], -1),
        ([1], [1], MAX_NEED + 1),
        ([-1], [1], 1),
        ([1], [MAX_EFFORT + 1], 1),
    ],
)
def test_unfit_numbers_are_refused(gains: list[int], efforts: list[int], need: int) -> None:
    with pytest.raises(KernelInputError, match="expected"):
        cheapest_set(gains, efforts, need)
