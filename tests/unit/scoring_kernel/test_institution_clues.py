"""Clue scores of institutions against the obvious way of computing them."""

from fractions import Fraction
from statistics import median

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.institution_clues import (
    COMPONENTS,
    InstitutionScore,
    Stays,
    score_institutions,
)

WEIGHTS = {"fund": 1, "excess_fees": 2, "excess_days": 1, "dearest": 3, "longest": 1, "repeats": 1}
SCORE = InstitutionScore(weights=WEIGHTS, least_cases=2)
ROW = st.tuples(
    st.integers(0, 3), st.integers(0, 4), st.integers(-1, 2), st.integers(-5, 50),
    st.integers(0, 60), st.integers(1, 9),
)  # fmt: skip

Row = tuple[int, int, int, int, int, int]


def columns(rows: list[Row]) -> Stays:
    """Make columns of rows; institutions are numbered without gaps."""
    names = sorted({row[0] for row in rows})
    made = [[names.index(row[0]), *row[1:]] for row in rows]
    institution, person, disease, fund, medfee, days = (
        np.array([row[at] for row in made], np.int64) for at in range(6)
    )
    return Stays(
        institution=institution,
        person=person,
        disease=disease,
        fund_fen=fund,
        medfee_fen=medfee,
        days=days,
    )


def oracle(rows: list[Row]) -> list[tuple[dict[str, int], Fraction]]:
    """Components and exact mean place of every institution, one stay after the other."""
    by_disease: dict[int, list[Row]] = {}
    for row in rows:
        by_disease.setdefault(row[2], []).append(row)

    def excess(row: Row, at: int) -> int:
        others = by_disease[row[2]]
        if row[2] < 0 or len(others) < SCORE.least_cases:
            return 0
        return max(0, 2 * row[at] - int(2 * median(one[at] for one in others)))

    values = []
    for name in sorted({row[0] for row in rows}):
        own = [row for row in rows if row[0] == name]
        values.append(
            {
                "fund": sum(row[3] for row in own),
                "excess_fees": sum(excess(row, 4) for row in own),
                "excess_days": sum(excess(row, 5) for row in own),
                "dearest": max(row[4] for row in own),
                "longest": max(row[5] for row in own),
                "repeats": len(own) - len({row[1] for row in own}),
            }
        )
    found = []
    for one in values:
        mean = sum(
            (
                WEIGHTS[name]
                * Fraction(
                    2 * sum(other[name] < one[name] for other in values)
                    + sum(other[name] == one[name] for other in values),
                    2 * len(values),
                )
                for name in COMPONENTS
            ),
            Fraction(0),
        )
        found.append((one, mean / sum(WEIGHTS.values())))
    return found


@given(st.lists(ROW, min_size=1, max_size=40))
def test_scores_are_those_of_the_obvious_way(rows: list[Row]) -> None:
    found = score_institutions(columns(rows), SCORE)
    expected = oracle(rows)
    for at, (values, mean) in enumerate(expected):
        assert {name: int(found.values[name][at]) for name in COMPONENTS} == values
        assert int(found.score[at]) == int(mean * 1_000 + Fraction(1, 2))
        assert int(found.exact_e6[at]) == int(mean * 1_000_000 + Fraction(1, 2))


def test_without_stays_there_is_nobody() -> None:
    empty = np.zeros(0, np.int64)
    found = score_institutions(
        Stays(
            institution=empty,
            person=empty,
            disease=empty,
            fund_fen=empty,
            medfee_fen=empty,
            days=empty,
        ),
        SCORE,
    )
    assert len(found.score) == 0


def test_alone_an_institution_stands_in_the_middle() -> None:
    found = score_institutions(columns([(0, 1, 0, 10, 20, 3)]), SCORE)
    assert found.score.tolist() == [500]
