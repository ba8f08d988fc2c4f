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

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from scoring_kernel.arithmetic import any_of, total_of
from scoring_kernel.ops import NumpyOps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scoring_kernel.model import RatingModel
    from scoring_kernel.ops import Ops

N = TypeVar("N")
F = TypeVar("F")


def redistribute(ops: Ops[N, F], model: RatingModel, excluded: Sequence[F]) -> list[N]:
    """Weights after redistribution.

    Args:
        ops: Backend.
        model: The model, k indicators.
        excluded: Where each indicator hands its weight on, k of them.

    Returns:
        Weights in hundredths, k of them; they add up to the model's total, or to 0
        where every indicator is excluded.

    Legal basis:
        None of its own: the weights and their source live in ``catalog/models/``.
    """
    kept = [ops.negate(flag) for flag in excluded]
    outer = [group for group in model.groups if group.parent is None]
    inner = [[group for group in model.groups if group.parent == top.id] for top in outer]
    members = {
        group.id: [at for at, one in enumerate(model.indicators) if one.level2.id == group.id]
        for groups in inner
        for group in groups
    }
    alive = {name: any_of(ops, [kept[at] for at in places]) for name, places in members.items()}
    outer_alive = [any_of(ops, [alive[group.id] for group in groups]) for groups in inner]

    found: list[N] = [ops.number(0)] * len(kept)
    whole = ops.where(any_of(ops, outer_alive), ops.number(model.total_centi), ops.number(0))
    shares = _divide(ops, whole, [top.weight_centi for top in outer], outer_alive)
    for share, groups in zip(shares, inner, strict=True):
        parts = _divide(
            ops,
            share,
            [group.weight_centi for group in groups],
            [alive[group.id] for group in groups],
        )
        for part, group in zip(parts, groups, strict=True):
            places = members[group.id]
            weights = [model.indicators[at].weight_centi for at in places]
            last = _divide(ops, part, weights, [kept[at] for at in places])
            for at, weight in zip(places, last, strict=True):
                found[at] = weight
    return found


def effective_weights(model: RatingModel, excluded: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Weights after redistribution, for some patterns of missing indicators.

    Args:
        model: The model, k indicators.
        excluded: Patterns, shape (k, p); true where the indicator hands its weight on.

    Returns:
        Weights in hundredths, int32, shape (k, p).
    """
    weights = np.zeros(excluded.shape, np.int32)
    for place, weight in enumerate(redistribute(NumpyOps(), model, list(excluded))):
        weights[place] = weight
    return weights


def apportion(ops: Ops[N, F], total: N, weights: Sequence[N]) -> list[N]:
    """Divide a whole number in proportion to weights, by largest remainder.

    Args:
        ops: Backend.
        total: What to divide, 0 to ten million; 0 where all weights are 0.
        weights: Weights, together at most ten million; 0 for members that take no part.

    Returns:
        Shares that add up to the total; ties go to the earlier member.
    """
    if len(weights) == 1:
        return [total]
    divisor = ops.maximum(total_of(ops, weights), ops.number(1))
    if len(weights) == 2:
        # The larger of two remainders is at least half: the first is rounded half up.
        product = ops.mul(total, weights[0])
        twice = ops.add(ops.add(product, product), divisor)
        first = ops.floor_div(twice, ops.add(divisor, divisor))
        return [first, ops.sub(total, first)]
    number = len(weights)
    shares: list[N] = []
    keys: list[N] = []
    for place, weight in enumerate(weights):
        product = ops.mul(total, weight)
        share = ops.floor_div(product, divisor)
        rest = ops.sub(product, ops.mul(share, divisor))
        shares.append(share)
        # Larger remainders first, ties to the earlier: all keys differ.
        keys.append(ops.add(ops.mul(rest, ops.number(number)), ops.number(number - 1 - place)))
    left = ops.sub(total, total_of(ops, shares))
    one, none = ops.number(1), ops.number(0)
    ranks = [ops.number(number - 1 - place) for place in range(number)]
    for place in range(number):
        for other in range(place + 1, number):
            ahead = ops.above(keys[place], keys[other])
            step = ops.where(ahead, one, none)
            ranks[other] = ops.add(ranks[other], step)
            ranks[place] = ops.sub(ranks[place], step)
    return [
        ops.add(share, ops.where(ops.above(left, rank), one, none))
        for share, rank in zip(shares, ranks, strict=True)
    ]


def _divide(ops: Ops[N, F], total: N, weights: Sequence[int], alive: Sequence[F]) -> list[N]:
    none = ops.number(0)
    return apportion(
        ops,
        total,
        [
            ops.where(live, ops.number(weight), none)
            for weight, live in zip(weights, alive, strict=True)
        ],
    )
