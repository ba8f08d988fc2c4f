"""Judge photos of which it is known whether somebody stood there.

A handful of photos shows that a model is fed as its manifest says. It is no measure of how often
the model is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_devices.evaluation.known_faces import LivenessPhoto, read_picture
from scoring_kernel.faces.decoding import decode
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer

if TYPE_CHECKING:
    from scoring_kernel.faces.pipeline import FacePipeline

__all__ = ["JudgedPhoto", "judge_photos"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPhoto:
    """What was answered for a photo.

    Attributes:
        name: Its file.
        expected: What it is; None where its name does not say.
        answer: What was answered.
        live_e4: Probability of a living face, ten-thousandths; None: not checked.
        fault: Why its face is not fit to be compared; None: it is.
    """

    name: str
    expected: LivenessAnswer | None
    answer: LivenessAnswer
    live_e4: int | None
    fault: ImageFault | None

    @property
    def is_right(self) -> bool | None:
        """Whether the answer is what was expected; None where nothing was."""
        return None if self.expected is None else self.answer is self.expected


def judge_photos(
    photos: Sequence[LivenessPhoto], pipeline: "FacePipeline"
) -> tuple[JudgedPhoto, ...]:
    """Judge photos.

    Args:
        photos: Which.
        pipeline: Models and gate.

    Raises:
        FaceImageError: One cannot be read.
        FaceModelError: A model fails.
    """
    judged = []
    for photo in photos:
        found = pipeline.examine(decode(read_picture(photo.path)))
        judged.append(
            JudgedPhoto(
                name=photo.path.name,
                expected=photo.expected,
                answer=found.liveness.answer,
                live_e4=found.liveness.live_e4,
                fault=found.fault,
            )
        )
    return tuple(judged)
