"""What if (模拟): how grades move when a model changes, and how steady they are.

Rules:
- Both results score the same subjects from the same inputs; whoever moves, moves because of
  the model, and the move says through what (``move_reasons.py``).
- Stability is the population stability index of two distributions; its floats are for
  reading and decide nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError
from scoring_kernel.model import NOT_RATED
from scoring_kernel.move_reasons import reasons_of

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One subject whose grade changes.

    Attributes:
        subject: Subject id.
        before: Grade by the old model.
        after: Grade by the new model.
        before_centi: Total by the old model, hundredths of a point.
        after_centi: Total by the new model, hundredths.
        reasons: Why, some of ``move_reasons.REASONS``: points, cut, coverage, override, name.
        causes: Where points are a reason, indicators by their change of points, those that
            moved the total its way first, the greatest first: (id, hundredths).
    """

    subject: str
    before: str
    after: str
    before_centi: int
    after_centi: int
    reasons: tuple[str, ...]
    causes: tuple[tuple[str, int], ...]


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
    rows = [
        row
        for row, (before, after) in enumerate(zip(old.grades, new.grades, strict=True))
        if before != after
    ]
    found = [
        Move(
            subject=old.subjects[row],
            before=old.grades[row],
            after=new.grades[row],
            before_centi=int(old.total_centi[row]),
            after_centi=int(new.total_centi[row]),
            reasons=reasons,
            causes=_causes(old, new, row)[:causes] if "points" in reasons else (),
        )
        for row, reasons in zip(rows, reasons_of(old, new, rows), strict=True)
    ]
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
    """Indicators of either model by their change of points, those of the total's way first."""
    change: Counter[str] = Counter()
    for result, sign in ((old, -1), (new, 1)):
        points = result.points_centi[row].tolist()
        for indicator, earned in zip(result.model.indicators, points, strict=True):
            change[indicator.id] += sign * earned
    way = 1 if new.total_centi[row] > old.total_centi[row] else -1
    ranked = sorted(change.items(), key=lambda one: (one[1] * way < 0, -abs(one[1]), one[0]))
    return tuple((name, points) for name, points in ranked if points)


def _refuse_others(old: ScoreResult, new: ScoreResult) -> None:
    if old.subjects != new.subjects:
        raise KernelInputError(
            f"what if: {len(old.subjects)} and {len(new.subjects)} subjects, expected the same "
            "subjects in the same order: score the same inputs with both models"
        )
