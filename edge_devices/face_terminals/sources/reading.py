"""How a source's process reads: one reader a kind, the same three verbs.

Rules: a reader raises ``SourceError`` with words that name the source as it is shown; a frame is
blue, green, red, eight bits, and not larger than a slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from edge_devices.face_terminals.sources.camera import CameraReader
from edge_devices.face_terminals.sources.folder import FolderReader
from edge_devices.face_terminals.sources.port import SourceKind, SourceSpec
from edge_devices.face_terminals.sources.rtsp import StreamReader
from edge_devices.face_terminals.sources.slots import MAX_SIDE
from edge_devices.face_terminals.sources.video import VideoReader
from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scoring_kernel.faces.arrays import Frame

__all__ = ["Reader", "fitted", "open_reader"]


class Reader(Protocol):
    """Reads frames, one after the other."""

    def read(self) -> Frame | None:
        """The next frame; None: the recording is over.

        Raises:
            SourceError: No frame comes any more.
        """

    def rewind(self) -> None:
        """Begin anew.

        Raises:
            SourceError: The source cannot be opened again.
        """

    def close(self) -> None:
        """Give the source back."""


_READERS: Final[Mapping[SourceKind, Callable[[SourceSpec], Reader]]] = {
    SourceKind.CAMERA: CameraReader,
    SourceKind.RTSP: StreamReader,
    SourceKind.VIDEO: VideoReader,
    SourceKind.FOLDER: FolderReader,
}


def open_reader(spec: SourceSpec) -> Reader:
    """Open a source.

    Raises:
        SourceError: It is not there, or gives no pictures.
    """
    return _READERS[spec.kind](spec)


def fitted(frame: Frame, upscale: int) -> Frame:
    """A frame at the size that was asked for, and not larger than a slot.

    Args:
        frame: As it came.
        upscale: How much larger it is made.
    """
    height, width = frame.shape[:2]
    scale = min(float(upscale), MAX_SIDE / max(height, width))
    if scale == 1.0:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_CUBIC if scale > 1.0 else cv2.INTER_AREA
    return np.asarray(cv2.resize(frame, size, interpolation=how), np.uint8)
