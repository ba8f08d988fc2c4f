"""What if (模拟): how grades move when a model changes, and how steady they are.

Rules:
- Both results score the same subjects from the same inputs; whoever moves, moves because of
  the model.
- Sensitivity is exact: a weight grows or shrinks by one percent of itself, the others carry
  the difference in proportion, so the total stays the model's; totals are rounded half up.
- Stability is the population stability index of two distributions; its floats are for
  reading and decide nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.errors import KernelInputError
from scoring_kernel.grades import grade_of
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.scoring import ScoreResult

PUBLISHED_SHARES_BP: Final = (1_015, 6_245, 2_340, 400, 0)
"""Published shares of the five grades, best first, in hundredths of a percent.

Source:
    Wenzhou, credit grades of 951 designated institutions (10.15 %, 62.45 %, 23.40 %, 4.00 %, 0).
"""
STEADY_BELOW: Final = 0.10
SHIFTED_FROM: Final = 0.25
"""Customary reading of the index: below the first steady, from the second on shifted."""

_LEAST_SHARE: Final = 0.0005
"""Share that an empty grade stands for, so that its logarithm exists."""
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One subject whose grade changes.

    Attributes:
        subject: Subject id.
        before: Grade by the old model.
        after: Grade by the new model.
        before_centi: Total by the old model, hundredths of a point.
        after_centi: Total by the new model, hundredths.
        causes: Indicators by their change of points, the greatest first: (id, hundredths).
    """

    subject: str
    before: str
    after: str
    before_centi: int
    after_centi: int
    causes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How many grades hang on one indicator's weight.

    Attributes:
        indicator: Indicator id.
        up_bp: Share of rated subjects that move when its weight grows by 1 %, hundredths of
            a percent.
        down_bp: The same when it shrinks by 1 %.
    """

    indicator: str
    up_bp: int
    down_bp: int


def grades_matrix(old: ScoreResult, new: ScoreResult) -> dict[tuple[str, str], int]:
    """Count subjects by old and new grade; pairs without subjects are left out.

    Args:
        old: Scores by the old model.
        new: Scores by the new model.

    Raises:
        KernelInputError: The two score other subjects.
    """
    _refuse_others(old, new)
    return dict(Counter(zip(old.grades, new.grades, strict=True)))


def moves(old: ScoreResult, new: ScoreResult, *, causes: int = 3) -> tuple[Move, ...]:
    """Subjects whose grade changes, and through which indicators.

    Args:
        old: Scores by the old model.
        new: Scores by the new model.
        causes: Most indicators to name.

    Returns:
        Moves, the greatest loss of points first.

    Raises:
        KernelInputError: The two score other subjects.
    """
    _refuse_others(old, new)
    found: list[Move] = []
    for row, (before, after) in enumerate(zip(old.grades, new.grades, strict=True)):
        if before == after:
            continue
        found.append(
            Move(
                subject=old.subjects[row],
                before=before,
                after=after,
                before_centi=int(old.total_centi[row]),
                after_centi=int(new.total_centi[row]),
                causes=_causes(old, new, row)[:causes],
            )
        )
    return tuple(sorted(found, key=lambda one: (one.after_centi - one.before_centi, one.subject)))


def distribution(result: ScoreResult, by: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
    """Count grades, wholly or by a label of the subjects.

    Args:
        result: Scores.
        by: Label of each subject, for example its level; None for one group ``all``.

    Returns:
        Counts by label and grade; every grade of the model stands in every group, and
        ``not_rated`` where it occurs.
    """
    labels = by if by is not None else ("all",) * len(result.subjects)
    grades = [band.id for band in result.model.bands]
    found: dict[str, dict[str, int]] = {}
    for label, grade in zip(labels, result.grades, strict=True):
        group = found.setdefault(label, dict.fromkeys(grades, 0))
        group[grade] = group.get(grade, 0) + 1
    return dict(sorted(found.items()))


def sensitivity(result: ScoreResult) -> tuple[Sensitivity, ...]:
    """Share of rated subjects that change their grade per ±1 % of each weight.

    Args:
        result: Scores.

    Returns:
        One entry per indicator, in the model's order. Grades are those the points earn: an
        override holds whatever the weights are.
    """
    rated = result.coverage_centi >= result.model.min_coverage
    totals = result.total_centi[rated].astype(np.int64)
    held = np.array(grade_of(totals, result.model.bands), object)
    found: list[Sensitivity] = []
    for index, indicator in enumerate(result.model.indicators):
        points = result.points_centi[rated, index].astype(np.int64)
        weights = result.weights_centi[rated, index].astype(np.int64)
        shares = []
        for sign in (1, -1):
            # The weight becomes w * (100 ± 1) / 100; all weights are scaled to the old sum.
            whole = _PERCENT * result.model.total_centi
            divisor = whole + sign * weights
            scaled = (_PERCENT * totals + sign * points) * result.model.total_centi
            moved = (2 * scaled + divisor) // (2 * divisor)
            others = np.array(grade_of(moved, result.model.bands), object) != held
            count = int(np.count_nonzero(others))
            shares.append(round(10_000 * count / len(totals)) if len(totals) else 0)
        found.append(Sensitivity(indicator=indicator.id, up_bp=shares[0], down_bp=shares[1]))
    return tuple(found)


def stability_index(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Population stability index of two distributions over grades.

    Args:
        before: Subjects per grade in the earlier period.
        after: Subjects per grade in the later period.

    Returns:
        0 for equal shares; above ``SHIFTED_FROM`` the distribution has shifted. A grade that
        is empty counts as a share of 0.05 %.

    Raises:
        KernelInputError: One of the two is empty.

    Source:
        Population stability index as used in credit scoring: the sum over grades of
        (a - b) * ln(a / b).

    >>> stability_index({"a": 5, "b": 5}, {"a": 50, "b": 50})
    0.0
    """
    total_before, total_after = sum(before.values()), sum(after.values())
    if not total_before or not total_after:
        raise KernelInputError("stability index: expected subjects in both periods")
    index = 0.0
    for grade in sorted({*before, *after}):
        b = max(before.get(grade, 0) / total_before, _LEAST_SHARE)
        a = max(after.get(grade, 0) / total_after, _LEAST_SHARE)
        index += (a - b) * math.log(a / b)
    return index


def rated_only(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts without the subjects that were not rated."""
    return {grade: count for grade, count in counts.items() if grade != NOT_RATED}


def _causes(old: ScoreResult, new: ScoreResult, row: int) -> tuple[tuple[str, int], ...]:
    """Indicators of either model by their change of points, the greatest first."""
    change: Counter[str] = Counter()
    for result, sign in ((old, -1), (new, 1)):
        points = result.points_centi[row].tolist()
        for indicator, earned in zip(result.model.indicators, points, strict=True):
            change[indicator.id] += sign * earned
    ranked = sorted(change.items(), key=lambda one: (-abs(one[1]), one[0]))
    return tuple((name, points) for name, points in ranked if points)


def _refuse_others(old: ScoreResult, new: ScoreResult) -> None:
    if old.subjects != new.subjects:
        raise KernelInputError(
            f"what if: {len(old.subjects)} and {len(new.subjects)} subjects, expected the same "
            "subjects in the same order: score the same inputs with both models"
        )
