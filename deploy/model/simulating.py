"""An edited model against past measures: who moves, why, and how steady the grades are.

Rules:
- Old and new model score the same inputs with peers of their own, on the same day; so a
  difference comes from the model alone.
- The published distribution of grades is shown beside ours as a reference line, not as a goal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from deploy.errors import ModelChoiceError
from deploy.model.input_files import read_inputs
from deploy.model.scoring import score_table
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.model import NOT_RATED
from scoring_kernel.sensitivity import Sensitivity, sensitivity
from scoring_kernel.what_if import (
    PUBLISHED_SHARES_BP,
    SHIFTED_FROM,
    STEADY_BELOW,
    Move,
    distribution,
    grades_matrix,
    moves,
    rated_only,
    stability_index,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from deploy.model.choosing import Choice
    from scoring_kernel.scoring import ScoreResult
    from security.progress import ProgressReporter

PUBLISHED_MODEL: Final = "designated_medical_institution"
"""Model of the subjects whose published shares are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How far the new model's grades shifted from an earlier period.

    Attributes:
        index: Population stability index.
        reading: ``steady``, ``moving`` or ``shifted``.
    """

    index: float
    reading: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Subjects per label and grade by the old and the new model."""

    old: Mapping[str, Mapping[str, int]]
    new: Mapping[str, Mapping[str, int]]

    def to_json(self) -> dict[str, dict[str, dict[str, int]]]:
        """Both as one JSON object."""
        return {
            name: {label: dict(counts) for label, counts in side.items()}
            for name, side in (("old", self.old), ("new", self.new))
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Everything an edited model changes.

    Attributes:
        model: Model id.
        old_digest: Digest of the packaged model, hex.
        new_digest: Digest of the edited model, hex.
        day: Day for which parameters were read, ISO.
        subjects: Number of subjects.
        bands: Grade ids of the new model, best first, then those of the old one alone, then
            ``not_rated`` where it occurs.
        matrix: Subjects by old and new grade.
        moves: Subjects whose grade changes, the greatest loss first.
        before: Subjects per grade by the old model.
        after: Subjects per grade by the new model.
        by_level: The same by level, old and new.
        by_type: The same by type, old and new.
        sensitivity: Per indicator of the new model.
        stability: Against an earlier period, None without one.
    """

    model: str
    old_digest: str
    new_digest: str
    day: str
    subjects: int
    bands: tuple[str, ...]
    matrix: Mapping[tuple[str, str], int]
    moves: tuple[Move, ...]
    before: Mapping[str, int]
    after: Mapping[str, int]
    by_level: Sides
    by_type: Sides
    sensitivity: tuple[Sensitivity, ...]
    stability: Stability | None

    @property
    def published_bp(self) -> tuple[int, ...] | None:
        """Published shares of the grades, best first; None for other subjects or bands.

        They were published for medical institutions, in five grades.
        """
        rated = [grade for grade in self.bands if grade != NOT_RATED]
        fits = self.model == PUBLISHED_MODEL and len(rated) == len(PUBLISHED_SHARES_BP)
        return PUBLISHED_SHARES_BP if fits else None

    def to_json(self) -> dict[str, object]:
        """The whole comparison as one JSON object."""
        return {
            "model": self.model,
            "old_digest": self.old_digest,
            "new_digest": self.new_digest,
            "day": self.day,
            "subjects": self.subjects,
            "matrix": [
                {"old": old, "new": new, "subjects": count}
                for (old, new), count in sorted(self.matrix.items())
            ],
            "moves": [asdict(one) for one in self.moves],
            "before": dict(self.before),
            "after": dict(self.after),
            "by_level": self.by_level.to_json(),
            "by_type": self.by_type.to_json(),
            "published_bp": self.published_bp,
            "sensitivity": [asdict(one) for one in self.sensitivity],
            "stability": None if self.stability is None else asdict(self.stability),
        }


def run(
    edited: Choice,
    *,
    inputs: Path,
    earlier: Path | None,
    day: date,
    progress: ProgressReporter,
) -> WhatIf:
    """Score a period with the packaged and the edited model, and compare.

    Args:
        edited: The edited model, whose id must be a packaged one's.
        inputs: Inputs of the period.
        earlier: Inputs of an earlier period; None to leave stability out.
        day: Day for which parameters are read.
        progress: Told while it works.

    Raises:
        ModelChoiceError: No packaged model has the edited one's id.
        DeployError: A file of inputs is refused.
        KernelError: A model cannot score the inputs.
    """
    packaged = load_catalog().models.get(edited.model.id)
    if packaged is None:
        raise ModelChoiceError(
            f"no packaged model has the id {edited.model.id}: keep the id of the model you edit"
        )
    steps = 4 if earlier is not None else 3
    progress("simulate", 0, steps, "scorings")
    old = score_table(packaged, read_inputs(inputs, packaged, edited.catalog), day, None).result
    progress("simulate", 1, steps, "scorings")
    new = score_table(
        edited.model, read_inputs(inputs, edited.model, edited.catalog), day, None
    ).result
    progress("simulate", 2, steps, "scorings")
    before = None
    if earlier is not None:
        table = read_inputs(earlier, edited.model, edited.catalog)
        before = score_table(edited.model, table, day, None).result
        progress("simulate", 3, steps, "scorings")
    found = compare(old, new, before)
    progress("simulate", steps, steps, "scorings")
    return found


def compare(old: ScoreResult, new: ScoreResult, earlier: ScoreResult | None) -> WhatIf:
    """Compare two models on the same subjects.

    Args:
        old: Scores by the packaged model.
        new: Scores by the edited model.
        earlier: Scores of an earlier period by the edited model, for stability.

    Raises:
        KernelInputError: Old and new score other subjects, or a period has no rated subject.
    """
    after = distribution(new).get("all", {})
    before = distribution(old).get("all", {})
    return WhatIf(
        model=new.model.id,
        old_digest=old.model.digest.hex(),
        new_digest=new.model.digest.hex(),
        day=new.day.isoformat(),
        subjects=len(new.subjects),
        bands=_order(old, new),
        matrix=grades_matrix(old, new),
        moves=moves(old, new),
        before=before,
        after=after,
        by_level=Sides(old=distribution(old, old.levels), new=distribution(new, new.levels)),
        by_type=Sides(old=distribution(old, old.types), new=distribution(new, new.types)),
        sensitivity=sensitivity(new),
        stability=None if earlier is None else _stability(earlier, new),
    )


def _order(old: ScoreResult, new: ScoreResult) -> tuple[str, ...]:
    """Grades as they are shown: the new model's, the old one's, those that are not rated."""
    named = [band.id for result in (new, old) for band in result.model.bands]
    unrated = [NOT_RATED] if NOT_RATED in {*old.grades, *new.grades} else []
    return tuple(dict.fromkeys((*named, *unrated)))


def _stability(earlier: ScoreResult, now: ScoreResult) -> Stability:
    index = stability_index(
        rated_only(distribution(earlier).get("all", {})),
        rated_only(distribution(now).get("all", {})),
    )
    if index < STEADY_BELOW:
        return Stability(index=index, reading="steady")
    return Stability(index=index, reading="moving" if index < SHIFTED_FROM else "shifted")
