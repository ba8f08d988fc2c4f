"""Scoring with a compiled model (ONNX): the same points without the catalogue.

Rules:
- A file is bounded, named, of one format and made of the plan's operations only, or it is
  refused; nothing outside the file is read.
- It scores on days it holds for, and inputs that have its columns, levels and types.
- The graph runs as it was written: ONNX Runtime rewrites nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from scoring_kernel.errors import KernelInputError, ModelFileError
from scoring_kernel.onnx_files import verify_file
from scoring_kernel.onnx_graph import GROUP, NUMBERS, PRESENT, VALUES, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from scoring_kernel.inputs import InputTable
    from scoring_kernel.onnx_metadata import ModelCard

BLOCK_ROWS: Final = 16_384
"""Subjects of one run: enough that starting a node is cheap, few enough that two or three rows
of the tensors stay in the processor's cache; measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxScores:
    """Scores of n subjects over k indicators; meanings as of ``ScoreResult``.

    Attributes:
        subjects: Subject ids.
        points_centi: Points, hundredths, int32, shape (n, k).
        weights_centi: Weights after redistribution, hundredths, int32, shape (n, k).
        missing: Where the missing policy applied, shape (n, k).
        provisional: Where it applied because a peer statistic was missing, shape (n, k).
        out_of_range: Where it applied because the value was out of range, shape (n, k).
        shrunk: Where few cases moved the value, shape (n, k).
        overridden: Where each override of the model applied, shape (n, o).
        undetermined: Where each override could not be judged, shape (n, o).
        total_centi: Totals, hundredths, int32, shape (n,).
        coverage_centi: Nominal weight of the present indicators, int32, shape (n,).
        grades: Grade ids after overrides.
        earned_grades: Grade ids the points give.
    """

    subjects: tuple[str, ...] = field(repr=False)
    points_centi: npt.NDArray[np.int32] = field(repr=False)
    weights_centi: npt.NDArray[np.int32] = field(repr=False)
    missing: npt.NDArray[np.bool_] = field(repr=False)
    provisional: npt.NDArray[np.bool_] = field(repr=False)
    out_of_range: npt.NDArray[np.bool_] = field(repr=False)
    shrunk: npt.NDArray[np.bool_] = field(repr=False)
    overridden: npt.NDArray[np.bool_] = field(repr=False)
    undetermined: npt.NDArray[np.bool_] = field(repr=False)
    total_centi: npt.NDArray[np.int32] = field(repr=False)
    coverage_centi: npt.NDArray[np.int32] = field(repr=False)
    grades: tuple[str, ...] = field(repr=False)
    earned_grades: tuple[str, ...] = field(repr=False)


class OnnxScorer:
    """A compiled model, ready to score.

    Attributes:
        card: What the file says about itself.
    """

    def __init__(self, card: ModelCard, session: onnxruntime.InferenceSession) -> None:
        self.card: Final = card
        self._session: Final = session

    @classmethod
    def load(cls, content: bytes, *, threads: int = 1) -> OnnxScorer:
        """Open a compiled model.

        Args:
            content: The file, at most ``MAX_BYTES``.
            threads: Threads of one run, at least 1.

        Raises:
            ModelFileError: The file is too large, damaged, of another format, or holds
                anything but the operations of a plan.
        """
        card = verify_file(content)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return cls(
            card,
            onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]),
        )

    def score(self, inputs: InputTable, day: date) -> OnnxScores:
        """Score subjects.

        Args:
            inputs: Inputs of n subjects, at least the card's columns; n may be 0.
            day: Day of the score.

        Raises:
            KernelInputError: A column is missing, or a level or type is unknown.
            ModelFileError: The file does not hold on that day.
        """
        card = self.card
        if not card.holds_on(day):
            raise ModelFileError(
                f"compiled model {card.model}: holds from {card.effective_from or 'ever'} until "
                f"{card.effective_to or 'further notice'}, asked for {day.isoformat()}: "
                "compile the model for that day"
            )
        n = len(inputs.subjects)
        rows = rows_of(card)
        # Column by column in memory: runs read and write rows of the tensors.
        results: dict[str, npt.NDArray[Any]] = {
            name: np.zeros((count, n), np.int32 if name in NUMBERS else np.bool_)
            for name, count in rows.items()
        }
        wanted = [name for name, count in rows.items() if count]
        for start, feed in self._feeds(inputs):
            for name, block in zip(wanted, self._session.run(wanted, feed), strict=True):
                results[name][:, start : start + block.shape[1]] = block
        names = np.array(card.grades, object)
        return OnnxScores(
            subjects=inputs.subjects,
            points_centi=results["points"].T,
            weights_centi=results["weights"].T,
            missing=results["missing"].T,
            provisional=results["provisional"].T,
            out_of_range=results["out_of_range"].T,
            shrunk=results["shrunk"].T,
            overridden=results["overridden"].T,
            undetermined=results["undetermined"].T,
            total_centi=results["total"][0],
            coverage_centi=results["coverage"][0],
            grades=tuple(names[results["grade"][0]].tolist()),
            earned_grades=tuple(names[results["earned"][0]].tolist()),
        )

    def _feeds(self, inputs: InputTable) -> Iterator[tuple[int, dict[str, npt.NDArray[Any]]]]:
        """First row and tensors of each block."""
        card = self.card
        at = [inputs.position(column) for column in card.columns]
        group = self._groups(inputs)
        n = len(inputs.subjects)
        values = np.empty((len(at), min(BLOCK_ROWS, n)), np.float64)
        present = np.empty(values.shape, np.bool_)
        for start in range(0, n, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, n)
            if stop - start < values.shape[1]:
                values = np.empty((len(at), stop - start), np.float64)
                present = np.empty(values.shape, np.bool_)
            for row, column in enumerate(at):
                values[row] = inputs.values[start:stop, column]
                present[row] = inputs.present[start:stop, column]
            feed = {VALUES: values, PRESENT: present, GROUP: group[None, start:stop]}
            yield start, feed

    def _groups(self, inputs: InputTable) -> npt.NDArray[np.int64]:
        """Peer group of each subject, shape (n,)."""
        card = self.card
        places = {
            (level, kind): place
            for place, (level, kind) in enumerate(
                (level, kind) for level in card.levels for kind in card.types
            )
        }
        try:
            pairs = zip(inputs.levels, inputs.types, strict=True)
            return np.fromiter(map(places.__getitem__, pairs), np.int64, len(inputs.subjects))
        except KeyError as error:
            raise KernelInputError(
                f"level and type {error}: compiled model {card.model} knows levels "
                f"{card.levels} and types {card.types}"
            ) from error
