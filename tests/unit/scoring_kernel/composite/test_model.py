"""The composite model file: its parts and its mistakes."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.composite import score_composite
from scoring_kernel.composite.banding import (
    FixedCuts,
    OptimalKMeans,
    QuantileCuts,
    SeededKMeans,
)
from scoring_kernel.composite.model import PeerGroups, Winsor
from scoring_kernel.errors import CatalogError, DraftModelError
from scoring_kernel.indicators import Status
from tests.support.composite_models import (
    SMALL_FILE,
    SMALL_MEASURES,
    cms_model,
    composite_of,
    composite_table,
    small_composite,
    with_banding,
)
from tests.support.kernel_models import CASES

if TYPE_CHECKING:
    from pathlib import Path

MALFORMED = sorted((CASES / "malformed" / "composite").glob("*.yaml"))


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_a_broken_model_is_refused_with_file_and_line(path: Path) -> None:
    text = path.read_text("utf-8")
    line, _, words = text.splitlines()[0].removeprefix("# expect ").partition(": ")
    with pytest.raises(CatalogError) as caught:
        composite_of(text)
    assert words in caught.value.problem
    assert (caught.value.file, caught.value.line) == (SMALL_FILE, int(line))


def test_there_is_a_case_per_mistake() -> None:
    assert len(MALFORMED) > 40


def test_the_packaged_model_of_2021_is_in_the_catalogue() -> None:
    model = load_catalog().composites["cms_hospital_stars_2021"]
    assert model == cms_model()
    assert model.status is Status.PROPOSAL
    assert [str(float(group.weight)) for group in model.groups] == ["0.22"] * 4 + ["0.12"]
    assert model.rule == SeededKMeans(passes=(None, 1.0), most_rounds=1000, refuse_small=True)
    assert model.required_groups == ("mortality", "safety")
    assert model.peers is PeerGroups.REPORTED_GROUPS
    assert [band.id for band in model.bands] == [f"star_{star}" for star in (5, 4, 3, 2, 1)]


def test_every_rule_of_banding_is_read() -> None:
    cuts = small_composite(with_banding("kind: cuts", "0.5", "-0.25"))
    assert cuts.rule == FixedCuts(cuts=(-0.25, 0.5))
    quantiles = small_composite(with_banding("kind: quantiles", "0.9", "0.1"))
    assert quantiles.rule == QuantileCuts(shares=(Fraction(1, 10), Fraction(9, 10)))
    optimal = small_composite(with_banding("kind: optimal_k_means, too_few: refuse"))
    assert optimal.rule == OptimalKMeans(refuse_small=True)


def test_bounds_and_deviations_are_read() -> None:
    model = small_composite(
        ("winsorise: null", 'winsorise: {low: "0.005", high: "0.995"}'),
        ("deviation: sample", "deviation: population"),
        ("zero_variance: refuse", "zero_variance: drop"),
        ("one_of: [outcome, safety]", "one_of: []"),
    )
    assert model.winsor == Winsor(low=Fraction(1, 200), high=Fraction(199, 200))
    assert (model.sample_deviation, model.refuse_zero_variance) == (False, False)
    assert model.required_groups == ()


def test_a_draft_cannot_score() -> None:
    model = small_composite(("status: proposal", "status: draft"))
    with pytest.raises(DraftModelError, match="small_composite is a draft and cannot score"):
        score_composite(model, composite_table([[1, 2, 3, 4]]), SMALL_MEASURES)
