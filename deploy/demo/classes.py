"""Subject classes (主体类别) in the demonstration, and what became of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.demo.processes import number

SUBJECT_CLASS: Final = "designated_medical_institution"
CLASSES: Final[Mapping[str, str]] = {
    SUBJECT_CLASS: "定点医疗机构",
    "designated_retail_pharmacy": "定点零售药店",
    "physician": "医保医师",
    "nurse": "医保护师",
    "pharmacist": "医保药师",
    "insured_person": "参保人员",
    "employer": "参保单位",
    "supplier": "医药企业",
    "third_party_provider": "第三方服务机构",
}
"""Subject classes (主体类别) in the order they are shown, and their Chinese names."""
PRESCORED: Final = (SUBJECT_CLASS, "designated_retail_pharmacy")
"""Classes that nodes pre-score themselves."""
NOT_RATED: Final = "not_rated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSummary:
    """What became of one subject class; names are those of the JSON file."""

    subjects: int
    """Subjects in the register."""
    graded: int
    """Subjects the city graded."""
    not_rated: int
    """Subjects with too little data for a grade."""
    capped: int
    """Subjects whose grade an override lowered."""
    pushed: int
    """Grades the province holds."""
    grade_distribution: dict[str, int]
    """Subjects by grade, the empty grades too."""

    @property
    def told(self) -> dict[str, int]:
        """Subjects by grade; those not rated only where there are any."""
        unrated = {NOT_RATED: self.not_rated} if self.not_rated else {}
        return {**self.grade_distribution, **unrated}


def registered_in(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Count the subjects of a simulated city.

    Args:
        manifest: What the simulator wrote.

    Returns:
        Subjects in the registers, by class, in the order of ``CLASSES``.
    """
    institutions = (manifest["institutions"], manifest["pharmacies"])
    counts = {**dict(zip(PRESCORED, institutions, strict=True)), **manifest["subjects"]}
    return {name: int(counts[name]) for name in CLASSES}


def summarise(
    graded: dict[str, Any], registered: Mapping[str, int], province: dict[str, Any], period: str
) -> dict[str, ClassSummary]:
    """Sum up every class that has subjects, graded or not.

    Args:
        graded: Answer of ``yixin hub grade``.
        registered: Subjects of the simulated city by class.
        province: Answer of ``yixin hub status`` of the province's hub.
        period: Period that was graded.

    Returns:
        What became of each class, in the order of ``CLASSES``.
    """
    reports = {one["subject_class"]: one for one in graded["classes"]}
    held = province["pushed"].get(period, {})
    found = {}
    for name in CLASSES:
        report = reports.get(name)
        if report is None and not registered[name]:
            continue
        report = report or {"graded": 0, "not_rated": 0, "capped": 0, "distribution": ()}
        found[name] = ClassSummary(
            subjects=registered[name],
            graded=number(report, "graded"),
            not_rated=number(report, "not_rated"),
            capped=number(report, "capped"),
            pushed=sum(held.get(name, {}).values()),
            grade_distribution={
                one["grade"]: number(one, "count") for one in report["distribution"]
            },
        )
    return found


def basis_of(graded: dict[str, Any]) -> str:
    """Give the status of the model behind the grades of medical institutions.

    Args:
        graded: Answer of ``yixin hub grade``.
    """
    return next(
        str(one["basis"]) for one in graded["classes"] if one["subject_class"] == SUBJECT_CLASS
    )


def worst_of(verdicts: Iterable[str]) -> str:
    """Give ``valid`` where every verdict is, else the first that is not.

    Args:
        verdicts: The auditor's verdicts.
    """
    return next((verdict for verdict in verdicts if verdict != "valid"), "valid")
