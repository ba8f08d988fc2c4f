"""Half-yearly rows of the information items of institutions, and the register of them.

Figures that follow from the messages (work done, readmissions, cases) are the messages' own;
assessments follow an institution's rank with some noise, so that a rating has something to find.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from deploy.simulation.city import City, Institution, address
from deploy.simulation.desk import Tally
from deploy.simulation.marks import INSTITUTION_STRENGTHS, SUBJECT_STRENGTHS, Marks

ITEMS_TAG: Final = 6
_STANDARD_STAFF: Final[Mapping[str, float]] = {"3": 0.30, "2": 0.20, "1": 0.15, "0": 0.10}
_STANDARD_EXPERTS: Final[Mapping[str, int]] = {"3": 5, "2": 3, "1": 1, "0": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known about one institution in one period before any item is written."""

    institution: Institution
    tally: Tally
    readmissions: int
    marks: Marks
    """Its assessments."""


Row = dict[str, object]


def _experts(f: Figures) -> Row:
    return {"experts": f.marks.of(_STANDARD_EXPERTS[f.institution.tier.level])}


def _staff(f: Figures) -> Row:
    tier = f.institution.tier
    wanted = max(2, round(tier.beds * _STANDARD_STAFF[tier.level]))
    return {
        "senior_doctors": f.marks.of(wanted),
        "senior_nurses": f.marks.of(wanted),
        "beds": tier.beds,
    }


def _workload(f: Figures) -> Row:
    visits = max(0, f.tally.settlements - f.tally.discharges)
    return {"outpatient_visits": visits, "inpatient_discharges": f.tally.discharges}


def _rejections(f: Figures) -> Row:
    share = 0.002 + 0.09 * max(0.0, 1.0 - f.marks.share()) ** 1.5
    rejected = round(f.tally.fund_fen * share)
    return {
        "rejected_visits": round(f.tally.settlements * share * 1.5),
        "rejected_yuan": f"{rejected // 100}.{rejected % 100:02d}",
    }


def _self_management(f: Figures) -> Row:
    found = 5_000 + f.institution.index * 100
    weakness = 1.0 - f.marks.share()
    required = max(4, len(f.institution.doctors))
    return {
        "learners_passed": f.marks.of(required),
        "learners_required": required,
        "self_check_reports": 0 if weakness > 0.45 else 2,
        "self_check_found_yuan": f"{found}.00",
        "self_check_refunded_yuan": f.marks.yuan(found),
        "mismatch_months": min(6, int(weakness * 6)),
        "device_online_hours": f.marks.of(4_344),
        "device_required_hours": 4_344,
        "trauma_verified": f.marks.of(25),
        "trauma_cases": 25,
        "publicity_done": f.marks.of(20),
        "publicity_required": 20,
    }


def _purchases(f: Figures, paid: str, whole: str) -> Row:
    contract = 200_000 + f.institution.tier.beds * 900
    return {paid: f.marks.yuan(contract), whole: f"{contract}.00"}


def _readmissions(f: Figures) -> Row | None:
    if not f.tally.discharges:
        return None
    return {"discharges": f.tally.discharges, "readmissions": f.readmissions}


def _groups(f: Figures) -> Row | None:
    """Cases, weight and cost index of the diagnosis groups (DRG)."""
    cases = f.tally.discharges
    if not cases:
        return None
    level = {"3": 1.15, "2": 0.95, "1": 0.80}[f.institution.tier.level]
    change = float(f.marks.rng.normal(0.0, 0.012))
    strength = f.marks.share() - 0.8
    return {
        "cases": cases,
        "weight": f"{cases * level * (1 + change + 0.05 * strength):.4f}",
        "cost_ratio": f"{cases * (1.0 - change - 0.05 * strength):.4f}",
    }


ROWS: Final[Mapping[str, Callable[[Figures], Row | None]]] = {
    "01": _experts,
    "02": _staff,
    "04": _workload,
    "05": _rejections,
    "06": lambda f: {"score": f.marks.score()},
    "08": _self_management,
    "09": lambda f: {"score": f.marks.score()},
    "10": lambda f: _purchases(f, "paid_yuan", "payable_yuan"),
    "11": lambda f: {"score": f.marks.score()},
    "14": lambda f: {"score": f.marks.score()},
    "15": lambda f: _purchases(f, "done_yuan", "contract_yuan"),
    "16": lambda f: {"score": f"{1000 * f.marks.share():.2f}"},
    "22": _readmissions,
    "23": _groups,
}
"""How a medical institution's row of each item is made; the order is that of the draws."""
SHARED_WITH_PHARMACIES: Final = ("08", "14", "16")
"""Items of these whose rows concern pharmacies too."""


def figures_of(
    city: City, institution: Institution, tally: Tally, *, readmissions: int, ordinal: int
) -> Figures:
    """Collect what the items of one institution in one period are made from.

    Args:
        city: The city.
        institution: A medical institution or pharmacy.
        tally: What its messages of the period amount to.
        readmissions: Stays that began within fifteen days of an earlier one.
        ordinal: Period's number, to key the draws.

    Returns:
        The figures.
    """
    return Figures(
        institution=institution,
        tally=tally,
        readmissions=readmissions,
        marks=Marks(
            rank=institution.rank,
            rng=city.rng(ITEMS_TAG, institution.index, ordinal),
            strengths=SUBJECT_STRENGTHS if institution.is_pharmacy else INSTITUTION_STRENGTHS,
        ),
    )


def register_row(institution: Institution) -> Row:
    """Write one institution's row of the register (两定医药机构信息, item 20).

    Args:
        institution: A medical institution or pharmacy.

    Returns:
        Every column of the register; a weak institution leaves some empty.
    """
    complete = institution.rank > 0.3
    return {
        "institution": institution.code,
        "name": institution.name,
        "uscc": institution.credit_code,
        "level": institution.tier.level,
        "type": institution.tier.type,
        "division": institution.division,
        "address": address(institution),
        "legal_representative": "仿真法人" if complete else "",
        "phone": "00000000000" if complete or institution.rank > 0.1 else "",
        "beds_licensed": institution.tier.beds,
        "first_agreement_day": institution.first_agreement_day.isoformat(),
    }
