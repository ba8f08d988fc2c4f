"""From pixels to what a model is fed, as its manifest says.

Rules:
- (pixel - mean) / scale, float32, has 256 values a channel: they are made once, then looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.faces.manifest import ChannelOrder
from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    import numpy.typing as npt

    from scoring_kernel.faces.arrays import Frame
    from scoring_kernel.faces.manifest import InputSpec


class Preprocessing:
    """What one model is fed."""

    def __init__(self, spec: InputSpec) -> None:
        pixels = np.arange(256, dtype=np.float32)
        self._tables: Final = tuple(
            (pixels - np.float32(mean)) / np.float32(scale)
            for mean, scale in zip(spec.mean, spec.scale, strict=True)
        )
        self._channels: Final = (2, 1, 0) if spec.channels is ChannelOrder.RGB else (0, 1, 2)
        self._size: Final = (spec.width, spec.height)

    def tensor(self, image: Frame) -> npt.NDArray[np.float32]:
        """Make the tensor of a picture.

        Args:
            image: Blue, green, red, shape (h, w, 3); made of the model's size where it is not.

        Returns:
            Shape (1, 3, height, width), contiguous.
        """
        width, height = self._size
        if image.shape[:2] != (height, width):
            image = np.asarray(cv2.resize(image, self._size), np.uint8)
        made = np.empty((1, len(self._tables), height, width), np.float32)
        for place, (table, channel) in enumerate(zip(self._tables, self._channels, strict=True)):
            np.take(table, image[:, :, channel], out=made[0, place])
        return made
