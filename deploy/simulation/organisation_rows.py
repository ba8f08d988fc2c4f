"""Half-yearly figures of employers, suppliers and third parties (items e02 to t04)."""

from collections.abc import Mapping
from typing import Final

from deploy.simulation.cases import Case, Row, RowMaker
from deploy.simulation.registers import employer_size
from deploy.simulation.subject_rows import public_credit

_HEADCOUNTS: Final[Mapping[str, int]] = {"0": 12, "1": 60, "2": 180, "3": 700}
_HALF_YEAR_WAGE_YUAN: Final = 42_000
_GAP_MOST: Final = 0.25
"""Part of the taxed wages that the worst employer keeps out of the contribution base."""
_ERRORS_MOST: Final = 0.10
_YEAR_MONTHS: Final = 12
_RATING_BOUNDS: Final = (
    (0.05, "especially_serious"), (0.12, "serious"), (0.22, "medium"), (0.35, "general"),
    (1.01, "normal"),
)  # fmt: skip
"""Price and procurement credit rating (医药价格和招采信用评价) up to each share."""
_WARNING_BOUNDS: Final = ((0.08, 3), (0.20, 2), (0.45, 1))


def _employment(case: Case) -> Row:
    marks, compared, checks = case.marks, 12, 2
    headcount = _HEADCOUNTS[employer_size(case)] + case.subject.key[0] % 9
    wages = headcount * _HALF_YEAR_WAGE_YUAN
    on_time = _YEAR_MONTHS if marks.keeps(0.55) else marks.of(_YEAR_MONTHS)
    return {
        "items_compared": compared,
        "items_matched": marks.of(compared),
        "self_checks_required": checks,
        "self_checks_done": checks if marks.keeps(0.30) else int(marks.keeps(0.10)),
        "months_due": _YEAR_MONTHS,
        "months_on_time": on_time,
        "taxed_wage_yuan": f"{wages}.00",
        "base_gap_yuan": f"{round(wages * _GAP_MOST * (1.0 - marks.share()))}.00",
        "taxed_headcount": headcount,
        "insured_headcount": marks.of(headcount),
    }


def _supply(case: Case) -> Row:
    marks = case.marks
    ordered, deliveries = 400_000 + case.subject.key[0] * 15_000, 240
    return {
        "ordered_yuan": f"{ordered}.00",
        "delivered_yuan": marks.yuan(ordered),
        "deliveries": deliveries,
        "deliveries_on_time": marks.of(deliveries),
    }


def _prices(case: Case) -> Row:
    rank = case.marks.rank
    return {
        "uncorrected_warnings": next((n for bound, n in _WARNING_BOUNDS if rank < bound), 0),
        "rating": next(code for bound, code in _RATING_BOUNDS if rank < bound),
    }


def _contract(case: Case) -> Row:
    marks, samples, cases = case.marks, 500, 3_000
    return {
        "score": marks.score(),
        "samples": samples,
        "sample_errors": marks.faults(samples, _ERRORS_MOST),
        "cases": cases,
        "cases_on_time": marks.of(cases),
    }


ORGANISATION_ROWS: Final[Mapping[str, RowMaker]] = {
    "e02": _employment,
    "e04": public_credit,
    "d02": _supply,
    "d03": _prices,
    "d05": public_credit,
    "t02": _contract,
    "t04": public_credit,
}
"""How a row of each item is made."""
