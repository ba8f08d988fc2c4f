"""Months of a rating period as input columns: the current window and its base.

The current window is the period's six months, the base window the same months of the year before
(同期). A measure is present in a window only when every month of the window is stated: a ratio or
a growth over half a window would be a number about something else.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scoring_kernel.measure_sets import MeasureSet
from scoring_kernel.measures import MonthlyMeasures, fold
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
        For every measure two columns, ``<set>.<measure>@current`` and ``@base``, each with the
        values, int64 of shape (n_subjects,), and where they are present, bool of the same shape.
    """
    merges = {measure.id: measure.merge for measure in measure_set.measures}
    columns: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]] = {}
    for window, months in (("current", period.months), ("base", period.base().months)):
        folded, present = fold(monthly, merges, subjects, months)
        for measure, values in folded.items():
            columns[f"{measure_set.id}.{measure}@{window}"] = (values, present)
    return columns
