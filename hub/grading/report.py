"""What a grading run found: how many subjects in each grade (评级分布)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hub.store.grade_runs import BandName

_WHOLE_BP: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BandShare:
    """One grade of a distribution.

    Attributes:
        grade: Grade id.
        name_zh: Chinese name.
        count: Number of subjects, also when it is 0.
        share_bp: Share of the rated subjects, hundredths of a percent.
    """

    grade: str
    name_zh: str
    count: int
    share_bp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A subject of a class whose level or type the class's model does not know."""

    subject: str
    level: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotImported:
    """An item that overrides need and that was not imported for the period."""

    item: str
    name_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeReport:
    """What a run of one class did.

    Attributes:
        run_id: The run that holds now.
        period: Rating period.
        subject_class: Class of subjects.
        model: Id of the model.
        basis: ``proposal`` or ``final``; every output says which.
        changed: False when inputs and rules were those of the run before, which then holds.
        graded: Subjects with a grade.
        not_rated: Subjects below the model's least coverage that no override caps.
        capped: Subjects whose grade an override lowered.
        undetermined: Subjects scored by this run for whom an override cannot be judged.
        not_imported: Items that were not imported for the period and left it unjudged.
        no_model: Subjects of the class whose level or type the model does not know.
        unknown: The first of these.
        new_versions: Subjects whose grade statement changed.
        open_faults: Lines of department files for these periods that stay refused.
        incomplete: Whether it went ahead without every statement; then no reference is frozen.
        silent: Institutions that had stated nothing; not looked for once a reference is frozen.
        distribution: Every grade of the model, best first.
    """

    run_id: int
    period: str
    subject_class: str
    model: str
    basis: str
    changed: bool
    graded: int
    not_rated: int
    capped: int
    undetermined: int
    not_imported: tuple[NotImported, ...]
    no_model: int
    unknown: tuple[Unknown, ...]
    new_versions: int
    open_faults: int
    incomplete: bool
    silent: int
    distribution: tuple[BandShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A class that was not graded, and why."""

    subject_class: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodReport:
    """What a grading of all classes, or of some, did.

    Attributes:
        period: Rating period.
        classes: One report per class that was graded.
        skipped: Classes that were not.
    """

    period: str
    classes: tuple[GradeReport, ...]
    skipped: tuple[Skipped, ...]


def distribute(
    bands: Sequence[BandName], grades: Iterable[str] | Mapping[str, int]
) -> tuple[BandShare, ...]:
    """Count grades, the empty ones too; shares are of the rated subjects, rounded half up.

    Args:
        bands: Grades of the model, best first.
        grades: A grade per subject, or their numbers by grade.

    >>> from hub.store.grade_runs import BandName
    >>> bands = [BandName(id="a", name_zh="甲"), BandName(id="b", name_zh="乙")]
    >>> [(one.count, one.share_bp) for one in distribute(bands, ["a", "not_rated", "a"])]
    [(2, 10000), (0, 0)]
    """
    counts = Counter(grades)
    rated = counts.total() - counts[NOT_RATED]
    return tuple(
        BandShare(
            grade=band.id,
            name_zh=band.name_zh,
            count=counts[band.id],
            share_bp=(2 * _WHOLE_BP * counts[band.id] + rated) // (2 * rated) if rated else 0,
        )
        for band in bands
    )
