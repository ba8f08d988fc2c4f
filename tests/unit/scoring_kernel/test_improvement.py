"""How far an indicator can be moved, and ways that lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scoring_kernel.errors import CatalogError
from tests.support.kernel_models import TINY_FILE, TINY_MODEL, model_of

if TYPE_CHECKING:
    from scoring_kernel.improvement import Improvement

REFUNDS = 'shape: {kind: linear, better: higher, zero: "0", full: "1"}'


def _read(before: str, after: str, number: int) -> Improvement:
    assert before in TINY_MODEL
    found = model_of(TINY_MODEL.replace(before, after, 1), TINY_FILE).indicators[number - 1].improve
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shape", "to"),
    [
        (REFUNDS, "0.000001"),
        ("shape: {kind: linear, better: higher, zero: {peer: p10}, full: {peer: p90}}", "-5"),
    ],
    ids=["above nothing", "among peers"],
)
def test_a_way_that_may_lead_somewhere_is_read(shape: str, to: str) -> None:
    found = _read(REFUNDS, f'{shape}\n    improve: {{to: "{to}", effort: 3}}', 6)
    assert (found.by, found.effort) == (None, 3)


def test_a_way_to_the_last_step_is_read() -> None:
    last = '      rest: "0"\n    missing: zero\n'
    found = _read(last, f'      rest: "0"\n    improve: {{to: "10", effort: 1}}\n{last[16:]}', 2)
    assert found.to == 10_000_000


def test_a_way_down_from_the_zero_end_is_read() -> None:
    shape = 'shape: {kind: linear, better: lower, zero: "9", full: "0"}'
    found = _read(shape, f'{shape}\n    improve: {{to: "8", effort: 1}}', 5)
    assert found.to == 8_000_000


def test_a_threshold_by_level_is_measured_at_its_easiest() -> None:
    parameter = (
        '    parameters:\n      end:\n        unit: "1"\n        by: level\n        values:\n'
        '          2024-01-01: {value: {"3": "0.5", "2": "0.2"}, basis: scoring_formula_proposal}\n'
    )
    tail = "    missing: exclude\n    status: proposal\n    basis: scoring_formula_proposal\n"

    def edited(to: str) -> str:
        shape = REFUNDS.replace('"0"', "{parameter: end}")
        text = f'    {shape}\n    improve: {{to: "{to}", effort: 1}}\n{tail}{parameter}'
        return TINY_MODEL.replace(f"    {REFUNDS}\n{tail}", text)

    assert model_of(edited("0.3"), TINY_FILE).indicators[5].improve is not None
    with pytest.raises(CatalogError, match="name one on the good side"):
        model_of(edited("0.2"), TINY_FILE)


def test_a_shape_without_an_end_takes_any_way() -> None:
    shape = "shape: {kind: boolean, good: true}"
    assert _read(shape, f'{shape}\n    improve: {{to: "1", effort: 1}}', 4).to == 1_000_000
