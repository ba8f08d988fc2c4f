"""What a grading run found: how many subjects in each grade (评级分布)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
class GradeReport:
    """What a run did.

    Attributes:
        run_id: The run that holds now.
        period: Rating period.
        model: Id of the model.
        basis: ``proposal`` or ``final``; every output says which.
        changed: False when inputs and rules were those of the run before, which then holds.
        graded: Subjects with a grade.
        not_rated: Subjects below the model's least coverage.
        no_model: Institutions of the register that no model grades.
        new_versions: Subjects whose grade statement changed.
        open_faults: Lines of department files for these periods that stay refused.
        incomplete: Whether it went ahead without every statement; then no reference is frozen.
        silent: Institutions that had stated nothing; not looked for once a reference is frozen.
        distribution: Every grade of the model, best first.
    """

    run_id: int
    period: str
    model: str
    basis: str
    changed: bool
    graded: int
    not_rated: int
    no_model: int
    new_versions: int
    open_faults: int
    incomplete: bool
    silent: int
    distribution: tuple[BandShare, ...]


def distribute(bands: Sequence[BandName], grades: Iterable[str]) -> tuple[BandShare, ...]:
    """Count grades, the empty ones too; shares are of the rated subjects, rounded half up.

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
