"""Measuring how good a face is to be compared: what ``quality`` then judges.

Rules:
- Light, sharpness and contrasts are measured on the aligned crop: all faces at one size.
- Places are those of eyes and mouth in an aligned crop, not those of the detector.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.quality import Quality

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame
    from scoring_kernel.faces.examined import DetectedFace

_EYES: Final = ((51, 38), (51, 73))
"""Row and column in the crop."""
_MOUTH: Final = (92, 56)
_HALF: Final = (9, 13)
"""Half the height and width of a patch."""
_FLAT: Final = 1e-6


def measure(face: DetectedFace, crop: Frame, second_share: float) -> Quality:
    """Measure a face.

    Args:
        face: As it was detected.
        crop: Aligned, shape (112, 112, 3).
        second_share: Side of the second face over this one's; 0 without one.

    Returns:
        What was measured.
    """
    # Plain numbers: of five points, arrays cost more than the sums.
    right, left, nose, right_mouth, left_mouth = (complex(x, y) for x, y in face.points.tolist())
    line = left - right
    distance = abs(line)
    eyes, mouth = (left + right) / 2, (left_mouth + right_mouth) / 2
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))
    mean, deviation = (float(one.item()) for one in cv2.meanStdDev(grey))
    edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))[1]
    return Quality(
        score=face.score,
        second_share=second_share,
        eye_distance=distance,
        brightness=mean,
        deviation=deviation,
        sharpness=float(edges.item()) ** 2,
        roll=math.degrees(math.atan2(line.imag, line.real)),
        yaw=_ratio(((nose - right) * line.conjugate()).real, distance**2),
        pitch=_ratio(abs(nose - eyes), abs(mouth - eyes)),
        eye_contrast=min(_contrast(grey, place, deviation) for place in _EYES),
        mouth_contrast=_contrast(grey, _MOUTH, deviation),
    )


def _contrast(grey: np.ndarray, place: tuple[int, int], deviation: float) -> float:
    (row, column), (high, wide) = place, _HALF
    patch = grey[row - high : row + high + 1, column - wide : column + wide + 1]
    return _ratio(float(cv2.meanStdDev(patch)[1].item()), deviation)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > _FLAT else 0.0
