"""What the platform answered of each line: its answer's rows, put beside the lines they name.

An answer mostly has the lines of its request in their order; then nothing is looked up.
Of several rows that name one line the last counts; a line that none names has nulls.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.intake.node_columns import texts_of
from node.intake.nodes import CheckedNode

__all__ = ["AnsweredLines"]

_ABSENT = -1


class AnsweredLines:
    """Rows of an answer, in the order of the lines of its request."""

    def __init__(self, node: CheckedNode, answer: CheckedNode | None) -> None:
        """Compare lines by their number within each message.

        Args:
            node: Lines of the requests.
            answer: Lines of the responses; None where there are none.
        """
        self._node = node
        self._answer = answer

    def numbers(self, name: str) -> pa.Array:
        """Give a number of each line, int64, shape (n,)."""
        answer = self._answer
        if answer is None or name not in answer.numbers:
            return pa.nulls(self._node.size, pa.int64())
        values, present = answer.numbers[name], answer.present[name]
        at = self._places
        if at is None:
            return pa.array(values, mask=~present)
        return pa.array(values[at], mask=~present[at] | (at == _ABSENT))

    def texts(self, name: str) -> pa.Array:
        """Give a text of each line, string, shape (n,)."""
        answer = self._answer
        if answer is None:
            return pa.nulls(self._node.size, pa.string())
        found = texts_of(answer, name)
        at = self._places
        return found if at is None else found.take(pa.array(at, mask=at == _ABSENT))

    @cached_property
    def _places(self) -> npt.NDArray[np.int64] | None:
        """Row of the answer for each line, shape (n,); None where it is the line's own place."""
        node, answer = self._node, self._answer
        if answer is None:
            return np.full(node.size, _ABSENT)
        lines, answered = node.texts["feedetl_sn"], answer.texts["feedetl_sn"]
        if lines == answered and np.array_equal(node.owners, answer.owners):
            return None
        keys = zip(answer.owners.tolist(), answered, strict=True)
        held = {key: row for row, key in enumerate(keys)}
        wanted = zip(node.owners.tolist(), lines, strict=True)
        return np.array([held.get(key, _ABSENT) for key in wanted], np.int64)
