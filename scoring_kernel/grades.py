"""Grades (信用等级): from total points to a band, and down to the cap of an override.

Rules:
- Points are exact hundredths; a subject exactly on a cut is in the upper grade.
- A subject whose coverage is below the model's least is not rated.
- An override that applies lowers a grade to its cap and never lifts one. It also holds
  for a subject that is not rated: missing data is no refuge from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.bands import Band, BandSet
    from scoring_kernel.measures import BoolVector
    from scoring_kernel.model import RatingModel
    from scoring_kernel.ops import Ops

N = TypeVar("N")
F = TypeVar("F")

_NO_CAP: Final = -1
"""Place, better than any, of a cap that does not apply."""


def places_of(
    ops: Ops[N, F],
    model: RatingModel,
    band_set: BandSet,
    *,
    total: N,
    coverage: N,
    overridden: Sequence[F],
) -> tuple[N, N]:
    """Grade totals in one band set of a model.

    Args:
        ops: Backend.
        model: The model.
        band_set: One of its band sets, m bands.
        total: Totals, hundredths of a point, never negative.
        coverage: Nominal weight of the indicators that are not missing, hundredths.
        overridden: Where each of the model's overrides applies.

    Returns:
        Places of the grade the points give and of the grade after overrides: 0 is the
        best band, m means not rated.

    Legal basis:
        None of its own: cuts, caps and their sources live in ``catalog/models/``.
    """
    none, one = ops.number(0), ops.number(1)
    place = none
    for band in band_set.bands[:-1]:
        reached = ops.at_least(total, ops.number(band.at_least_centi))
        place = ops.add(place, ops.where(reached, none, one))
    is_rated = ops.at_least(coverage, ops.number(model.min_coverage))
    earned = ops.where(is_rated, place, ops.number(len(band_set.bands)))
    order = [band.id for band in band_set.bands]
    cap = ops.number(_NO_CAP)
    for override, applies in zip(model.overrides, overridden, strict=True):
        own = ops.number(order.index(override.caps[band_set.id]))
        cap = ops.maximum(cap, ops.where(applies, own, ops.number(_NO_CAP)))
    capped = ops.maximum(cap, ops.where(is_rated, place, none))
    return earned, ops.where(ops.at_least(cap, none), capped, earned)


def names_of(bands: Sequence[Band], places: npt.NDArray[np.integer]) -> tuple[str, ...]:
    """Names of places among bands; the place behind the last is ``NOT_RATED``.

    Args:
        bands: Grades, best first.
        places: 0 to the number of bands, shape (n,).
    """
    names = np.array([*(band.id for band in bands), NOT_RATED], object)
    return tuple(names[places].tolist())


def grade_of(
    total_centi: npt.NDArray[np.integer],
    bands: Sequence[Band],
    rated: BoolVector | None = None,
) -> tuple[str, ...]:
    """Grade of each total.

    Args:
        total_centi: Totals, hundredths of a point, shape (n,), never negative.
        bands: Grades, best first, the last from 0.
        rated: Which subjects may be graded, shape (n,); None for all.

    Returns:
        Grade ids, ``NOT_RATED`` where ``rated`` is false.

    Legal basis:
        None of its own: cuts and their source live in ``catalog/models/``.
    """
    ascending = tuple(reversed(bands))
    cuts = np.array([band.at_least_centi for band in ascending], np.int64)
    names = np.array([*(band.id for band in ascending), NOT_RATED], object)
    place = np.searchsorted(cuts, total_centi, side="right") - 1
    if rated is not None:
        place = np.where(rated, place, len(ascending))
    return tuple(names[place].tolist())
