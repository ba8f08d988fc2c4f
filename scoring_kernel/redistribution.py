"""Missing data: who carries the weight of an indicator that has no value.

Rules, in order:
    1. A wholly missing group of level 1 hands its weight to the other groups of level 1.
    2. Inside level 1, a wholly missing group of level 2 hands its weight to the others.
    3. Inside level 2, a missing indicator hands its weight to the others.
- Each step divides in proportion to nominal weights, in whole hundredths of a point
  by largest remainder (ties to the earlier one), so the total never changes.
- With nothing left, no weight is given to anybody: such a subject is not rated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scoring_kernel.measures import IntVector
    from scoring_kernel.model import RatingModel


def effective_weights(model: RatingModel, excluded: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Weights after redistribution, for some patterns of missing indicators.

    Args:
        model: The model, k indicators.
        excluded: Patterns, shape (p, k); true where the indicator hands its weight on.

    Returns:
        Weights in hundredths, shape (p, k); each row adds up to the model's total,
        or to 0 where the pattern excludes every indicator.

    Legal basis:
        None of its own: the weights and their source live in ``catalog/models/``.
    """
    patterns = len(excluded)
    nominal = np.array([one.weight_centi for one in model.indicators], np.int64)
    kept = np.where(excluded, 0, nominal)
    result = np.zeros((patterns, len(nominal)), np.int64)
    outer = [group for group in model.groups if group.parent is None]
    inner = {top.id: [group for group in model.groups if group.parent == top.id] for top in outer}
    members = {
        group.id: [at for at, one in enumerate(model.indicators) if one.level2.id == group.id]
        for groups in inner.values()
        for group in groups
    }
    alive = {name: kept[:, at].any(axis=1) for name, at in members.items()}

    outer_alive = [np.any([alive[group.id] for group in inner[top.id]], axis=0) for top in outer]
    outer_nominal = np.column_stack(
        [np.where(live, top.weight_centi, 0) for top, live in zip(outer, outer_alive, strict=True)]
    )
    outer_share = apportion(np.full(patterns, model.total_centi, np.int64), outer_nominal)
    for place, top in enumerate(outer):
        groups = inner[top.id]
        inner_nominal = np.column_stack(
            [np.where(alive[group.id], group.weight_centi, 0) for group in groups]
        )
        inner_share = apportion(outer_share[:, place], inner_nominal)
        for column, group in enumerate(groups):
            at = members[group.id]
            result[:, at] = apportion(inner_share[:, column], kept[:, at])
    return result


def apportion(total: IntVector, nominal: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Divide whole numbers in proportion to weights, by largest remainder.

    Args:
        total: What to divide, shape (p,), 0 to 100,000.
        nominal: Weights, shape (p, m), 0 for members that take no part.

    Returns:
        Shares, shape (p, m), each row adding up to its total; 0 where no weight is.

    >>> apportion(np.array([10]), np.array([[1, 1, 1, 0]])).tolist()
    [[4, 3, 3, 0]]
    """
    sums = nominal.sum(axis=1, keepdims=True)
    divisor = np.maximum(sums, 1)
    shares, remainders = np.divmod(total[:, None] * nominal, divisor)
    left = np.where(sums[:, 0] > 0, total - shares.sum(axis=1), 0)
    order = np.argsort(-remainders, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(nominal.shape[1])[None, :], axis=1)
    return shares + (rank < left[:, None])
