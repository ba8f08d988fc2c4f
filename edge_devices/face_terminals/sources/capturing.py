"""What OpenCV's captures give, as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame

__all__ = ["read_frame"]

_GREY: Final = 2


def read_frame(capture: cv2.VideoCapture) -> Frame | None:
    """Read the next frame; None: there is none.

    Args:
        capture: An open capture.
    """
    is_read, read = capture.read()
    if not is_read or not read.size:
        return None
    frame = np.asarray(read, np.uint8)
    return (
        np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
        if (frame.ndim == _GREY)
        else frame
    )
