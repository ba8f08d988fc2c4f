"""Arithmetic of the numeric plan: one set of operations, carried out or written down.

The plan (``plan.py``) is written once against :class:`Ops`. ``NumpyOps`` carries every
operation out on a block of rows; the ONNX compiler writes the same operations down as a
graph. So both scorers do the same arithmetic in the same order.

Rules:
- Numbers are integers carried in float64, every intermediate below 2**53 in size. There
  addition, subtraction and multiplication are exact, and so is ``floor(a / b)``.
- No operation that rounds, casts or compares beyond that is offered, because ONNX Runtime
  and numpy disagree about several of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

EXACT: Final = 2**53
"""Integers below this size are exact in float64."""

FloatVector: TypeAlias = npt.NDArray[np.float64]
FlagVector: TypeAlias = npt.NDArray[np.bool_]

N = TypeVar("N")
"""A number per row (or one for all rows), as one backend holds it."""
F = TypeVar("F")
"""A flag per row (or one for all rows), as one backend holds it."""


class Ops(Protocol[N, F]):
    """The only operations a plan may use; all of them element by element."""

    def number(self, value: int) -> N:
        """One number for all rows."""

    def table(self, values: Sequence[int]) -> N:
        """A vector to gather from."""

    def flags(self, values: Sequence[bool]) -> F:
        """A vector of flags to gather from."""

    def add(self, a: N, b: N) -> N:
        """``a + b``."""

    def sub(self, a: N, b: N) -> N:
        """``a - b``."""

    def mul(self, a: N, b: N) -> N:
        """``a * b``."""

    def mul_add(self, a: N, b: N, c: N) -> N:
        """``a * b + c``."""

    def sub_mul(self, a: N, b: N, c: N) -> N:
        """``a - b * c``."""

    def floor_div(self, a: N, b: N) -> N:
        """``floor(a / b)``; b is positive."""

    def line(self, x: N, slope: N, offset: N, span: N) -> N:
        """``floor((x * slope + offset) / span)``; the span is positive."""

    def minimum(self, a: N, b: N) -> N:
        """Lesser of the two."""

    def maximum(self, a: N, b: N) -> N:
        """Greater of the two."""

    def clamp(self, value: N, low: N, high: N) -> N:
        """``value`` kept within ``low`` and ``high``."""

    def at_least(self, a: N, b: N) -> F:
        """``a >= b``."""

    def above(self, a: N, b: N) -> F:
        """``a > b``."""

    def both(self, a: F, b: F) -> F:
        """Whether both hold."""

    def either(self, a: F, b: F) -> F:
        """Whether one holds."""

    def negate(self, a: F) -> F:
        """Whether it does not hold."""

    def where(self, condition: F, a: N, b: N) -> N:
        """``a`` where the condition holds, else ``b``."""

    def gather(self, table: N, index: N) -> N:
        """``table[index]``; the index is a whole number per row."""

    def gather_flags(self, table: F, index: N) -> F:
        """``table[index]`` of a vector of flags."""


class NumpyOps:
    """Carries the operations out on numpy vectors of one block."""

    def number(self, value: int) -> FloatVector:
        """One number for all rows."""
        return np.asarray(value, np.float64)

    def table(self, values: Sequence[int]) -> FloatVector:
        """A vector to gather from."""
        return np.asarray(values, np.float64)

    def flags(self, values: Sequence[bool]) -> FlagVector:
        """A vector of flags to gather from."""
        return np.asarray(values, np.bool_)

    def add(self, a: FloatVector, b: FloatVector) -> FloatVector:
        """``a + b``."""
        return np.add(a, b)

    def sub(self, a: FloatVector, b: FloatVector) -> FloatVector:
        """``a - b``."""
        return np.subtract(a, b)

    def mul(self, a: FloatVector, b: FloatVector) -> FloatVector:
        """``a * b``."""
        return np.multiply(a, b)

    def mul_add(self, a: FloatVector, b: FloatVector, c: FloatVector) -> FloatVector:
        """``a * b + c``."""
        return _into(np.add, np.multiply(a, b), c)

    def sub_mul(self, a: FloatVector, b: FloatVector, c: FloatVector) -> FloatVector:
        """``a - b * c``."""
        product = np.multiply(b, c)
        return np.subtract(a, product, out=product if product.shape == a.shape else None)

    def floor_div(self, a: FloatVector, b: FloatVector) -> FloatVector:
        """``floor(a / b)``; b is positive."""
        quotient = np.divide(a, b)
        return np.floor(quotient, out=quotient if quotient.ndim else None)

    def line(
        self, x: FloatVector, slope: FloatVector, offset: FloatVector, span: FloatVector
    ) -> FloatVector:
        """``floor((x * slope + offset) / span)``; the span is positive."""
        found = _into(np.divide, _into(np.add, np.multiply(x, slope), offset), span)
        return np.floor(found, out=found if found.ndim else None)

    def minimum(self, a: FloatVector, b: FloatVector) -> FloatVector:
        """Lesser of the two."""
        return np.minimum(a, b)

    def maximum(self, a: FloatVector, b: FloatVector) -> FloatVector:
        """Greater of the two."""
        # One number for all rows: numpy clips faster than it compares with a number.
        return np.maximum(a, b) if b.ndim else np.clip(a, b, np.inf)

    def clamp(self, value: FloatVector, low: FloatVector, high: FloatVector) -> FloatVector:
        """``value`` kept within ``low`` and ``high``."""
        return np.clip(value, low, high)

    def at_least(self, a: FloatVector, b: FloatVector) -> FlagVector:
        """``a >= b``."""
        return np.greater_equal(a, b)

    def above(self, a: FloatVector, b: FloatVector) -> FlagVector:
        """``a > b``."""
        return np.greater(a, b)

    def both(self, a: FlagVector, b: FlagVector) -> FlagVector:
        """Whether both hold."""
        return np.logical_and(a, b)

    def either(self, a: FlagVector, b: FlagVector) -> FlagVector:
        """Whether one holds."""
        return np.logical_or(a, b)

    def negate(self, a: FlagVector) -> FlagVector:
        """Whether it does not hold."""
        return np.logical_not(a)

    def where(self, condition: FlagVector, a: FloatVector, b: FloatVector) -> FloatVector:
        """``a`` where the condition holds, else ``b``."""
        if a.ndim or b.ndim:
            return np.where(condition, a, b)
        # Two numbers for all rows: a flag becomes a number faster than it chooses one.
        found = condition.astype(np.float64)
        if a != 1 or b != 0:
            found = np.add(np.multiply(found, a - b), b)
        return found

    def gather(self, table: FloatVector, index: FloatVector) -> FloatVector:
        """``table[index]``; the index is a whole number per row."""
        return table.take(index.astype(np.intp, copy=False))

    def gather_flags(self, table: FlagVector, index: FloatVector) -> FlagVector:
        """``table[index]`` of a vector of flags."""
        return table.take(index.astype(np.intp, copy=False))


def _into(operation: np.ufunc, a: FloatVector, b: FloatVector) -> FloatVector:
    """``operation(a, b)``, written over ``a``, which nobody else reads, where it has room."""
    if a.ndim and a.ndim >= b.ndim:
        operation(a, b, out=a)
        return a
    found: FloatVector = operation(a, b)
    return found
