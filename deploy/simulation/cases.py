"""What a row of a department's file is made from: somebody, their marks, and their work."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from deploy.simulation.city import City
from deploy.simulation.desk import Work
from deploy.simulation.marks import Marks
from deploy.simulation.population import CLASSES, Subject
from scoring_kernel.periods import Period

CASES_TAG: Final = 8

Row = dict[str, object]
"""Columns of a row besides the subject and the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One subject in one period, as seen by one department."""

    subject: Subject
    marks: Marks
    period: Period
    """The period; for registers the last one."""
    work: Work = field(default_factory=Work)
    """A doctor's work; nothing for everybody else."""


RowMaker = Callable[[Case], Row]


def case_of(
    city: City, subject: Subject, item: str, period: Period, work: Work | None = None
) -> Case:
    """Prepare the row of a subject.

    Args:
        city: The city.
        subject: The subject.
        item: Number of the information item; each has draws of its own.
        period: The period; for registers the last one.
        work: What the messages say about a doctor.

    Returns:
        The case.
    """
    key = (CLASSES.index(subject.subject_class), int.from_bytes(item.encode()))
    rng = city.rng(CASES_TAG, *key, period.year * 2 + period.half, *subject.key)
    return Case(
        subject=subject,
        marks=Marks(rank=subject.rank, rng=rng),
        period=period,
        work=work or Work(),
    )
