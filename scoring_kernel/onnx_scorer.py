"""Scoring with a compiled model (ONNX): the same points without the catalogue.

Rules:
- A file is bounded, named, of one format and made of the plan's operations only, or it is
  refused; nothing outside the file is read.
- It scores on days it holds for, and inputs that have its columns, levels and types.
- The graph runs as it was written: ONNX Runtime rewrites nothing. It runs in pieces cut from
  it, so that weights are redistributed once per pattern of missing indicators, as numpy does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError, ModelFileError
from scoring_kernel.onnx_files import verify_file
from scoring_kernel.onnx_graph import NUMBERS, rows_of
from scoring_kernel.onnx_pieces import cut
from scoring_kernel.onnx_runs import ColumnsGiven, PieceRun, RowsGiven, session_options
from scoring_kernel.patterns import Patterns, find_patterns, moved_rows, weights_of_rows

if TYPE_CHECKING:
    from datetime import date

    from scoring_kernel.inputs import InputTable
    from scoring_kernel.onnx_metadata import ModelCard
    from scoring_kernel.onnx_pieces import Pieces

    Rows = dict[str, npt.NDArray[Any]]
    """Results by name, subjects or patterns next to each other."""

BLOCK_ROWS: Final = 65_536
"""Subjects of one run: enough that starting a node is cheap; measured."""


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

    def __init__(self, card: ModelCard, pieces: Pieces, threads: int) -> None:
        self.card: Final = card
        options = session_options(threads)
        groups = np.arange(len(card.levels) * len(card.types), dtype=np.int64)
        self._peers: Final = [row for row, _ in PieceRun(pieces.peers, options)(lambda *_: groups)]
        self._derive: Final = PieceRun(pieces.derive, options)
        self._redistribute: Final = PieceRun(pieces.redistribute, options)
        self._weigh: Final = [PieceRun(piece, options) for piece in pieces.weigh]
        self._grade: Final = PieceRun(pieces.grade, options)

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
        return cls(card, cut(content, card), threads)

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
        out: Rows = {
            name: np.zeros((count, n), np.int32 if name in NUMBERS else np.bool_)
            for name, count in rows_of(card).items()
            if name not in {"points", "weights"}
        }
        found = find_patterns(self._run_columns(inputs, out), len(card.indicators))
        by_pattern = self._run_patterns(found.gone)
        out["coverage"][0] = by_pattern["coverage"][0].take(found.place)
        # Points reached are points, but where a weight moves or a value is missing.
        out["points"] = out["reached"]
        self._run_weights(found, by_pattern["weights"], out["points"])
        self._run_totals(out)
        names = np.array(card.grades, object)
        return OnnxScores(
            subjects=inputs.subjects,
            points_centi=out["points"].T,
            weights_centi=weights_of_rows(by_pattern["weights"], found.place).T,
            missing=out["missing"].T,
            provisional=out["provisional"].T,
            out_of_range=out["out_of_range"].T,
            shrunk=out["shrunk"].T,
            overridden=out["overridden"].T,
            undetermined=out["undetermined"].T,
            total_centi=out["total"][0],
            coverage_centi=out["coverage"][0],
            grades=tuple(names[out["grade"][0]].tolist()),
            earned_grades=tuple(names[out["earned"][0]].tolist()),
        )

    def _run_columns(self, inputs: InputTable, out: Rows) -> npt.NDArray[np.uint64]:
        """Points reached and flags.

        Returns:
            Bits of the missing indicators of each subject, shape (n,).
        """
        at = [inputs.position(column) for column in self.card.columns]
        group = self._groups(inputs)
        gaps = np.zeros(len(group), np.uint64)
        for start in range(0, len(group), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(group)))
            given = ColumnsGiven(inputs=inputs, at=at, group=group, peers=self._peers, rows=rows)
            for row, places in self._derive(given):
                if row.dtype == np.bool_ and not np.count_nonzero(row):
                    continue  # It is false already.
                for name, place in places:
                    out[name][place, rows] = row
                word = sum(1 << place for name, place in places if name == "missing")
                if word:
                    gaps[rows][np.flatnonzero(row)] |= np.uint64(word)
        return gaps

    def _run_patterns(self, gone: npt.NDArray[np.bool_]) -> Rows:
        """Weights, shape (k, p), and coverage, shape (1, p), of p patterns."""
        count = gone.shape[1]
        out: Rows = {
            "weights": np.zeros(gone.shape, np.int32),
            "coverage": np.zeros((1, count), np.int32),
        }
        for start in range(0, count, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, count))
            given = RowsGiven(of={"missing": (gone, block)}, count=block.stop - start)
            for row, places in self._redistribute(given):
                for name, place in places:
                    out[name][place, block] = row
        return out

    def _run_weights(
        self,
        patterns: Patterns,
        weights: npt.NDArray[np.int32],
        points: npt.NDArray[np.int32],
    ) -> None:
        """Points where an indicator is missing or its weight moves."""
        moves = (weights != np.array([self.card.weights]).T) | patterns.gone
        for indicator, rows, pattern in moved_rows(patterns, moves):
            given = RowsGiven(
                of={
                    "reached": (points, rows),
                    "weights": (weights, pattern),
                    "missing": (patterns.gone, pattern),
                },
                count=len(rows),
            )
            for row, _ in self._weigh[indicator](given):
                points[indicator, rows] = row

    def _run_totals(self, out: Rows) -> None:
        """Totals and grades."""
        n = out["total"].shape[1]
        for start in range(0, n, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, n))
            given = RowsGiven(
                of={name: (out[name], block) for name in ("points", "coverage", "overridden")},
                count=block.stop - start,
            )
            for row, places in self._grade(given):
                for name, place in places:
                    out[name][place, block] = row

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
