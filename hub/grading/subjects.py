"""Who is graded: the institutions of the register (item 20), class by class.

Rules: the first letter of an institution code tells its class (定点医疗机构 or 定点零售
药店). An institution whose class has no model yet, or whose level or type the model
does not know, is counted and not graded. Having no statements is no reason to be
left out: coverage decides.

Source: national coding standard of designated institutions, letters H and P.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scoring_kernel.item_rows import ItemValue
    from scoring_kernel.model import RatingModel

REGISTER_ITEM: Final = "20"
MEDICAL_INSTITUTION: Final = "designated_medical_institution"
SUBJECT_CLASSES: Final = {"H": MEDICAL_INSTITUTION, "P": "designated_retail_pharmacy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One institution of the register.

    Attributes:
        code: Institution code.
        name: Name of the institution.
        level: Level: ``3``, ``2``, ``1`` or ``0``.
        type: Type, for example ``general``.
    """

    code: str
    name: str
    level: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectList:
    """The register, divided by whether a model can grade.

    Attributes:
        rated: Subjects of the model's class, by code.
        no_model: Number of institutions that this model does not grade.
    """

    rated: tuple[Subject, ...]
    no_model: int


def divide(rows: Iterable[Mapping[str, ItemValue]], model: RatingModel) -> SubjectList:
    """Divide the register's rows.

    Args:
        rows: Current rows of item 20.
        model: The model that will grade.
    """
    rated: list[Subject] = []
    no_model = 0
    for row in rows:
        subject = Subject(
            code=str(row["institution"]),
            name=str(row.get("name") or ""),
            level=str(row.get("level") or ""),
            type=str(row.get("type") or ""),
        )
        if (
            SUBJECT_CLASSES.get(subject.code[:1]) == model.subject_class
            and subject.level in model.levels
            and subject.type in model.types
        ):
            rated.append(subject)
        else:
            no_model += 1
    rated.sort(key=lambda subject: subject.code)
    return SubjectList(rated=tuple(rated), no_model=no_model)
