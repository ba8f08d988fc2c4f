"""Why a grade moved (变动原因): points, cuts, coverage, an override, or only its name.

Rules:
- A grade follows from five things: points, coverage, the cuts, the caps that apply, and what the
  grades are called. Each is exchanged for the new one, the others staying old.
- What alone gives the new grade is a reason, all of them where several do; where nothing alone
  does, the smallest sets that together do. So a change that moved nothing is never named.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from scoring_kernel.bands import NOT_RATED
from scoring_kernel.sensitivity import cap_places

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from scoring_kernel.bands import Band
    from scoring_kernel.scoring import ScoreResult

REASONS: Final = ("points", "cut", "coverage", "override", "name")
"""What a grade follows from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """What one result knows of one subject.

    Attributes:
        bands: Grades of its model, best first.
        places: Place of its total by the old and by the new cuts.
        is_rated: Whether its coverage is enough.
        cap: Place of the worst cap in its own model, -1 without one.
    """

    bands: tuple[Band, ...]
    places: tuple[int, int]
    is_rated: bool
    cap: int


def reasons_of(old: ScoreResult, new: ScoreResult, rows: Iterable[int]) -> list[tuple[str, ...]]:
    """Say why the grades of some subjects moved.

    Args:
        old: Scores by the old model.
        new: Scores of the same subjects by the new model.
        rows: Positions of subjects whose grades differ.

    Returns:
        For every row, some of ``REASONS`` in their order.
    """
    bands = old.model.bands, new.model.bands
    caps = cap_places(old).tolist(), cap_places(new).tolist()
    known: dict[tuple[_Side, _Side], tuple[str, ...]] = {}
    found: list[tuple[str, ...]] = []
    for row in rows:
        before, after = (
            _Side(
                bands=own,
                places=(
                    _place(int(result.total_centi[row]), bands[0]),
                    _place(int(result.total_centi[row]), bands[1]),
                ),
                is_rated=bool(result.coverage_centi[row] >= result.model.min_coverage),
                cap=capped[row],
            )
            for result, own, capped in zip((old, new), bands, caps, strict=True)
        )
        if (before, after) not in known:
            known[before, after] = _reasons(before, after)
        found.append(known[before, after])
    return found


def _reasons(before: _Side, after: _Side) -> tuple[str, ...]:
    goal = _grade(before, after, REASONS)
    enough = next(
        sets
        for size in range(1, len(REASONS) + 1)
        if (
            sets := [
                one for one in combinations(REASONS, size) if _grade(before, after, one) == goal
            ]
        )
    )
    named = {name for one in enough for name in one}
    return tuple(name for name in REASONS if name in named)


def _grade(before: _Side, after: _Side, exchanged: Collection[str]) -> str:
    """Grade where some of the five are the new ones and the others the old ones."""
    bands = after.bands if "cut" in exchanged else before.bands
    place = (after if "points" in exchanged else before).places[int("cut" in exchanged)]
    side = after if "override" in exchanged else before
    cap = _cap_among(side, bands)
    if (after if "coverage" in exchanged else before).is_rated:
        place = max(place, cap)
    elif cap >= 0:
        place = cap
    else:
        return NOT_RATED
    # Names can be told from cuts only where there are as many of both.
    names = after.bands if "name" in exchanged else before.bands
    return (names if len(names) == len(bands) else bands)[place].id


def _cap_among(side: _Side, bands: tuple[Band, ...]) -> int:
    """Place of a cap among the grades of either model."""
    if side.cap < 0 or len(side.bands) == len(bands):
        return side.cap
    order = [band.id for band in bands]
    own = side.bands[side.cap].id
    return order.index(own) if own in order else min(side.cap, len(bands) - 1)


def _place(total: int, bands: tuple[Band, ...]) -> int:
    return sum(total < band.at_least_centi for band in bands[:-1])
