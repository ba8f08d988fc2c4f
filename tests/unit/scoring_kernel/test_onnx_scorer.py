"""A compiled model scores what fits it, block by block, and refuses the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np
import pytest

from scoring_kernel import onnx_scorer
from scoring_kernel.errors import KernelInputError, ModelFileError
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.onnx_scorer import OnnxScorer
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from tests.support.kernel_models import tiny_model
from tests.support.onnx_models import DAY, made_up_table

MODEL: Final = tiny_model()
REFERENCE: Final = build_reference(MODEL, made_up_table(MODEL, 9, 500), DAY)
CONTENT: Final = compile_model(MODEL, REFERENCE, DAY)


@pytest.mark.parametrize("rows", [0, 1, 6, 7, 8, 21])
def test_blocks_of_any_length_give_the_same(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_scorer, "BLOCK_ROWS", 7)
    inputs = made_up_table(MODEL, rows, rows)
    found = OnnxScorer.load(CONTENT).score(inputs, DAY)
    expected = score(MODEL, inputs, REFERENCE, DAY)
    assert found.points_centi.tolist() == expected.points_centi.tolist()
    assert found.weights_centi.shape == (rows, len(MODEL.indicators))
    assert found.grades == expected.grades


def test_threads_change_nothing() -> None:
    inputs = made_up_table(MODEL, 4, 3_000)
    alone = OnnxScorer.load(CONTENT).score(inputs, DAY)
    together = OnnxScorer.load(CONTENT, threads=2).score(inputs, DAY)
    assert np.array_equal(alone.points_centi, together.points_centi)
    assert alone.grades == together.grades


def test_more_columns_in_another_order_give_the_same() -> None:
    inputs = made_up_table(MODEL, 5, 40)
    turned = inputs.select(inputs.columns[::-1])
    wider = replace(
        turned,
        columns=(*turned.columns, "item.99.more@current"),
        values=np.hstack([turned.values, np.ones((40, 1), np.int64)]),
        present=np.hstack([turned.present, np.ones((40, 1), np.bool_)]),
    )
    scorer = OnnxScorer.load(CONTENT)
    assert scorer.score(wider, DAY).grades == scorer.score(inputs, DAY).grades


def test_a_day_outside_is_refused() -> None:
    scorer = OnnxScorer.load(CONTENT)
    with pytest.raises(ModelFileError, match="asked for 2001-01-01: compile the model"):
        scorer.score(made_up_table(MODEL, 1, 2), date(2001, 1, 1))


def test_a_missing_column_and_an_unknown_level_are_refused() -> None:
    scorer = OnnxScorer.load(CONTENT)
    inputs = made_up_table(MODEL, 1, 2)
    with pytest.raises(KernelInputError, match="has no column"):
        scorer.score(inputs.select(inputs.columns[1:]), DAY)
    with pytest.raises(KernelInputError, match="knows levels"):
        scorer.score(replace(inputs, levels=("9", "9")), DAY)
