"""Running the pieces of a compiled model: what is put into them row by row, and what comes out.

Rules:
- A row is a vector of shape (b,), one number or flag a subject or a pattern.
- Pieces run as they were written: ONNX Runtime rewrites nothing.
- The presence of the first column, with which constant rows are written, is given as false
  where a piece has no columns: a constant is the same either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from scoring_kernel.onnx_graph import NUMBERS, VALUES
from scoring_kernel.onnx_pieces import KEPT, PEER, Piece, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scoring_kernel.inputs import InputTable


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """How every piece is run.

    Args:
        threads: Threads of one run, at least 1.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class PieceRun:
    """A piece, ready to run."""

    def __init__(self, piece: Piece, options: onnxruntime.SessionOptions) -> None:
        self._piece: Final = piece
        # Where all that is wanted is given, there is nothing to run.
        self._session: Final = (
            onnxruntime.InferenceSession(piece.content, options, providers=["CPUExecutionProvider"])
            if piece.made
            else None
        )

    def __call__(
        self, given: Callable[[str, int], npt.NDArray[Any]]
    ) -> Iterator[tuple[npt.NDArray[Any], tuple[Place, ...]]]:
        """Run it.

        Args:
            given: Row of an input, by its name and number.

        Yields:
            A row, and what it is; one row may be several things.
        """
        piece = self._piece
        feed = {tensor: given(*place)[None] for tensor, place in piece.inputs.items()}
        made = self._session.run(piece.made, feed) if self._session is not None else ()
        found = feed | dict(zip(piece.made, made, strict=True))
        for tensor, places in piece.outputs.items():
            yield found[tensor][0], places


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsGiven:
    """Columns of some rows of an input table.

    Attributes:
        inputs: The table.
        at: Where the columns of the model are in it.
        group: Peer group of each of its subjects.
        peers: What depends on the peer group alone, shape (groups,) each.
        rows: The rows.
    """

    inputs: InputTable
    at: Sequence[int]
    group: npt.NDArray[np.int64]
    peers: Sequence[npt.NDArray[Any]]
    rows: slice

    def __call__(self, name: str, row: int) -> npt.NDArray[Any]:
        """A column, its presence, or what belongs to the peer groups."""
        if name == PEER:
            return self.peers[row].take(self.group[self.rows])
        if name == VALUES:
            return self.inputs.values[self.rows, self.at[row]].astype(np.float64)
        return np.ascontiguousarray(self.inputs.present[self.rows, self.at[row]])


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsGiven:
    """Rows of results, some subjects or patterns of each.

    Attributes:
        of: Results by name, subjects or patterns next to each other, and which of them.
        count: Number of subjects or patterns.
    """

    of: Mapping[str, tuple[npt.NDArray[Any], slice | npt.NDArray[np.intp]]]
    count: int

    def __call__(self, name: str, row: int) -> npt.NDArray[Any]:
        """A row of numbers or flags."""
        if name == KEPT:
            return ~self("missing", row)
        if name not in self.of:
            return np.zeros(self.count, np.bool_)
        found, index = self.of[name]
        own: npt.NDArray[Any] = found[row]
        chosen = own[index] if isinstance(index, slice) else own.take(index)
        return np.ascontiguousarray(chosen, np.float64 if name in NUMBERS else np.bool_)
