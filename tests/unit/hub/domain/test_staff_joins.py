"""Clues of several nodes about the same staff: what is found, and where it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.staff_joins import StaffClue, StaffFinding, find_staff
from scoring_kernel import load_catalog
from scoring_kernel.joining import Join

RULE = load_catalog().joining.joins[Join.STAFF_AT_SEVERAL_NODES]
FIRST, SECOND, THIRD = (f"H3303020000{n}" for n in range(1, 4))
NODES = {FIRST: "node/a", SECOND: "node/a", THIRD: "node/b"}


def clue(institution: str, month: int = 202603, *, score: int = 400, number: int = 0) -> StaffClue:
    return StaffClue(
        staff="D330302000001",
        member=NODES[institution],
        id=number.to_bytes(16, "big"),
        source="M16",
        institution=institution,
        month=month,
        score=score,
    )


def find(*rows: StaffClue) -> list[StaffFinding]:
    return [*find_staff(rows, RULE)]


def test_clues_of_two_nodes_are_one_finding_that_grows() -> None:
    (found,) = find(clue(THIRD, 202604, number=2), clue(FIRST, number=1))
    assert [one.institution for one in found.clues] == [FIRST, THIRD]
    assert (found.institutions, found.members) == (2, 2)
    (again,) = find(clue(FIRST, number=1), clue(THIRD, 202604), clue(SECOND, 202605))
    assert (again.id, again.institutions) == (found.id, 3)


@pytest.mark.parametrize(
    ("month", "score", "count"),
    [(202608, 400, 1), (202609, 400, 0), (202608, 399, 0), (202603, 1000, 1)],
    ids=["the sixth month", "the seventh", "too light", "the same month"],
)
def test_window_and_score_are_exact(month: int, score: int, count: int) -> None:
    assert len(find(clue(FIRST), clue(THIRD, month, score=score))) == count


def test_one_node_or_one_institution_is_no_finding() -> None:
    assert find(clue(FIRST), clue(SECOND)) == []
    assert find(clue(FIRST), clue(FIRST, number=2)) == []


def test_before_the_first_day_in_force_nothing_is_found() -> None:
    assert find(clue(FIRST, 202512), clue(THIRD, 202512)) == []


def test_windows_do_not_overlap() -> None:
    rows = [
        clue(place, month, number=month) for month in (202601, 202607) for place in (FIRST, THIRD)
    ]
    found = find(*rows)
    assert [len(one.clues) for one in found] == [2, 2]
    assert len({one.id for one in found}) == 2


CLUES = st.lists(
    st.builds(
        lambda place, month, score, number: clue(place, month, score=score, number=number),
        st.sampled_from([FIRST, SECOND, THIRD]),
        st.sampled_from([202601, 202603, 202606, 202607, 202612]),
        st.sampled_from([399, 400, 700]),
        st.integers(0, 9),
    ),
    max_size=8,
    unique_by=lambda one: (one.member, one.id),
)


@given(rows=CLUES, seed=st.randoms(use_true_random=False))
def test_a_finding_rests_on_two_nodes_whatever_the_order(
    rows: list[StaffClue], seed: object
) -> None:
    found = find(*rows)
    for one in found:
        assert len({each.member for each in one.clues}) > 1
        assert len({each.institution for each in one.clues}) > 1
        assert min(each.score for each in one.clues) >= 400
    mixed = list(rows)
    seed.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis' random
    assert find(*mixed) == found
    listed = [each for one in found for each in one.clues]
    assert len(listed) == len(set(listed))
