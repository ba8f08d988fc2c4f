"""The picture of a mismatch (比对不符抓拍): small, of the face, where the node wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame

__all__ = ["MAX_BYTES", "crop_face"]

MAX_BYTES: Final = 48 * 1024
"""Longest picture."""
_SIDE: Final = 256
_AROUND: Final = 1.5
"""Side of the square over the longest side of the face."""
_QUALITIES: Final = (85, 70, 50)


def crop_face(frame: Frame, box: tuple[float, float, float, float]) -> bytes:
    """Cut a face out of a frame.

    Args:
        frame: The frame.
        box: Left, top, width, height of the face, pixels.

    Returns:
        JPEG of at most ``MAX_BYTES``; empty where none can be made.
    """
    left, top, width, height = box
    side = max(width, height) * _AROUND
    x, y = left + width / 2 - side / 2, top + height / 2 - side / 2
    begin_x, end_x = max(0, int(x)), min(frame.shape[1], int(x + side))
    begin_y, end_y = max(0, int(y)), min(frame.shape[0], int(y + side))
    if end_x <= begin_x or end_y <= begin_y:
        return b""
    cut = frame[begin_y:end_y, begin_x:end_x]
    scale = min(1.0, _SIDE / max(cut.shape[:2]))
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)
    for quality in _QUALITIES:
        _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if encoded.size <= MAX_BYTES:
            return bytes(encoded)
    return b""
