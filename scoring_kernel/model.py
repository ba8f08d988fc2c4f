"""The rating model (评级模型): indicators, weights, bands and what it may be used for.

Rules:
- A model is one file; its digest is the SHA-256 of the file's bytes, and every
  score names it.
- ``draft`` cannot grade; ``proposal`` grades and says so; ``final`` needs every
  source checked and every indicator final.
- How the file is read and what is refused is ``model_files.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.bands import NOT_RATED, Band, BandSet
from scoring_kernel.errors import DraftModelError, ModelNotInForceError
from scoring_kernel.indicators import Indicator, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from scoring_kernel.groups import Group
    from scoring_kernel.overrides import Override
    from scoring_kernel.register_spec import Register

__all__ = [
    "MAX_INDICATORS",
    "NOT_RATED",
    "SUBJECT_CLASSES",
    "Band",
    "BandSet",
    "PeerLabel",
    "RatingModel",
]

MAX_INDICATORS: Final = 52
"""Most indicators of a model: a missing pattern is one exact float64."""

SUBJECT_CLASSES: Final = (
    "designated_medical_institution",
    "designated_retail_pharmacy",
    "physician",
    "nurse",
    "pharmacist",
    "insured_person",
    "employer",
    "supplier",
    "third_party_provider",
)
"""Classes of subjects (主体类别) that are rated; the catalogue has models of no other."""


class PeerLabel(StrEnum):
    """The label that peers still share where too few share level and type."""

    LEVEL = "level"
    TYPE = "type"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingModel:
    """A complete model.

    Attributes:
        id: Id; also the file's name.
        alias: Short name for the command line; None without one.
        subject_class: Class of subjects it rates (主体类别).
        name_zh: Chinese name.
        name_en: English name.
        status: Draft, proposal or final.
        since: First day for which the model may score.
        until: First day for which it may not any more; None while it holds.
        basis: Key of the source of groups and weights.
        digest: SHA-256 of the model file, 32 bytes.
        register: Where its subjects are listed.
        pushed: Whether grades are pushed to the parent hub.
        levels: Levels of subject, as inputs name them.
        types: Types of subject, as inputs name them.
        total_centi: Sum of all weights, hundredths.
        min_coverage: Least weight of present indicators for a grade, hundredths.
        min_peer: Least members of a peer group, of all subjects too.
        peers: Which label is kept where the group of both is too small.
        groups: All groups, each of level 1 before its own.
        indicators: Indicators in order of their numbers.
        band_sets: Sets of bands by id; the first one grades.
        overrides: Reasons to cap a grade, in the order of the file.
    """

    id: str
    alias: str | None
    subject_class: str
    name_zh: str
    name_en: str
    status: Status
    since: date
    until: date | None
    basis: str
    digest: bytes
    register: Register
    pushed: bool
    levels: tuple[str, ...]
    types: tuple[str, ...]
    total_centi: int
    min_coverage: int
    min_peer: int
    peers: PeerLabel
    groups: tuple[Group, ...]
    indicators: tuple[Indicator, ...]
    band_sets: Mapping[str, BandSet]
    overrides: tuple[Override, ...]

    @property
    def bands(self) -> tuple[Band, ...]:
        """Grades of the set that grades, best first."""
        return next(iter(self.band_sets.values())).bands

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Input columns of all indicators and overrides, sorted, each once."""
        found = {column for one in self.indicators for column in one.columns}
        found |= {column for one in self.overrides for column in one.columns}
        return tuple(sorted(found))

    def refuse_day(self, day: date) -> None:
        """Refuse a day for which the model does not hold.

        Raises:
            ModelNotInForceError: The day lies before ``since``, or on or after ``until``.
        """
        if day < self.since or (self.until is not None and day >= self.until):
            until = "" if self.until is None else f" until {self.until.isoformat()}"
            raise ModelNotInForceError(
                f"model {self.id} holds from {self.since.isoformat()}{until}, asked for "
                f"{day.isoformat()}: use the model of that time, or another day"
            )

    def refuse_draft(self) -> None:
        """Refuse to grade with a draft.

        Raises:
            DraftModelError: The model's status is ``draft``.
        """
        if self.status is Status.DRAFT:
            raise DraftModelError(
                f"model {self.id} is a draft and cannot grade: raise its status to proposal first"
            )
