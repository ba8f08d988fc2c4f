"""Grades (信用等级): from total points to a band.

Rules:
- Points are exact hundredths; a subject exactly on a cut is in the upper grade.
- A subject whose coverage is below the model's least gets no grade at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.measures import BoolVector
    from scoring_kernel.model import Band


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
