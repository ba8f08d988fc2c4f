"""Alignment (人脸对齐): five points of a face are laid on those that models were trained with.

Rules:
- Turn, one scale and a shift, no mirror: the nearest such move in the sense of least squares.
- Where the picture ends, the crop is black.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.examined import ImageFault
from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import DoubleMatrix, FloatMatrix, Frame

SIDE: Final = 112
"""Of an aligned crop, pixels."""
FIVE_POINTS: Final = np.array(
    (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    )
)
"""Right eye, left eye, nose, right and left corner of the mouth in the crop, pixels.

Source:
    ArcFace (insightface), the five points of 112 by 112 crops; SFace of opencv_zoo uses the same.
"""
_LEAST_SPREAD: Final = 1e-3
_MOST_SPREAD: Final = 1e12


def align(frame: Frame, points: FloatMatrix) -> Frame:
    """Cut a face out, upright and of one size.

    Args:
        frame: The picture.
        points: Five points in it, in the order of ``FIVE_POINTS``, shape (5, 2).

    Returns:
        The crop, shape (112, 112, 3).

    Raises:
        FaceImageError: The points lie on one another.
    """
    crop = cv2.warpAffine(frame, similarity(points.astype(np.float64), FIVE_POINTS), (SIDE, SIDE))
    return np.asarray(crop, np.uint8)


def similarity(source: DoubleMatrix, target: DoubleMatrix) -> DoubleMatrix:
    """Find the move that lays points on others.

    Args:
        source: Shape (n, 2).
        target: Shape (n, 2).

    Returns:
        Turn and scale, then shift, shape (2, 3).

    Raises:
        FaceImageError: The source points lie on one another, or are no numbers.

    Source:
        S. Umeyama, Least-squares estimation of transformation parameters between two point
        patterns (1991); in the plane, points as complex numbers, without mirrors.

    >>> similarity(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[5.0, 5.0], [5.0, 7.0]])).tolist()
    [[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]
    """
    # Plain numbers: of five points, arrays cost more than the sums.
    given, wanted = ([complex(x, y) for x, y in points.tolist()] for points in (source, target))
    middle, aim = sum(given) / len(given), sum(wanted) / len(wanted)
    spread = sum(((one - middle) * (one - middle).conjugate()).real for one in given)
    if not _LEAST_SPREAD < spread < _MOST_SPREAD:
        raise FaceImageError(
            ImageFault.POSE, "found points of a face on one another: take another picture"
        )
    pairs = zip(given, wanted, strict=True)
    factor = sum((one - middle).conjugate() * (other - aim) for one, other in pairs) / spread
    shift = aim - factor * middle
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )
