"""Overrides that a run could not judge (无法判断的等级限制), and what was not imported for them.

Rules: that nothing is known of an event does not mean that there was none, so a run counts the
subjects for whom an override could not be judged, and names the items that are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hub.grading.inputs import is_item_column
from hub.grading.report import NotImported
from hub.store.item_imports import covered_periods

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period
    from scoring_kernel.scoring import ScoreResult


def count_undetermined(scores: ScoreResult) -> int:
    """Number of subjects for whom at least one override cannot be judged."""
    return int(np.count_nonzero(scores.undetermined.any(axis=1)))


def find_not_imported(
    connection: Connection, catalog: Catalog, period: Period, scores: ScoreResult
) -> tuple[NotImported, ...]:
    """Find the items for want of which overrides could not be judged.

    An item that was imported, but states nothing about one subject, is not among them.

    Args:
        connection: A transaction.
        catalog: Names the items.
        period: The rating period.
        scores: Scores of the run.

    Returns:
        Items that were not imported for the period, by number.
    """
    return tuple(
        NotImported(item=number, name_zh=catalog.items[number].name_zh)
        for number in sorted(_wanting(scores))
        if period.name not in covered_periods(connection, number)
    )


def _wanting(scores: ScoreResult) -> set[str]:
    """Numbers of the items that left an override without a judgement."""
    inputs = scores.inputs
    found: set[str] = set()
    for override, unknown in zip(scores.model.overrides, scores.undetermined.T, strict=True):
        for column in override.columns:
            gone = ~inputs.present[:, inputs.position(column)]
            if is_item_column(column) and bool((gone & unknown).any()):
                found.add(column.split(".")[1])
    return found
