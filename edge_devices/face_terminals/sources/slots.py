"""Frames in memory that two processes share: anonymous, so that nothing of a face is left behind.

Rules:
- The memory is a ``memfd``: it has no name, lies in no directory, and is gone with its processes.
- It has two slots. The source's process writes into a slot that it was given, and tells of it over
  a pipe; the terminal copies the frame and gives the slot back over another. So a frame is never
  read while it is written, on any processor.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame

__all__ = ["MAX_SIDE", "SLOTS", "FrameSlots"]

MAX_SIDE: Final = 1920
"""Longest side of a frame, pixels; larger ones are made smaller."""
SLOTS: Final = 2
_SLOT_BYTES: Final = MAX_SIDE * MAX_SIDE * 3
_BYTES: Final = SLOTS * _SLOT_BYTES


class FrameSlots:
    """Two slots for frames; memory is taken only for what was written."""

    def __init__(self, descriptor: int) -> None:
        """Map the memory of a descriptor, which stays open.

        Raises:
            OSError: It is no memory of this size.
        """
        self.descriptor: Final = descriptor
        self._memory: Final = mmap.mmap(descriptor, _BYTES)

    @classmethod
    def create(cls) -> FrameSlots:
        """Make the memory."""
        descriptor = os.memfd_create("frames", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _BYTES)
        return cls(descriptor)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.descriptor)

    def write(self, slot: int, frame: Frame) -> None:
        """Put a frame into a slot.

        Raises:
            ValueError: The frame does not fit.
        """
        if frame.nbytes > _SLOT_BYTES:
            raise ValueError(f"a frame of {frame.nbytes} bytes, expected at most {_SLOT_BYTES}")
        view = self._view(slot, frame.shape[0], frame.shape[1])
        view[:] = frame

    def read(self, slot: int, height: int, width: int) -> Frame:
        """Copy a frame out of a slot.

        Raises:
            ValueError: No such slot or size.
        """
        return self._view(slot, height, width).copy()

    def _view(self, slot: int, height: int, width: int) -> Frame:
        size = height * width * 3
        if not 0 <= slot < SLOTS or min(height, width) < 1 or size > _SLOT_BYTES:
            raise ValueError(f"slot {slot} with {width} by {height} pixels")
        flat = np.frombuffer(self._memory, np.uint8, size, slot * _SLOT_BYTES)
        return flat.reshape(height, width, 3)
