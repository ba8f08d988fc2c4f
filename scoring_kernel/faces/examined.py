"""What one picture said: faces, why none was fit, its vector, and whether it lives.

Rules:
- Liveness (活体检测) has three answers: live, spoof, not checked; the last is no kind of yes.
- Vectors and points never enter a repr, a log or a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from scoring_kernel.errors import FaceImageError

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import FloatMatrix, FloatVector
    from scoring_kernel.faces.quality import Quality


class ImageFault(StrEnum):
    """Why no face of a picture is fit to be compared, in the order in which it is looked for."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    DARK = "dark"
    BLURRED = "blurred"
    POSE = "pose"
    OCCLUDED = "occluded"


class LivenessAnswer(StrEnum):
    """Whether the face is that of somebody who stands there (活体检测)."""

    LIVE = "live"
    SPOOF = "spoof"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessCheck:
    """One check of liveness.

    Attributes:
        answer: Live, spoof or not checked.
        live_e4: Probability of a living face, ten-thousandths, rounded down; None: not checked.
    """

    answer: LivenessAnswer
    live_e4: int | None = None


NOT_CHECKED = LivenessCheck(answer=LivenessAnswer.NOT_CHECKED)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DetectedFace:
    """A face in a picture, in its pixels; it may lie partly outside.

    Attributes:
        box: Left, top, width, height.
        points: Right eye, left eye, nose, right and left corner of the mouth, as the person's
            own right and left; shape (5, 2), x before y.
        score: Confidence of the detector, 0 to 1.
    """

    box: tuple[float, float, float, float]
    points: FloatMatrix = field(repr=False)
    score: float

    @property
    def side(self) -> float:
        """Longest side of the box, pixels."""
        return max(self.box[2:])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examined:
    """What one picture said.

    Attributes:
        faces: How many faces were found, small ones in the background among them.
        fault: Why no face of it may be compared; None: one may.
        problem: The fault in words: what was measured, what was expected; empty without one.
        quality: What was measured on the largest face; None without a face.
        face: The largest face; None without a face.
        vector: Its vector, unit length; None with a fault.
        liveness: Whether it lives; told with a face that is turned or covered too, not with one
            that is too small, dark or blurred.
    """

    faces: int
    fault: ImageFault | None = None
    problem: str = ""
    quality: Quality | None = None
    face: DetectedFace | None = field(default=None, repr=False)
    vector: FloatVector | None = field(default=None, repr=False)
    liveness: LivenessCheck = NOT_CHECKED

    def verify_face(self) -> FloatVector:
        """Give the vector, or say why there is none.

        Returns:
            Unit vector, float32, shape (d,).

        Raises:
            FaceImageError: No single face was fit to be compared.
        """
        if self.vector is None:
            raise FaceImageError(self.fault or ImageFault.NO_FACE, self.problem)
        return self.vector
