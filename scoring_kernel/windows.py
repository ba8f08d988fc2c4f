"""Months of a rating period as input columns: the current window, its base and the one before.

The current window is the period's six months, the base window the same months of the year before
(同期), the prior window the half-year before. A measure of an institution is present in a window
only when every month of the window is stated: a ratio or a growth over half a window would be a
number about something else. Staff have no row in a month without work: one month states a window.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scoring_kernel.measure_sets import MeasureSet
from scoring_kernel.measures import MonthlyMeasures, fold_windows, refuse_negative
from scoring_kernel.periods import Period


def window_inputs(
    measure_set: MeasureSet,
    monthly: MonthlyMeasures,
    subjects: Sequence[str],
    period: Period,
) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """Fold a measure set's months into the columns a model reads.

    Args:
        measure_set: The set, with each measure's law of merging.
        monthly: Winning rows of all slots, any months, any subjects.
        subjects: Subjects of the result, in order.
        period: The rating period.

    Returns:
        For every measure three columns, ``<set>.<measure>@current``, ``@base`` and ``@prior``,
        each with the values, int64 of shape (n_subjects,), and where they are present, bool of the
        same shape.

    Raises:
        KernelInputError: A count is negative, or a sum leaves the range of the kernel.
    """
    for name in sorted(measure_set.never_negative & monthly.columns.keys()):
        refuse_negative(monthly, name)
    columns: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]] = {}
    names = ("current", "base", "prior")
    halves = (period, period.base(), period.prior())
    folds = fold_windows(
        monthly,
        measure_set.merges,
        subjects,
        [half.months for half in halves],
        any_month=measure_set.any_month,
    )
    for window, (folded, present) in zip(names, folds, strict=True):
        for measure, values in folded.items():
            columns[f"{measure_set.id}.{measure}@{window}"] = (values, present)
    return columns
