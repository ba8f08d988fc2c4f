"""Registers of staff, insured persons and organisations (items s01, r01, e01, d01, t01).

Who is weak leaves optional fields empty and signs no commitment.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from deploy.simulation.cases import Case, Row, RowMaker
from deploy.simulation.city import City, staff_serial
from deploy.simulation.codes import staff_code
from deploy.simulation.places import DIVISIONS
from deploy.simulation.population import EMPLOYER, PHARMACIST, SUPPLIER, THIRD_PARTY
from scoring_kernel.periods import Period

_DAYS_PER_YEAR: Final = 365.25
_TITLE_BOUNDS: Final = (("1", 0.30), ("2", 0.70), ("3", 0.92), ("4", 1.01))
"""Level of the title up to each share of the staff."""
_SPECIALTIES: Final = (
    ("internal", 0.42), ("surgery", 0.62), ("obstetrics", 0.71), ("paediatrics", 0.80),
    ("emergency", 0.86), ("tcm", 0.92), ("technology", 1.01),
)  # fmt: skip
_SIZES: Final = (("0", 0.40), ("1", 0.75), ("2", 0.92), ("3", 1.01))
_EMPLOYER_TYPES: Final = (
    ("enterprise", 0.70), ("public_body", 0.80), ("social", 0.88), ("sole_trader", 1.01),
)  # fmt: skip
_SUPPLIER_TYPES: Final = (("manufacturer", 0.50), ("distributor", 1.01))
_THIRD_PARTY_TYPES: Final = (
    ("handling", 0.25), ("insurer", 0.50), ("information", 0.80), ("audit", 1.01),
)  # fmt: skip
_NOUNS: Final[Mapping[str, str]] = {
    EMPLOYER: "仿真用工单位",
    SUPPLIER: "仿真医药公司",
    THIRD_PARTY: "仿真服务公司",
}
_PHONE: Final = "00000000000"


def _pick(chance: float, bounds: tuple[tuple[str, float], ...]) -> str:
    """Give the first code whose bound is beyond ``chance``."""
    return next(code for code, bound in bounds if chance < bound)


def _specialty(case: Case) -> str:
    institution = case.subject.institution
    if institution is None or institution.is_pharmacy:
        return "retail"
    if case.subject.subject_class == PHARMACIST:
        return "dispensary"
    if institution.tier.type == "primary":
        return "general"
    if institution.tier.type == "tcm":
        return "tcm"
    return _pick(float(case.marks.rng.random()), _SPECIALTIES)


def _staff(case: Case) -> Row:
    marks, institution = case.marks, case.subject.institution
    grown = 0.5 * marks.rank + 0.5 * float(marks.rng.random())
    years = 2 + 30 * (0.6 * grown + 0.4 * float(marks.rng.random()))
    began = case.period.first_day - timedelta(days=round(years * _DAYS_PER_YEAR))
    code = case.subject.code
    return {
        "role": case.subject.subject_class,
        "institution": "" if institution is None else institution.code,
        "level": _pick(grown, _TITLE_BOUNDS),
        "type": _specialty(case),
        "practice_start_day": began.isoformat(),
        "licence_number": f"仿真执业{code}" if marks.keeps(0.08) else "",
        "title_number": f"仿真职称{code}" if marks.keeps(0.20) else "",
        "phone": _PHONE if marks.keeps(0.35) else "",
        "commitment_signed": int(marks.keeps(0.12)),
    }


def _person(case: Case) -> Row:
    person = case.subject.person
    years = 1 + 14 * float(case.marks.rng.random())
    insured = case.period.first_day - timedelta(days=round(years * _DAYS_PER_YEAR))
    return {
        "level": "0",
        "type": "employee" if person is not None and person.insurance == "310" else "resident",
        "division": case.subject.division,
        "first_insured_day": insured.isoformat(),
        "commitment_signed": int(case.marks.keeps(0.25)),
    }


def _organisation(case: Case, level: str, kind: str) -> Row:
    subject, marks = case.subject, case.marks
    division = DIVISIONS[subject.division]
    return {
        "name": f"{division}{_NOUNS[subject.subject_class]}{subject.key[0] + 1}号",
        "level": level,
        "type": kind,
        "division": subject.division,
        "address": f"{division}仿真产业路{subject.key[0] + 1}号" if marks.keeps(0.06) else "",
        "legal_representative": "仿真法人" if marks.keeps(0.15) else "",
        "phone": _PHONE if marks.keeps(0.30) else "",
        "commitment_signed": int(marks.keeps(0.12)),
    }


def _employer(case: Case) -> Row:
    kind = _pick(float(case.marks.rng.random()), _EMPLOYER_TYPES)
    return _organisation(case, employer_size(case), kind)


def employer_size(case: Case) -> str:
    """Give the size class of an employer, the same in every item and period.

    Args:
        case: The employer.

    Returns:
        Code of the register's level: 0 smallest to 3 largest.
    """
    return _pick(case.subject.key[0] * 7 % 100 / 100, _SIZES)


def _supplier(case: Case) -> Row:
    kind = _pick(float(case.marks.rng.random()), _SUPPLIER_TYPES)
    licence = f"仿真许可{case.subject.key[0] + 1:04d}" if case.marks.keeps(0.10) else ""
    return {**_organisation(case, "0", kind), "licence_number": licence}


def _third_party(case: Case) -> Row:
    kind = _pick(float(case.marks.rng.random()), _THIRD_PARTY_TYPES)
    valid = int(case.marks.keeps(0.10))
    return {**_organisation(case, "0", kind), "qualification_valid": valid}


def technician_rows(city: City, last: Period) -> list[Row]:
    """Write the technicians (医保技师) of the hospitals, who are registered and not graded.

    Args:
        city: The city.
        last: The last period.

    Returns:
        One row of item s01 for every medical institution.
    """
    rows: list[Row] = []
    for institution in city.institutions:
        if institution.is_pharmacy:
            continue
        serial = staff_serial(institution.index, 0)
        code = staff_code("HJ", institution.division, serial)
        began = last.first_day - timedelta(days=round((2 + serial % 30) * _DAYS_PER_YEAR))
        rows.append(
            {
                "staff": code,
                "role": "technician",
                "institution": institution.code,
                "level": "1",
                "type": "technology",
                "practice_start_day": began.isoformat(),
                "licence_number": f"仿真执业{code}",
                "title_number": "",
                "phone": "",
                "commitment_signed": 1,
            }
        )
    return rows


REGISTERS: Final[Mapping[str, RowMaker]] = {
    "s01": _staff,
    "r01": _person,
    "e01": _employer,
    "d01": _supplier,
    "t01": _third_party,
}
"""How a subject's row of each register is made."""
