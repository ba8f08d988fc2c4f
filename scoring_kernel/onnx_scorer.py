"""Scoring with a compiled model (ONNX): the same points without the catalogue.

Rules:
- A file is bounded, named, of one format and made of the plan's operations only, or it is
  refused; nothing outside the file is read.
- It scores on days it holds for, and inputs that have its columns, levels and types.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from scoring_kernel.errors import KernelInputError, ModelFileError
from scoring_kernel.onnx_graph import GROUP, IR_VERSION, NUMBERS, OPSET, OUTPUTS, PRESENT, VALUES
from scoring_kernel.onnx_metadata import ModelCard
from scoring_kernel.onnx_ops import NODES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from scoring_kernel.inputs import InputTable

MAX_BYTES: Final = 16 * 1024 * 1024
"""Largest file."""
MAX_NODES: Final = 200_000
"""Most nodes of a graph."""
BLOCK_ROWS: Final = 8_192
"""Subjects of one run: a row of the tensors stays in the processor's cache."""


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
        rows = {name: len(card.indicators) for name in OUTPUTS}
        rows |= dict.fromkeys(("total", "coverage", "grade", "earned"), 1)
        rows["overridden"] = len(card.overrides)
        # Column by column in memory: runs read and write rows of the tensors.
        results: dict[str, npt.NDArray[Any]] = {
            name: np.zeros((count, n), np.int32 if name in NUMBERS else np.bool_)
            for name, count in rows.items()
        }
        wanted = [name for name in OUTPUTS if rows[name]]
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
        n, m = len(inputs.subjects), len(at)
        values = np.empty((m, min(BLOCK_ROWS, n)), np.float64)
        present = np.empty((m, min(BLOCK_ROWS, n)), np.bool_)
        for start in range(0, n, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, n)
            if stop - start < values.shape[1]:
                values, present = (
                    values[:, : stop - start].copy(),
                    present[:, : stop - start].copy(),
                )
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
            each = [places[pair] for pair in zip(inputs.levels, inputs.types, strict=True)]
        except KeyError as error:
            raise KernelInputError(
                f"level and type {error}: compiled model {card.model} knows levels "
                f"{card.levels} and types {card.types}"
            ) from error
        return np.array(each, np.int64)


def verify_file(content: bytes) -> ModelCard:
    """Verify that a file is a compiled model and nothing else.

    Args:
        content: The file.

    Returns:
        What it says about itself.

    Raises:
        ModelFileError: Anything else.
    """
    if len(content) > MAX_BYTES:
        raise ModelFileError(f"compiled model: {len(content)} bytes, expected at most {MAX_BYTES}")
    try:
        model = onnx.load_model_from_string(content)
        if len(model.graph.node) > MAX_NODES:
            raise ModelFileError(
                f"compiled model: {len(model.graph.node)} nodes, expected at most {MAX_NODES}"
            )
        onnx.checker.check_model(model, full_check=True)
    except (
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise ModelFileError(
            "compiled model: not an ONNX file: compile the model again with `yixin model compile`"
        ) from error
    versions = [(one.domain, one.version) for one in model.opset_import]
    if model.ir_version != IR_VERSION or versions != [("", OPSET)] or model.functions:
        raise ModelFileError(
            f"compiled model: found IR {model.ir_version} and operators {versions}, expected "
            f"IR {IR_VERSION} and operators {OPSET} without functions"
        )
    strange = sorted({node.op_type for node in model.graph.node} - NODES)
    if strange or any(node.domain for node in model.graph.node):
        raise ModelFileError(
            f"compiled model: found operations {strange[:10]}, expected those of a plan only"
        )
    if any(one.data_location for one in model.graph.initializer):
        raise ModelFileError("compiled model: constants outside the file, expected none")
    card = ModelCard.from_texts({one.key: one.value for one in model.metadata_props})
    _verify_tensors(model, card)
    return card


def _verify_tensors(model: onnx.ModelProto, card: ModelCard) -> None:
    k, m = len(card.indicators), len(card.columns)
    expected = {
        VALUES: (onnx.TensorProto.DOUBLE, m),
        PRESENT: (onnx.TensorProto.BOOL, m),
        GROUP: (onnx.TensorProto.INT64, 1),
    }
    rows = dict.fromkeys(OUTPUTS, k) | dict.fromkeys(("total", "coverage", "grade", "earned"), 1)
    rows["overridden"] = len(card.overrides)
    expected |= {
        name: (onnx.TensorProto.DOUBLE if name in NUMBERS else onnx.TensorProto.BOOL, count)
        for name, count in rows.items()
        if count
    }
    found = {
        one.name: (one.type.tensor_type.elem_type, one.type.tensor_type.shape.dim[0].dim_value)
        for one in (*model.graph.input, *model.graph.output)
        if one.type.tensor_type.shape.dim
    }
    if found != expected:
        raise ModelFileError(
            f"compiled model {card.model}: found tensors {found}, expected {expected}: "
            "compile the model again with `yixin model compile`"
        )
