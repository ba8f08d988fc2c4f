"""Pieces are cut from the one graph of a file, hold nothing else, and run where they must."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import onnx
import pytest
from onnx import helper

from scoring_kernel.errors import ModelFileError
from scoring_kernel.onnx_files import verify_file
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.onnx_pieces import KEPT, PEER, Piece, cut
from scoring_kernel.onnx_runs import PieceRun
from scoring_kernel.onnx_scorer import OnnxScorer
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from tests.support.kernel_models import tiny_model
from tests.support.onnx_models import DAY, made_up_table

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL: Final = tiny_model()
REFERENCE: Final = build_reference(MODEL, made_up_table(MODEL, 9, 500), DAY)
CONTENT: Final = compile_model(MODEL, REFERENCE, DAY)
CARD: Final = verify_file(CONTENT)


def graph_of(content: bytes) -> onnx.GraphProto:
    return onnx.load_model_from_string(content).graph


def all_pieces() -> list[Piece]:
    found = cut(CONTENT, CARD)
    return [found.peers, found.derive, found.redistribute, *found.weigh, found.grade]


def test_pieces_hold_nodes_and_constants_of_the_graph_and_no_other() -> None:
    whole = graph_of(CONTENT)
    nodes = {node.SerializeToString(deterministic=True) for node in whole.node}
    constants = {one.SerializeToString(deterministic=True) for one in whole.initializer}
    covered: set[bytes] = set()
    for piece in all_pieces():
        graph = graph_of(piece.content)
        own = {node.SerializeToString(deterministic=True) for node in graph.node}
        assert own <= nodes
        covered |= own
        assert {one.SerializeToString(deterministic=True) for one in graph.initializer} <= constants
        assert [one.name for one in graph.output] == list(piece.made)
        assert {one.name for one in graph.input} == set(piece.inputs)
    layout = {
        node.SerializeToString(deterministic=True)
        for node in whole.node
        if node.op_type in {"Split", "Concat"}
    }
    # What leads to points at nominal weights is in no piece's way: nothing else is left out.
    assert nodes - covered == layout


def test_each_piece_reads_what_it_is_for() -> None:
    found = cut(CONTENT, CARD)
    names = [{name for name, _ in piece.inputs.values()} for piece in all_pieces()]
    assert names[0] <= {"group"}
    assert names[1] <= {PEER, "values", "present"}
    assert names[2] <= {"missing", KEPT, "present"}
    for indicator, piece in enumerate(found.weigh):
        read = {place for place in piece.inputs.values() if place[0] in {"reached", "weights"}}
        assert read <= {("reached", indicator), ("weights", indicator)}
        assert piece.outputs
    assert names[-1] <= {"points", "coverage", "overridden", "present"}


def test_weights_are_worked_out_once_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = made_up_table(MODEL, 3, 5_000)
    expected = score(MODEL, inputs, REFERENCE, DAY)
    patterns = len({row.tobytes() for row in expected.missing})
    scorer = OnnxScorer.load(CONTENT)
    piece = cut(CONTENT, CARD).redistribute.content
    sizes: list[int] = []
    run = PieceRun.__call__

    def counted(self: PieceRun, given: Callable[[str, int], Any]) -> Any:  # noqa: ANN401
        if self._piece.content == piece:
            sizes.append(len(given("present", 0)))
        return run(self, given)

    monkeypatch.setattr(PieceRun, "__call__", counted)
    found = scorer.score(inputs, DAY)
    assert found.points_centi.tolist() == expected.points_centi.tolist()
    assert sum(sizes) <= patterns + 1 < 500


def joined_otherwise(graph: onnx.GraphProto) -> None:
    node = next(node for node in graph.node if node.output[0] == "weights")
    node.output[0] = "other"
    graph.node.append(helper.make_node("Identity", ["other"], ["weights"]))


def joined_from_fewer(graph: onnx.GraphProto) -> None:
    node = next(node for node in graph.node if node.output[0] == "points")
    del node.input[1:]
    node.input[0] = "weights"


def weights_of_a_column(graph: onnx.GraphProto) -> None:
    node = next(node for node in graph.node if node.output[0] == "weights")
    column = next(node for node in graph.node if node.op_type == "Split").output[0]
    node.input[0] = column


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (joined_otherwise, "output weights is not put together from"),
        (joined_from_fewer, "output points is not put together from"),
        (weights_of_a_column, "depend on"),
    ],
)
def test_a_graph_that_cannot_be_cut_is_refused(
    change: Callable[[onnx.GraphProto], None], said: str
) -> None:
    model = onnx.load_model_from_string(CONTENT)
    change(model.graph)
    with pytest.raises(ModelFileError, match=said):
        cut(model.SerializeToString(), CARD)


def test_a_model_whose_indicators_are_always_missing_needs_no_node_for_some_rows() -> None:
    # Without a reference, a model of peer thresholds alone has nothing to work out.
    lone = next(one for one in MODEL.indicators if one.statistics)
    weight = lone.weight_centi
    outer, inner = (
        replace(group, weight_centi=weight)
        for group in MODEL.groups
        if group.id in {lone.level1.id, lone.level2.id}
    )
    model = replace(
        MODEL,
        groups=(outer, inner),
        indicators=(replace(lone, level1=outer, level2=inner),),
        total_centi=weight,
        min_coverage=0,
    )
    inputs = made_up_table(model, 5, 50)
    found = OnnxScorer.load(compile_model(model, None, DAY)).score(inputs, DAY)
    expected = score(model, inputs, None, DAY)
    assert found.missing.all()
    assert found.points_centi.tolist() == expected.points_centi.tolist()
    assert found.weights_centi.tolist() == expected.weights_centi.tolist()
    assert found.grades == expected.grades
