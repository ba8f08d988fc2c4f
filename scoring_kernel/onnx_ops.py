"""Operations of the plan as ONNX nodes: what ``NumpyOps`` carries out, written down.

Rules:
- One operation of ``Ops`` becomes nodes of ``NODES`` and nothing else: no rounding, no cast, no
  absolute value, no integer arithmetic, where ONNX Runtime and numpy disagree.
- What depends on no row is worked out here, by ``NumpyOps``; equal constants and equal operations
  are written once. Neither changes a number, because every number is a whole one below 2**53.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from onnx import helper, numpy_helper

from scoring_kernel.errors import ModelFileError
from scoring_kernel.ops import NumpyOps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from onnx import NodeProto, TensorProto

    from scoring_kernel.ops import FlagVector, FloatVector

NODES: Final = frozenset(
    (
        "Add",
        "And",
        "Concat",
        "Div",
        "Floor",
        "Gather",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Max",
        "Min",
        "Mul",
        "Not",
        "Or",
        "ReduceSum",
        "Split",
        "Squeeze",
        "Sub",
        "Unsqueeze",
        "Where",
    )
)
"""Every kind of node a compiled model may hold; the last ones only lay tensors out."""

MAX_STEPS: Final = 6
"""Up to so many steps a table is chosen from by comparisons; a Gather costs as much as seven."""

_NUMPY: Final = NumpyOps()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberWire:
    """A number per row, or the same for all rows.

    Attributes:
        name: Name of the tensor; empty until a constant is used.
        known: The number or the table, where it depends on no row.
    """

    name: str
    known: FloatVector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagWire:
    """A flag per row, or the same for all rows; attributes as of ``NumberWire``."""

    name: str
    known: FlagVector | None = None


Wire = TypeVar("Wire", NumberWire, FlagWire)


class OnnxOps:
    """Writes operations down as nodes; implements ``Ops[NumberWire, FlagWire]``.

    Attributes:
        nodes: Nodes so far, each after those it reads.
        constants: Constants that a node reads.
    """

    def __init__(self, group: str) -> None:
        """Start an empty graph.

        Args:
            group: Name of the graph's input with the peer group of each row, int64 of shape (b,).
        """
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.group: Final = NumberWire(name=group)
        self._written: dict[tuple[object, ...], str] = {}
        self._negated: dict[str, FlagWire] = {}
        self._opposites: set[str] = set()

    def number(self, value: int) -> NumberWire:
        """One number for all rows."""
        return NumberWire(name="", known=_NUMPY.number(value))

    def table(self, values: Sequence[int]) -> NumberWire:
        """A vector to gather from."""
        return NumberWire(name="", known=_NUMPY.table(values))

    def flags(self, values: Sequence[bool]) -> FlagWire:
        """A vector of flags to gather from."""
        return FlagWire(name="", known=_NUMPY.flags(values))

    def add(self, a: NumberWire, b: NumberWire) -> NumberWire:
        """``a + b``."""
        if a.known is not None and b.known is not None:
            return NumberWire(name="", known=_NUMPY.add(a.known, b.known))
        if _is(a, 0):
            return b
        return a if _is(b, 0) else self._number("Add", a, b)

    def sub(self, a: NumberWire, b: NumberWire) -> NumberWire:
        """``a - b``."""
        if a.known is not None and b.known is not None:
            return NumberWire(name="", known=_NUMPY.sub(a.known, b.known))
        return a if _is(b, 0) else self._number("Sub", a, b)

    def mul(self, a: NumberWire, b: NumberWire) -> NumberWire:
        """``a * b``."""
        if a.known is not None and b.known is not None:
            return NumberWire(name="", known=_NUMPY.mul(a.known, b.known))
        if _is(a, 0) or _is(b, 0):
            return self.number(0)
        if _is(a, 1):
            return b
        return a if _is(b, 1) else self._number("Mul", a, b)

    def mul_add(self, a: NumberWire, b: NumberWire, c: NumberWire) -> NumberWire:
        """``a * b + c``."""
        return self.add(self.mul(a, b), c)

    def sub_mul(self, a: NumberWire, b: NumberWire, c: NumberWire) -> NumberWire:
        """``a - b * c``."""
        return self.sub(a, self.mul(b, c))

    def line(
        self, x: NumberWire, slope: NumberWire, offset: NumberWire, span: NumberWire
    ) -> NumberWire:
        """``floor((x * slope + offset) / span)``; the span is positive."""
        return self.floor_div(self.mul_add(x, slope, offset), span)

    def floor_div(self, a: NumberWire, b: NumberWire) -> NumberWire:
        """``floor(a / b)``; b is positive."""
        if a.known is not None and b.known is not None:
            return NumberWire(name="", known=_NUMPY.floor_div(a.known, b.known))
        return a if _is(b, 1) else self._number("Floor", self._number("Div", a, b))

    def minimum(self, a: NumberWire, b: NumberWire) -> NumberWire:
        """Lesser of the two."""
        if a.known is not None and b.known is not None:
            return NumberWire(name="", known=_NUMPY.minimum(a.known, b.known))
        return self._number("Min", a, b)

    def maximum(self, a: NumberWire, b: NumberWire) -> NumberWire:
        """Greater of the two."""
        if a.known is not None and b.known is not None:
            return NumberWire(name="", known=_NUMPY.maximum(a.known, b.known))
        return self._number("Max", a, b)

    def clamp(self, value: NumberWire, low: NumberWire, high: NumberWire) -> NumberWire:
        """``value`` kept within ``low`` and ``high``."""
        return self.minimum(self.maximum(value, low), high)

    def at_least(self, a: NumberWire, b: NumberWire) -> FlagWire:
        """``a >= b``."""
        if a.known is not None and b.known is not None:
            return FlagWire(name="", known=_NUMPY.at_least(a.known, b.known))
        return self._flag("GreaterOrEqual", a, b)

    def above(self, a: NumberWire, b: NumberWire) -> FlagWire:
        """``a > b``."""
        if a.known is not None and b.known is not None:
            return FlagWire(name="", known=_NUMPY.above(a.known, b.known))
        return self._flag("Greater", a, b)

    def both(self, a: FlagWire, b: FlagWire) -> FlagWire:
        """Whether both hold."""
        if a.known is not None and b.known is not None:
            return FlagWire(name="", known=_NUMPY.both(a.known, b.known))
        for one, other in ((a, b), (b, a)):
            if one.known is not None:
                return other if bool(one.known) else one
        return a if a.name == b.name else self._flag("And", a, b)

    def either(self, a: FlagWire, b: FlagWire) -> FlagWire:
        """Whether one holds."""
        if a.known is not None and b.known is not None:
            return FlagWire(name="", known=_NUMPY.either(a.known, b.known))
        for one, other in ((a, b), (b, a)):
            if one.known is not None:
                return one if bool(one.known) else other
        return a if a.name == b.name else self._flag("Or", a, b)

    def negate(self, a: FlagWire) -> FlagWire:
        """Whether it does not hold."""
        if a.known is not None:
            return FlagWire(name="", known=_NUMPY.negate(a.known))
        if a.name not in self._negated:
            opposite = self._flag("Not", a)
            self._negated[a.name] = opposite
            self._negated[opposite.name] = a
            self._opposites.add(opposite.name)
        return self._negated[a.name]

    def where(self, condition: FlagWire, a: NumberWire, b: NumberWire) -> NumberWire:
        """``a`` where the condition holds, else ``b``."""
        if condition.known is not None:
            return a if bool(condition.known) else b
        if self._same(a, b):
            return a
        if condition.name in self._opposites:
            # One way to write a choice, so that equal choices are written once.
            return self._number("Where", self._negated[condition.name], b, a)
        return self._number("Where", condition, a, b)

    def gather(self, table: NumberWire, index: NumberWire) -> NumberWire:
        """``table[index]``.

        Raises:
            ModelFileError: The table depends on the row, or the index is not the peer group.
        """
        values = self._table(table, index)
        chosen = NumberWire(name="", known=values[0])
        steps = np.flatnonzero(values[1:] != values[:-1]) + 1
        if len(steps) > MAX_STEPS:
            return self._number("Gather", table, index)
        for step in steps.tolist():
            beyond = self._beyond(index, step)
            chosen = self.where(beyond, NumberWire(name="", known=values[step]), chosen)
        return chosen

    def gather_flags(self, table: FlagWire, index: NumberWire) -> FlagWire:
        """``table[index]`` of a vector of flags.

        Raises:
            ModelFileError: The table depends on the row, or the index is not the peer group.
        """
        values = self._table(table, index)
        steps = np.flatnonzero(values[1:] != values[:-1]) + 1
        if len(steps) > MAX_STEPS:
            return self._flag("Gather", table, index)
        # The flag at 0, and at every step the other one.
        chosen = FlagWire(name="", known=values[0])
        for step in steps.tolist():
            beyond = self._beyond(index, step)
            chosen = (
                self.either(chosen, beyond)
                if values[step]
                else self.both(chosen, self.negate(beyond))
            )
        return chosen

    def every_row(self, number: NumberWire, like: FlagWire) -> NumberWire:
        """Give a number that is the same for all rows once a row.

        Args:
            number: The number; one that depends on the row is left as it is.
            like: A flag of each row.
        """
        return number if number.known is None else self._number("Where", like, number, number)

    def every_row_flag(self, flag: FlagWire, like: FlagWire) -> FlagWire:
        """As ``every_row``, for a flag."""
        if flag.known is None:
            return flag
        always = self._flag("Or", like, self.negate(like))
        return always if bool(flag.known) else self.negate(always)

    def write(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401  # As ONNX.
        """Write a node with one output down, once.

        Args:
            kind: Kind of the node, one of ``NODES``.
            inputs: Names of the tensors it reads.
            attributes: Its attributes.

        Returns:
            Name of its output.
        """
        key = (kind, *inputs, *sorted(attributes.items()))
        if key not in self._written:
            name = f"t{len(self.nodes)}"
            self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
            self._written[key] = name
        return self._written[key]

    def constant(self, values: npt.NDArray[Any]) -> str:
        """Name of a constant, written down once."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._written:
            name = f"c{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(np.asarray(values), name))
            self._written[key] = name
        return self._written[key]

    def named(self, wire: NumberWire | FlagWire) -> str:
        """Name of a wire's tensor; a known one becomes a constant."""
        return wire.name if wire.known is None else self.constant(wire.known)

    def _number(self, kind: str, *inputs: NumberWire | FlagWire) -> NumberWire:
        return NumberWire(name=self.write(kind, *map(self.named, inputs)))

    def _flag(self, kind: str, *inputs: NumberWire | FlagWire) -> FlagWire:
        return FlagWire(name=self.write(kind, *map(self.named, inputs)))

    def _beyond(self, group: NumberWire, step: int) -> FlagWire:
        least = self.constant(np.asarray(step, np.int64))
        return FlagWire(name=self.write("GreaterOrEqual", group.name, least))

    def _same(self, a: NumberWire, b: NumberWire) -> bool:
        if a.known is not None and b.known is not None:
            return a.known.ndim == b.known.ndim == 0 and a.known == b.known
        return a.known is b.known and a.name == b.name

    def _table(self, table: NumberWire | FlagWire, index: NumberWire) -> npt.NDArray[Any]:
        if table.known is None or table.known.ndim != 1 or index != self.group:
            raise ModelFileError(
                f"gather: found table {table.name!r} and index {index.name!r}, expected a table "
                f"that is known when the model is compiled and the index {self.group.name!r}"
            )
        return table.known


def _is(wire: NumberWire, value: int) -> bool:
    return wire.known is not None and wire.known.ndim == 0 and int(wire.known) == value
