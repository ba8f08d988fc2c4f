"""Half-yearly figures of staff and insured persons (items s02, s05, r02, r04 and r05).

What a doctor was rejected for is a part of what the messages charge; everything else is drawn.
"""

from collections.abc import Mapping
from typing import Final

from deploy.simulation.cases import Case, Row, RowMaker
from deploy.simulation.population import NURSE, PHARMACIST, PHYSICIAN

_CREDITS: Final = 12
_REJECTED_MOST: Final = 0.40
"""Rejected share of the work of somebody who does nothing right."""
_YEAR_MONTHS: Final = 12


def _conduct(case: Case) -> Row:
    marks = case.marks
    own = _OWN_FIGURES[case.subject.subject_class](case)
    return {
        "credits_earned": f"{_CREDITS * marks.share():.2f}",
        "credits_required": f"{_CREDITS}.00",
        **dict.fromkeys(_ROLE_COLUMNS, ""),
        **own,
    }


def _physician(case: Case) -> Row:
    marks, work = case.marks, case.work
    fault = _REJECTED_MOST * (1.0 - marks.share()) ** 1.5
    # Few visits: the expected part, rounded at random, else nobody would ever lose one.
    rejected = int(work.visits * fault + marks.rng.random()) if work.visits else 0
    fen = round(work.medfee_fen * fault)
    reminders, checked = 30 + case.subject.index % 11, 20
    return {
        "rejected_visits": min(work.visits, rejected),
        "rejected_yuan": f"{fen // 100}.{fen % 100:02d}",
        "reminders": reminders,
        "reminders_heeded": marks.of(reminders),
        "qc_checked": checked,
        "qc_passed": marks.of(checked),
    }


def _served(case: Case, visits: int) -> Row:
    rejected = case.marks.faults(visits, _REJECTED_MOST)
    return {
        "served_visits": visits,
        "rejected_visits": rejected,
        "rejected_yuan": f"{rejected * 18}.00",
    }


def _nurse(case: Case) -> Row:
    marks = case.marks
    charged, orders = 900 + case.subject.index % 300, 1_500 + case.subject.index % 500
    return {
        **_served(case, 400 + case.subject.index % 150),
        "nursing_charged": charged,
        "nursing_matched": marks.of(charged),
        "orders_executed": orders,
        "orders_uploaded": marks.of(orders),
    }


def _pharmacist(case: Case) -> Row:
    marks = case.marks
    prescriptions, hours, lines = 1_200 + case.subject.index % 400, 960, 2_000
    improper = 40 + case.subject.index % 15
    return {
        **_served(case, 800 + case.subject.index % 200),
        "prescriptions": prescriptions,
        "prescriptions_reviewed": marks.of(prescriptions),
        "improper_prescriptions": improper,
        "improper_stopped": marks.of(improper),
        "duty_hours": hours,
        "duty_hours_present": marks.of(hours),
        "shift_lines": lines,
        "shift_lines_traced": marks.of(lines),
    }


_OWN_FIGURES: Final[Mapping[str, RowMaker]] = {
    PHYSICIAN: _physician,
    NURSE: _nurse,
    PHARMACIST: _pharmacist,
}
_ROLE_COLUMNS: Final = (
    "served_visits", "reminders", "reminders_heeded", "qc_checked", "qc_passed",
    "nursing_charged", "nursing_matched", "orders_executed", "orders_uploaded",
    "prescriptions", "prescriptions_reviewed", "improper_prescriptions", "improper_stopped",
    "duty_hours", "duty_hours_present", "shift_lines", "shift_lines_traced",
)  # fmt: skip
"""Columns that concern one role only; nobody else has figures there."""


def public_credit(case: Case) -> Row:
    """Write a public credit score (公共信用分, 瓯江分) out of 1,000.

    Args:
        case: Whose score.

    Returns:
        The score.
    """
    return {"score": case.marks.score(1_000)}


def _contributions(case: Case) -> Row:
    marks, required = case.marks, 6
    covered = _YEAR_MONTHS if marks.keeps(0.35) else marks.of(_YEAR_MONTHS)
    return {
        "months_due": _YEAR_MONTHS,
        "months_covered": covered,
        "items_required": required,
        "items_verified": required if marks.keeps(0.45) else marks.of(required),
    }


def _refunds(case: Case) -> Row:
    due = 0 if case.marks.keeps(0.25) else 300 + case.subject.index % 700
    return {"due_yuan": f"{due}.00", "refunded_yuan": case.marks.yuan(due)}


SUBJECT_ROWS: Final[Mapping[str, RowMaker]] = {
    "s02": _conduct,
    "s05": public_credit,
    "r02": _contributions,
    "r04": public_credit,
    "r05": _refunds,
}
"""How a row of each item is made."""
