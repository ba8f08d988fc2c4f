"""A compiled model gives the same as the numpy scorer, in every hundredth of a point."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel import load_catalog
from scoring_kernel.errors import ModelFileError
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.onnx_scorer import OnnxScorer
from scoring_kernel.reference import Reference, build_reference
from scoring_kernel.scoring import score
from tests.support.kernel_models import small_model, tiny_model
from tests.support.onnx_graphs import run_whole
from tests.support.onnx_models import DAY, made_up_model, made_up_table

if TYPE_CHECKING:
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.model import RatingModel

MODELS: Final = {"small": small_model(), "tiny": tiny_model(), **load_catalog().models}
FIELDS: Final = (
    "points_centi",
    "weights_centi",
    "missing",
    "provisional",
    "out_of_range",
    "shrunk",
    "overridden",
    "undetermined",
    "total_centi",
    "coverage_centi",
)
OUTPUTS: Final = {
    "points": "points_centi",
    "weights": "weights_centi",
    "provisional": "provisional",
    "total": "total_centi",
    "coverage": "coverage_centi",
    **{name: name for name in ("missing", "out_of_range", "shrunk", "overridden", "undetermined")},
}
"""Outputs of the whole graph, and what they are among the scores."""
SEEDS: Final = st.integers(0, 2**32 - 1)


@cache
def compiled(name: str, *, with_reference: bool) -> tuple[Reference | None, bytes, OnnxScorer]:
    model = MODELS[name]
    reference = build_reference(model, made_up_table(model, 1, 400), DAY)
    peers = reference if with_reference else None
    content = compile_model(model, peers, DAY)
    return peers, content, OnnxScorer.load(content)


def compare(
    model: RatingModel, inputs: InputTable, reference: Reference | None, scorer: OnnxScorer
) -> None:
    expected = score(model, inputs, reference, DAY)
    found = scorer.score(inputs, DAY)
    for field in FIELDS:
        ours, theirs = getattr(found, field), getattr(expected, field)
        assert ours.dtype == theirs.dtype, field
        assert np.array_equal(ours, theirs), field
    assert found.grades == expected.grades
    assert found.earned_grades == expected.earned_grades
    assert found.subjects == expected.subjects


def compare_whole(
    model: RatingModel, inputs: InputTable, reference: Reference | None, content: bytes
) -> None:
    """The graph in one piece gives the numbers and flags of the numpy scorer too."""
    expected = score(model, inputs, reference, DAY)
    found = run_whole(content, inputs)
    for output, field in OUTPUTS.items():
        theirs = getattr(expected, field)
        rows = theirs.T if theirs.ndim == 2 else theirs[None]
        if len(rows):
            assert np.array_equal(found[output], rows), output
    names = [*(band.id for band in model.bands), "not_rated"]
    for output, grades in (("grade", expected.grades), ("earned", expected.earned_grades)):
        assert tuple(names[int(place)] for place in found[output][0]) == grades


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, rows=st.integers(0, 300), with_reference=st.booleans())
def test_a_compiled_model_of_the_catalogue_equals_the_numpy_scorer(
    name: str, seed: int, rows: int, *, with_reference: bool
) -> None:
    reference, content, scorer = compiled(name, with_reference=with_reference)
    inputs = made_up_table(MODELS[name], seed, rows)
    compare(MODELS[name], inputs, reference, scorer)
    compare_whole(MODELS[name], inputs, reference, content)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, rows=st.integers(1, 200), with_reference=st.booleans())
def test_a_made_up_model_equals_the_numpy_scorer(
    seed: int, rows: int, *, with_reference: bool
) -> None:
    model = made_up_model(Random(seed))  # noqa: S311  # Repeatable, not secret.
    inputs = made_up_table(model, seed, rows)
    reference = build_reference(model, inputs, DAY) if with_reference else None
    content = compile_model(model, reference, DAY)
    compare(model, inputs, reference, OnnxScorer.load(content))
    compare_whole(model, inputs, reference, content)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_model_or_refused(content: bytes) -> None:
    with pytest.raises(ModelFileError):
        OnnxScorer.load(content)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_refused_or_the_same_model(place: int, bit: int, *, cut: bool) -> None:
    content = bytearray(compile_model(MODELS["tiny"], None, DAY))
    place %= len(content)
    if cut:
        del content[place:]
    else:
        content[place] ^= 1 << bit
    try:
        scorer = OnnxScorer.load(bytes(content))
    except ModelFileError:
        return
    # What was hit says nothing about the scores, for example the producer's name.
    assert scorer.card.model_digest
    inputs = made_up_table(MODELS["tiny"], 5, 50)
    assert scorer.score(inputs, DAY).subjects == inputs.subjects
