"""Which institutions' stays to look at first: a clue score (线索分) among peers.

Rules:
- A component is a whole number per institution: what the fund paid, the dearest and the longest
  stay, the fees and the days above the median of the disease, and the stays of persons who had
  been there before. Diseases with few stays have no median to be above.
- An institution's place in a component is the share of institutions below it, those level with
  it counting half; its score is the weighted mean of its places, 0 to 1,000.
- Nothing is fitted: the score needs no labels, and its weights are data (``joining.yaml``).

The slow form of it is the test's oracle; here everything is columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

__all__ = ["COMPONENTS", "InstitutionClues", "InstitutionScore", "Stays", "score_institutions"]

COMPONENTS: Final = ("fund", "excess_fees", "excess_days", "dearest", "longest", "repeats")
"""Names of the components."""
MAX_SCORE: Final = 1_000
_MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionScore:
    """How institutions are scored; data."""

    weights: Mapping[str, int]
    """Weight by component, zero or more; not all of them zero."""
    least_cases: int
    """Stays of a disease from which on it has a median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """Settled stays, as columns of one length n."""

    institution: Ints
    """Place of the institution in a list of one's own, from 0 without gaps."""
    person: Ints
    """Number of the person, any."""
    disease: Ints
    """Number of the disease, from 0; negative for none."""
    fund_fen: Ints
    medfee_fen: Ints
    days: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionClues:
    """What was found about m institutions, each column of length m."""

    values: Mapping[str, Ints] = field(repr=False)
    """Components: fen, days and counts; excess in halves of a fen and of a day."""
    score: Ints
    """0 to 1,000, rounded half up."""
    exact_e6: Ints
    """The same mean in millionths of 1, to order by."""


def score_institutions(stays: Stays, score: InstitutionScore) -> InstitutionClues:
    """Score the institutions of some stays among each other.

    Args:
        stays: The stays; every institution has one at least.
        score: Weights.

    Returns:
        Components and scores, in order of the institutions' numbers.
    """
    count = int(stays.institution.max()) + 1 if len(stays.institution) else 0
    values = {
        "fund": _sum(stays.institution, stays.fund_fen, count),
        "excess_fees": _sum(
            stays.institution, _excess(stays.disease, stays.medfee_fen, score), count
        ),
        "excess_days": _sum(stays.institution, _excess(stays.disease, stays.days, score), count),
        "dearest": _most(stays.institution, stays.medfee_fen, count),
        "longest": _most(stays.institution, stays.days, count),
        "repeats": _repeats(stays, count),
    }
    total = sum(score.weights[name] for name in COMPONENTS)
    weighted = np.zeros(count, np.int64)
    for name in COMPONENTS:
        weighted += score.weights[name] * _twice_below(values[name])
    # A place is twice_below / 2m; the mean of them in millionths, half up.
    divisor = 2 * max(count, 1) * total
    exact = (2 * weighted * _MICRO + divisor) // (2 * divisor)
    points = (2 * weighted * MAX_SCORE + divisor) // (2 * divisor)
    return InstitutionClues(values=values, score=points, exact_e6=exact)


def _sum(groups: Ints, amounts: Ints, count: int) -> Ints:
    total = np.zeros(count, np.int64)
    np.add.at(total, groups, amounts)
    return total


def _most(groups: Ints, amounts: Ints, count: int) -> Ints:
    most = np.zeros(count, np.int64)
    np.maximum.at(most, groups, amounts)
    return most


def _repeats(stays: Stays, count: int) -> Ints:
    """Stays beyond the first of each person."""
    pairs = np.unique(np.stack((stays.institution, stays.person)), axis=1)
    persons = np.bincount(pairs[0], minlength=count) if count else np.zeros(0, np.int64)
    found = np.bincount(stays.institution, minlength=count) if count else np.zeros(0, np.int64)
    return (found - persons).astype(np.int64)


def _excess(disease: Ints, amounts: Ints, score: InstitutionScore) -> Ints:
    """Twice what a stay has above the median of its disease; 0 below, and without a median."""
    order = np.lexsort((amounts, disease))
    ranked = disease[order]
    begins = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else ranked
    sizes = np.diff(np.r_[begins, len(ranked)])
    values = amounts[order]
    middle = begins + sizes // 2
    lower = np.where(sizes % 2 == 1, middle, middle - 1)
    twice_median = values[middle] + values[lower] if len(ranked) else values
    known = (sizes >= score.least_cases) & (ranked[begins] >= 0)
    above = np.where(np.repeat(known, sizes), 2 * values - np.repeat(twice_median, sizes), 0)
    excess = np.empty_like(amounts)
    excess[order] = np.maximum(above, 0)
    return excess


def _twice_below(values: Ints) -> Ints:
    """Twice the number of values below each, and once the number of those equal to it."""
    ranked = np.sort(values)
    below = np.searchsorted(ranked, values, "left")
    up_to = np.searchsorted(ranked, values, "right")
    return (below + up_to).astype(np.int64)
