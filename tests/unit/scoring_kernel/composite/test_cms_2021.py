"""The official star ratings of April 2021, reproduced from the packaged model file.

The official output prints a score in at most twelve characters and was stored with nine
decimals, so it is itself up to 5.5e-10 away from what was computed. Every score must lie
within 1e-9 of it; and every score, printed in the same two steps, must give the same number
of nine decimals, save one small score that was stored with six significant digits.
"""

from __future__ import annotations

import csv
import gzip
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, reduce
from operator import add
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from scoring_kernel.composite import (
    CompositeResult,
    CompositeTable,
    explain_composite,
    parse_measure_table,
    score_composite,
)
from scoring_kernel.composite.measuring import Dropped, DropReason
from scoring_kernel.model import NOT_RATED
from tests.support.composite_models import cms_model

FOLDER: Final = next(
    (
        folder
        for above in Path(__file__).parents
        if (folder := above / "shared" / "data" / "cms_star").is_dir()
    ),
    None,
)
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="no folder 'shared' beside the repository: no official ratings"
)
GROUPS: Final = (
    ("Std_Outcomes_Mortality_score", "Outcomes_Mortality_cnt"),
    ("Std_Outcomes_Safety_score", "Outcomes_safety_cnt"),
    ("Std_Outcomes_Readmission_score", "Outcomes_Readmission_cnt"),
    ("Std_PatientExp_score", "Patient_Experience_cnt"),
    ("Std_Process_score", "Process_cnt"),
)
"""Columns of the official output, in the order of the model's groups."""


def read(name: str) -> list[dict[str, str]]:
    assert FOLDER is not None
    with gzip.open(FOLDER / name, "rt", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@cache
def official() -> list[dict[str, str]]:
    return read("v202104.output_df.csv.gz")


@cache
def scored() -> CompositeResult:
    measures = parse_measure_table(read("measure_dt.v202104.csv.gz"))
    names = tuple(one.id for one in measures.measures)
    rows = read("v202104.input_df.csv.gz")
    table = CompositeTable(
        subjects=tuple(row["PROVIDER_ID"] for row in rows),
        measures=names,
        values=np.array([[float(row[name] or "nan") for name in names] for row in rows]),
    )
    return score_composite(cms_model(), table, measures)


def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([float(row[name] or "nan") for row in official()])


def printed(score: float) -> Decimal:
    """A score as printed in twelve characters (a sign takes one) and stored with nine places."""
    places = "1e-9" if score < 0 else "1e-10"
    first = Decimal(score).quantize(Decimal(places), ROUND_HALF_UP)
    return first.quantize(Decimal("1e-9"), ROUND_HALF_UP)


def test_every_summary_score_is_the_official_one() -> None:
    result = scored()
    assert result.subjects == tuple(row["PROVIDER_ID"] for row in official())
    assert len(result.subjects) == 4536
    assert np.abs(result.summary - column("summary_score")).max() < 1e-9


def test_every_summary_score_is_printed_as_the_official_one() -> None:
    others = [
        row["summary_score"]
        for row, score in zip(official(), scored().summary, strict=True)
        if printed(float(score)) != Decimal(row["summary_score"])
    ]
    assert others == ["4.17586e-05"]


def test_every_star_is_the_official_one() -> None:
    stars = tuple(f"star_{row['star']}" if row["star"] else NOT_RATED for row in official())
    assert scored().bands == stars
    assert sum(band != NOT_RATED for band in scored().bands) == 3355


def test_peer_groups_counts_and_reporting_are_the_official_ones() -> None:
    result = scored()
    assert [(one.reported_groups, one.size) for one in result.peers] == [
        (3, 337),
        (4, 553),
        (5, 2465),
    ]
    assert result.rated.tolist() == [row["report_indicator"] == "1" for row in official()]
    assert np.array_equal(result.reported.sum(axis=1), column("Total_measure_group_cnt"))
    for at, (score, count) in enumerate(GROUPS):
        assert np.array_equal(result.counts[:, at], column(count))
        assert np.array_equal(np.isnan(result.scores[:, at]), np.isnan(column(score)))
        # Scores of -10 and less were printed with eight decimals.
        assert np.nanmax(np.abs(result.scores[:, at] - column(score))) < 5.5e-9


def test_the_measure_that_few_hospitals_report_is_dropped() -> None:
    assert scored().dropped == (Dropped(id="OP_2", reason=DropReason.FEW_SUBJECTS),)


def test_every_explanation_adds_up_to_its_score() -> None:
    result = scored()
    for row in range(0, len(result.subjects), 7):
        said = explain_composite(result, row)
        assert reduce(add, (group.contribution for group in said.groups), 0.0) == said.summary
