from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scoring_kernel import load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.inputs import InputTable
from scoring_kernel.override_explanation import (
    OverrideExplanation,
    explain_overrides,
    explain_undetermined,
)
from scoring_kernel.periods import Period
from scoring_kernel.scoring import score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scoring_kernel import Catalog
    from scoring_kernel.scoring import ScoreResult

CATALOG = load_catalog()
DAY = Period.parse("2026H1").last_day
LISTED = "item.l02.serious_dishonesty@current"
JUDGED = "item.s04.fraud_judgments@age2"
DEFAULTER = "item.l02.judgment_defaulter@current"


def nurse(*stated: str, points: int | None, zeros: Sequence[str] = ()) -> ScoreResult:
    """A nurse for whom some columns state one event; every other column is one number or none."""
    model = CATALOG.models["nurse"]
    values = np.array([0 if points is None else points], np.int64)
    known = np.array([points is not None], np.bool_)
    overriding = {column for one in model.overrides for column in one.columns}
    parts = {name: (values, known) for name in model.input_columns if name not in overriding} | {
        name: (np.array([name not in zeros], np.int64), np.ones(1, np.bool_))
        for name in (*stated, *zeros)
    }
    inputs = InputTable.assemble(model, ["N330302000001"], ["2"], ["surgery"], parts)
    return score(model, inputs, None, DAY)


def explained(result: ScoreResult) -> tuple[OverrideExplanation, ...]:
    return explain_overrides(result, 0, CATALOG)


def test_without_an_event_nothing_is_explained() -> None:
    assert explained(nurse(points=1)) == ()


def test_every_override_in_force_is_told_in_the_models_order_with_its_evidence() -> None:
    result = nurse(LISTED, JUDGED, points=None)
    found = explained(result)
    assert [one.override for one in found] == ["court_fraud", "serious_dishonesty"]
    assert [one.evidence for one in found] == [
        (CATALOG.items["s04"].name_zh,),
        (CATALOG.items["l02"].name_zh,),
    ]
    assert {one.cap for one in found} == {"bad"}
    assert [one.sources for one in found] == [
        one.sources
        for one in result.model.overrides
        if one.id in {"court_fraud", "serious_dishonesty"}
    ]
    assert (result.grades, result.earned_grades) == (("bad",), ("not_rated",))
    assert all(one.lowers and "按得分不予评级" in one.reason_zh for one in found)
    assert all("the points give no grade" in one.reason_en for one in found)


def test_a_cap_that_lowers_nothing_says_so() -> None:
    result = nurse(DEFAULTER, points=0)
    (one,) = explained(result)
    assert (result.earned_grades, result.grades, one.cap) == (("bad",), ("bad",), "poor")
    assert not one.lowers
    assert "等级未因此再降低" in one.reason_zh
    assert "so nothing is lowered" in one.reason_en


def test_an_override_nobody_can_judge_names_what_was_not_imported() -> None:
    result = nurse(LISTED, points=None)
    found = {one.override: one for one in explain_undetermined(result, 0, CATALOG)}
    assert set(found) == {one.id for one in result.model.overrides} - {"serious_dishonesty"}
    judged = found["court_fraud"]
    assert (judged.unknown, judged.cap) == (("s04",), "bad")
    assert judged.sources == next(
        one.sources for one in result.model.overrides if one.id == "court_fraud"
    )
    assert judged.reason_zh == (
        f"{judged.name_zh}：未导入{CATALOG.items['s04'].name_zh}，无法判断是否受限；"
        "如有记录，等级最高为差。"
    )
    assert judged.reason_en.endswith("with an entry there, bad at best.")
    assert CATALOG.items["s04"].name_en in judged.reason_en


def test_where_everything_was_imported_every_override_is_judged() -> None:
    model = CATALOG.models["nurse"]
    columns = {column for one in model.overrides for column in one.columns}
    nothing = nurse(points=0, zeros=sorted(columns))
    assert explain_undetermined(nothing, 0, CATALOG) == ()
    assert explained(nothing) == ()


@pytest.mark.parametrize("explaining", [explain_overrides, explain_undetermined])
def test_a_row_that_is_not_there_is_refused(
    explaining: Callable[[ScoreResult, int, Catalog], object],
) -> None:
    with pytest.raises(KernelInputError, match="expected 0 to 0"):
        explaining(nurse(points=1), 1, CATALOG)
