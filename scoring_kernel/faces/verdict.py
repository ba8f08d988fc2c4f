"""The verdict (核验结论) on what a device found: one table, the same at device and node.

Rules:
- A score counts only against a threshold that was calibrated for its model; without one
  nothing is judged. No number here is a threshold.
- A spoof is a spoof, whatever its score. Where liveness is required, an unchecked face is not
  judged, neither for nor against the person.
- Nobody who came is absent; nobody who could be seen is unjudged, and a cause says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scoring_kernel.faces.examined import LivenessAnswer


class Finding(StrEnum):
    """What a device found before anybody judged it."""

    COMPARED = "compared"
    SPOOF = "spoof"
    ABSENT = "absent"
    UNJUDGED = "unjudged"


class Verdict(StrEnum):
    """What is held of it, as the record ``identity_event`` writes it."""

    MATCH = "match"
    MISMATCH = "mismatch"
    ABSENT = "absent"
    SPOOF = "spoof"
    UNJUDGED = "unjudged"


class Cause(StrEnum):
    """Why nothing was judged; the first seven are faults of the picture (``ImageFault``)."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    DARK = "dark"
    BLURRED = "blurred"
    POSE = "pose"
    OCCLUDED = "occluded"
    NO_SOURCE = "no_source"
    NO_TEMPLATE = "no_template"
    OTHER_MODEL = "other_model"
    OFFLINE = "offline"
    NOT_CALIBRATED = "not_calibrated"
    LIVENESS_NOT_CHECKED = "liveness_not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a device found.

    Attributes:
        finding: In one word.
        score_e4: Similarity, ten-thousandths, rounded down; set where something was compared.
        liveness: Whether the face lives.
        cause: Why nothing could be compared; set where nothing was.

    Raises:
        ValueError: A comparison without a score, an unjudged finding without a cause, or one
            of both where it does not belong.
    """

    finding: Finding
    score_e4: int | None = None
    liveness: LivenessAnswer = LivenessAnswer.NOT_CHECKED
    cause: Cause | None = None

    def __post_init__(self) -> None:
        if (self.score_e4 is None) == (self.finding is Finding.COMPARED):
            raise ValueError(f"found a {self.finding} finding with score {self.score_e4}")
        if (self.cause is None) == (self.finding is Finding.UNJUDGED):
            raise ValueError(f"found a {self.finding} finding with cause {self.cause}")


def judge(
    found: Found, threshold_e4: int | None, *, liveness_required: bool
) -> tuple[Verdict, Cause | None]:
    """Judge what a device found.

    Args:
        found: The finding.
        threshold_e4: Threshold in force for its model at its site, ten-thousandths, rounded
            up; None: there is none.
        liveness_required: Whether a face that was not checked for liveness counts as nothing.

    Returns:
        The verdict, and the cause of an unjudged one.

    >>> found = Found(finding=Finding.COMPARED, score_e4=5300, liveness=LivenessAnswer.LIVE)
    >>> judge(found, 5200, liveness_required=True)[0].value
    'match'
    >>> judge(found, None, liveness_required=True)[1].value
    'not_calibrated'
    """
    if found.finding is Finding.ABSENT:
        return Verdict.ABSENT, None
    if found.finding is Finding.SPOOF or found.liveness is LivenessAnswer.SPOOF:
        return Verdict.SPOOF, None
    if found.score_e4 is None:
        return Verdict.UNJUDGED, found.cause
    if threshold_e4 is None:
        return Verdict.UNJUDGED, Cause.NOT_CALIBRATED
    if liveness_required and found.liveness is not LivenessAnswer.LIVE:
        return Verdict.UNJUDGED, Cause.LIVENESS_NOT_CHECKED
    return (Verdict.MATCH if found.score_e4 >= threshold_e4 else Verdict.MISMATCH), None
