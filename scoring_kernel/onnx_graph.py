"""A rating model as an ONNX graph: the plan of one day, written down and sealed by digests.

Rules:
- The graph is what ``ScoringPlan.evaluate`` writes through ``OnnxOps``: the same operations in
  the same order as the numpy scorer, float64 only, so points agree to the last hundredth.
- Columns and indicators are rows of the tensors, subjects are next to each other, so every
  operation runs over memory that lies together.
- The graph is complete: any runtime may run it whole. Every output is put together from a row
  per indicator, so that it can also be run in pieces (``onnx_pieces.py``).
- Inputs: ``values`` float64 and ``present`` bool, both of shape (m, b); ``group`` int64 of shape
  (1, b), the peer group of each subject. Outputs: see ``OUTPUTS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onnx import TensorProto, checker, helper

from scoring_kernel.onnx_metadata import ModelCard
from scoring_kernel.onnx_ops import FlagWire, NumberWire, OnnxOps
from scoring_kernel.plan import ScoringPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from onnx import GraphProto, NodeProto

    from scoring_kernel.model import RatingModel
    from scoring_kernel.reference import Reference

OPSET: Final = 21
"""Version of the operator set."""
IR_VERSION: Final = 10
"""Version of the file format."""
VALUES: Final = "values"
PRESENT: Final = "present"
GROUP: Final = "group"

NUMBERS: Final = ("reached", "points", "weights", "total", "coverage", "grade", "earned")
"""Outputs of float64: reached, points and weights (k, b), hundredths; the others (1, b).

``reached`` is what values earn at nominal weights, without meaning where missing. ``total`` and
``coverage`` are hundredths, ``grade`` and ``earned`` places in the card's grades.
"""
FLAGS: Final = ("missing", "provisional", "out_of_range", "shrunk", "overridden", "undetermined")
"""Outputs of bool: (k, b), the last two (o, b) and left out where the model has no override."""
OUTPUTS: Final = (*NUMBERS, *FLAGS)


def rows_of(card: ModelCard) -> dict[str, int]:
    """Rows of every output: one an indicator, one an override, or one."""
    k, o = len(card.indicators), len(card.overrides)
    by_indicator = ("reached", "points", "weights", "missing", "provisional", "out_of_range")
    by_override = ("overridden", "undetermined")
    return {
        name: k if name in (*by_indicator, "shrunk") else o if name in by_override else 1
        for name in OUTPUTS
    }


def compile_model(model: RatingModel, reference: Reference | None, day: date) -> bytes:
    """Compile a model to an ONNX file.

    Args:
        model: The model, not a draft.
        reference: Peer reference of the same model, built into the file; None for none.
        day: Day for which parameters are read. The file holds for as long as none changes.

    Returns:
        The file: the same model, reference and days give the same bytes.

    Raises:
        DraftModelError: The model is a draft.
        KernelInputError: The reference is another model's.
        ParameterNotInForceError: A parameter has no value on that day.
    """
    plan = ScoringPlan.of(model, reference, day)
    ops = OnnxOps(GROUP)
    columns = _columns(ops, model.input_columns)
    like = FlagWire(name=columns[model.input_columns[0]][1].name)
    found = plan.evaluate(ops, columns, ops.group)
    numbers: dict[str, Sequence[NumberWire]] = {
        "reached": found.rated.reached,
        "points": found.finished.points,
        "weights": found.weights,
        "total": [found.finished.total],
        "coverage": [found.finished.coverage],
        "grade": [found.finished.grade],
        "earned": [found.finished.earned],
    }
    flags: dict[str, Sequence[FlagWire]] = {
        "missing": found.rated.missing,
        "provisional": found.rated.lacking,
        "out_of_range": [value.beyond for value in found.values],
        "shrunk": [
            ops.both(value.shrunk, ops.negate(missing))
            for value, missing in zip(found.values, found.rated.missing, strict=True)
        ],
        "overridden": found.overridden,
        "undetermined": found.undetermined,
    }
    names = {
        name: [ops.named(ops.every_row(wire, like)) for wire in wires]
        for name, wires in numbers.items()
    } | {
        name: [ops.named(ops.every_row_flag(wire, like)) for wire in wires]
        for name, wires in flags.items()
        if wires
    }
    graph = _graph(ops, names, model.id, len(columns))
    card = ModelCard.of(model, reference, day)
    made = helper.make_model(
        graph,
        producer_name="yixin",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    texts = card.to_texts(graph.SerializeToString(deterministic=True))
    helper.set_model_props(made, texts)
    checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)


def _columns(ops: OnnxOps, columns: Sequence[str]) -> Mapping[str, tuple[NumberWire, FlagWire]]:
    """Cut the inputs into one row of shape (1, b) per column."""
    wires: dict[str, tuple[NumberWire, FlagWire]] = {}
    if len(columns) == 1:
        return {columns[0]: (NumberWire(name=VALUES), FlagWire(name=PRESENT))}
    for kind in (VALUES, PRESENT):
        ops.nodes.append(
            helper.make_node(
                "Split",
                [kind],
                [f"{kind}_{place}" for place in range(len(columns))],
                axis=0,
                num_outputs=len(columns),
            )
        )
    for place, column in enumerate(columns):
        wires[column] = (
            NumberWire(name=f"{VALUES}_{place}"),
            FlagWire(name=f"{PRESENT}_{place}"),
        )
    return wires


def _graph(ops: OnnxOps, names: Mapping[str, Sequence[str]], name: str, columns: int) -> GraphProto:
    """Graph of the nodes that some output needs.

    Args:
        ops: Nodes and constants.
        names: Tensors of every output, one a row.
        name: Name of the graph.
        columns: Number of input columns.
    """
    nodes = [
        *ops.nodes,
        *(
            helper.make_node("Concat", list(rows), [output], axis=0)
            for output, rows in names.items()
        ),
    ]
    used = _used(nodes, set(names))
    read = {tensor for node in used for tensor in node.input}
    return helper.make_graph(
        used,
        name,
        [
            helper.make_tensor_value_info(VALUES, TensorProto.DOUBLE, [columns, "b"]),
            helper.make_tensor_value_info(PRESENT, TensorProto.BOOL, [columns, "b"]),
            helper.make_tensor_value_info(GROUP, TensorProto.INT64, [1, "b"]),
        ],
        [
            helper.make_tensor_value_info(
                output,
                TensorProto.DOUBLE if output in NUMBERS else TensorProto.BOOL,
                [len(rows), "b"],
            )
            for output, rows in names.items()
        ],
        [one for one in ops.constants if one.name in read],
    )


def _used(nodes: Sequence[NodeProto], wanted: set[str]) -> list[NodeProto]:
    """Nodes that some output needs, in their order."""
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
