"""Shrinking (小样本收缩): few cases move a value towards the median of its peers.

Rules:
- ``n`` cases of ``least`` count ``n`` parts of a value's own and the rest of the median:
  ``(v * n + median * (least - n)) / least``, rounded half up to a millionth.
- From ``least`` cases on the value stays as it is and needs no median.
- Below, a value beyond ``MAX_SHRUNK`` is out of range, and without a median (or with one
  beyond it) there is nothing to move to: the indicator is provisional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from scoring_kernel.arithmetic import (
    all_of,
    by_group,
    flag_by_group,
    half_up,
    never,
    per_group,
    within,
)
from scoring_kernel.parameters import MICRO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.derivation import Column, Derived
    from scoring_kernel.ops import Ops

N = TypeVar("N")
F = TypeVar("F")

MAX_SHRUNK: Final = 1_000_000 * MICRO
"""Largest value or median that is moved, in size, millionths: 1,000 cases of it are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Generic[N, F]):
    """One indicator of some rows, ready for its shape.

    Attributes:
        value: Millionths of the indicator's unit; means nothing where not present.
        present: Where there is a value.
        beyond: Where the value would be out of range; not present there.
        lacking: Where a statistic to move it to is missing; not present there.
        shrunk: Where few cases moved it; present there.
    """

    value: N
    present: F
    beyond: F
    lacking: F
    shrunk: F


def unmoved(ops: Ops[N, F], derived: Derived[N, F]) -> Value[N, F]:
    """The value of an indicator that never shrinks."""
    none = never(ops)
    return Value(
        value=derived.value,
        present=derived.present,
        beyond=derived.beyond,
        lacking=none,
        shrunk=none,
    )


def shrink(
    ops: Ops[N, F],
    derived: Derived[N, F],
    *,
    sample: Column[N, F],
    least: int,
    medians: Sequence[int | None],
    group: N,
) -> Value[N, F]:
    """Move values with few cases towards the median of their peers.

    Args:
        ops: Backend.
        derived: The values.
        sample: Number of cases of each row; where it is not present, neither is the value.
        least: Cases from which on a value stays, at most 1,000.
        medians: Median of each peer group in millionths, None where there is none.
        group: Peer group of each row.
    """
    usable = [one if one is not None and abs(one) <= MAX_SHRUNK else None for one in medians]
    anyone = next((one for one in usable if one is not None), 0)
    median = by_group(ops, group, per_group([anyone if one is None else one for one in usable]))
    has_median = flag_by_group(ops, group, [one is not None for one in usable])

    cases = ops.clamp(sample[0], ops.number(0), ops.number(least))
    few = ops.above(ops.number(least), cases)
    most = ops.number(MAX_SHRUNK)
    small = within(ops, derived.value, MAX_SHRUNK)
    inside = ops.clamp(derived.value, ops.number(-MAX_SHRUNK), most)
    own = ops.mul(inside, cases)
    others = ops.mul(median, ops.sub(ops.number(least), cases))
    moved = half_up(ops, ops.add(own, others), least)

    present = ops.both(derived.present, sample[1])
    too_few = ops.both(present, few)
    stays = ops.both(present, ops.negate(few))
    movable = ops.both(too_few, small)
    shrunk = ops.both(movable, has_median)
    return Value(
        value=ops.where(few, moved, derived.value),
        present=ops.either(stays, shrunk),
        beyond=ops.either(derived.beyond, ops.both(too_few, ops.negate(small))),
        lacking=all_of(ops, (movable, ops.negate(has_median))),
        shrunk=shrunk,
    )
