"""A compiled model holds the plan's operations in float64, and says what it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
import pytest

from scoring_kernel import load_catalog
from scoring_kernel.errors import (
    DraftModelError,
    KernelInputError,
    ModelNotInForceError,
    ParameterNotInForceError,
)
from scoring_kernel.formulas import Scaled
from scoring_kernel.indicators import Status
from scoring_kernel.onnx_graph import IR_VERSION, OPSET, compile_model, rows_of
from scoring_kernel.onnx_metadata import ModelCard, unchanged_days
from scoring_kernel.onnx_scorer import OnnxScorer
from scoring_kernel.parameters import MICRO
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from scoring_kernel.shapes import LinearShape, Threshold
from tests.support.kernel_models import Subject, small_model, table, tiny_model
from tests.support.onnx_models import DAY, made_up_model, made_up_table

if TYPE_CHECKING:
    from scoring_kernel.model import RatingModel

CATALOGUE: Final = load_catalog().models
ARITHMETIC: Final = {
    *("Add", "Sub", "Mul", "Div", "Floor", "Min", "Max", "Where", "Greater", "GreaterOrEqual"),
    *("And", "Or", "Not", "Gather"),
}
LAYOUT: Final = {"Split", "Concat"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_graph_holds_nothing_but_operations_of_the_plan_in_float64(name: str) -> None:
    model = CATALOGUE[name]
    reference = build_reference(model, made_up_table(model, 1, 300), DAY)
    file = onnx.load_model_from_string(compile_model(model, reference, DAY))
    assert [(one.domain, one.version) for one in file.opset_import] == [("", OPSET)]
    assert file.ir_version == IR_VERSION
    assert {node.op_type for node in file.graph.node} <= ARITHMETIC | LAYOUT
    typed = onnx.shape_inference.infer_shapes(file, strict_mode=True).graph
    kinds = onnx.TensorProto
    numbers = {
        one.name: one.type.tensor_type.elem_type
        for one in (*typed.input, *typed.value_info, *typed.output)
    } | {one.name: one.data_type for one in typed.initializer}
    assert set(numbers.values()) <= {kinds.DOUBLE, kinds.BOOL, kinds.INT64}
    # Whole numbers of another kind are peer groups and nothing else: never calculated with.
    groups = {tensor for tensor, kind in numbers.items() if kind == kinds.INT64}
    for node in file.graph.node:
        assert not groups.intersection(node.output)
        if groups.intersection(node.input):
            assert node.op_type in {"Gather", "GreaterOrEqual"}
    for one in file.graph.initializer:
        values = onnx.numpy_helper.to_array(one)
        assert np.array_equal(values, np.floor(values.astype(np.float64)))
        assert np.abs(values.astype(np.float64)).max() < 2**53


def test_every_division_is_followed_by_a_floor() -> None:
    graph = onnx.load_model_from_string(compile_model(small_model(), None, DAY)).graph
    readers = {
        tensor: {node.op_type for node in graph.node if tensor in node.input}
        for division in graph.node
        if division.op_type == "Div"
        for tensor in division.output
    }
    assert readers
    assert all(kinds == {"Floor"} for kinds in readers.values())


def test_nothing_is_written_twice_and_nothing_in_vain() -> None:
    graph = onnx.load_model_from_string(compile_model(small_model(), None, DAY)).graph
    operations = [(node.op_type, *node.input) for node in graph.node if node.op_type not in LAYOUT]
    assert len(set(operations)) == len(operations)
    read = {tensor for node in graph.node for tensor in node.input}
    outputs = {one.name for one in graph.output}
    assert all(set(node.output) & (read | outputs) for node in graph.node)
    assert all(one.name in read for one in graph.initializer)


def test_the_same_model_gives_the_same_bytes() -> None:
    model = tiny_model()
    reference = build_reference(model, made_up_table(model, 3, 200), DAY)
    first = compile_model(model, reference, DAY)
    assert compile_model(model, reference, DAY) == first
    assert compile_model(model, None, DAY) != first


def test_the_card_names_what_was_compiled() -> None:
    model = small_model()
    reference = build_reference(model, made_up_table(model, 3, 200), DAY)
    card = OnnxScorer.load(compile_model(model, reference, DAY)).card
    assert card.model == model.id
    assert card.basis == "proposal"
    assert bytes.fromhex(card.model_digest) == model.digest
    assert bytes.fromhex(card.reference_digest) == reference.digest
    assert card.columns == model.input_columns
    assert card.grades == ("high", "middle", "low", "not_rated")
    assert rows_of(card)["points"] == len(model.indicators)
    assert OnnxScorer.load(compile_model(model, None, DAY)).card.reference_digest == ""


def test_a_file_holds_between_two_changes_of_a_parameter() -> None:
    model = small_model()
    card = OnnxScorer.load(compile_model(model, None, DAY)).card
    assert (card.effective_from, card.effective_to) == ("2025-01-01", "2027-01-01")
    assert card.holds_on(date(2025, 1, 1))
    assert card.holds_on(date(2026, 12, 31))
    assert not card.holds_on(date(2024, 12, 31))
    assert not card.holds_on(date(2027, 1, 1))


def test_a_file_holds_between_two_changes_of_an_override() -> None:
    model = tiny_model()
    changes = {one.since for one in model.overrides} | {
        one.until for one in model.overrides if one.until is not None
    }
    assert changes
    for change in sorted(changes):
        since, until = unchanged_days(model, change)
        assert since is not None
        assert since == change
        assert until is None or until > change


def test_a_model_without_dates_holds_as_long_as_the_model() -> None:
    model = replace(one_column_model(), since=date(2021, 5, 1), until=None)
    assert unchanged_days(model, DAY) == (model.since, None)
    card = ModelCard.of(model, None, DAY)
    assert not card.holds_on(date(2021, 4, 30))
    assert card.holds_on(date(2021, 5, 1))
    assert card.holds_on(date.max)
    ended = replace(model, until=date(2027, 1, 1))
    assert unchanged_days(ended, DAY) == (model.since, ended.until)


def one_column_model() -> RatingModel:
    """A model with one indicator, whose value is the column, and no override."""
    model = small_model()
    plain = next(one for one in model.indicators if isinstance(one.derivation, Scaled))
    weight = plain.weight_centi
    shape = LinearShape(
        higher_is_better=True, zero=Threshold(constant=0), full=Threshold(constant=10 * MICRO)
    )
    outer, inner = (
        replace(group, weight_centi=weight)
        for group in model.groups
        if group.id in {plain.level1.id, plain.level2.id}
    )
    return replace(
        model,
        groups=(outer, inner),
        indicators=(replace(plain, parameters={}, shape=shape, level1=outer, level2=inner),),
        total_centi=weight,
        overrides=(),
        min_coverage=0,
    )


def test_a_model_of_one_column_needs_no_cut() -> None:
    model = one_column_model()
    (column,) = model.input_columns
    (one,) = model.indicators
    assert isinstance(one.derivation, Scaled)
    step = one.derivation.divisor
    inputs = table(
        model, [Subject(inputs={column: n * step}) for n in range(10)] + [Subject(inputs={})]
    )
    content = compile_model(model, None, DAY)
    found = OnnxScorer.load(content).score(inputs, DAY)
    expected = score(model, inputs, None, DAY)
    assert found.points_centi.tolist() == expected.points_centi.tolist()
    assert found.grades == expected.grades
    assert found.overridden.shape == (11, 0)
    assert len(set(found.total_centi.tolist())) > 2


def test_a_draft_another_models_reference_and_an_unknown_day_are_refused() -> None:
    model = small_model()
    with pytest.raises(DraftModelError):
        compile_model(replace(model, status=Status.DRAFT), None, DAY)
    with pytest.raises(ModelNotInForceError):
        compile_model(model, None, date(2000, 1, 1))
    with pytest.raises(ParameterNotInForceError):
        compile_model(model, None, date(2027, 1, 1))
    other = made_up_model(Random(1))  # noqa: S311  # Repeatable, not secret.
    with pytest.raises(KernelInputError, match="use the reference of the same model"):
        compile_model(model, build_reference(other, made_up_table(other, 1, 50), DAY), DAY)
