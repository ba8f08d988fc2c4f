"""Cutting a square around a face, black where the picture ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame


def cut_square(
    frame: Frame, box: tuple[float, float, float, float], factor: float, least_inside: float
) -> tuple[Frame, tuple[int, int]] | None:
    """Cut a square with the middle of a box.

    Args:
        frame: The picture.
        box: Left, top, width, height.
        factor: Side of the square over the longest side of the box.
        least_inside: Part of the square that has to lie within the picture, above 0; it bounds
            what is made of a box beyond all measure.

    Returns:
        The square, and where its left upper corner is in the picture, x before y; None where
        too much of it lies outside.
    """
    left, top, width, height = box
    length = max(width, height) * factor
    side = round(length)
    x, y = round(left + width / 2 - length / 2), round(top + height / 2 - length / 2)
    rows, columns = frame.shape[:2]
    first, last, begin, end = max(0, y), min(rows, y + side), max(0, x), min(columns, x + side)
    inside = max(0, last - first) * max(0, end - begin)
    if inside == 0 or inside < least_inside * side * side:
        return None
    seen = frame[first:last, begin:end]
    if inside != side * side:
        edges = (first - y, y + side - last, begin - x, x + side - end)
        seen = np.asarray(cv2.copyMakeBorder(seen, *edges, cv2.BORDER_CONSTANT), np.uint8)
    return seen, (x, y)
