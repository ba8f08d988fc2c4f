"""A recording: a file of video, read through FFmpeg."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_devices.errors import SourceError
from edge_devices.face_terminals.sources.capturing import read_frame
from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from edge_devices.face_terminals.sources.port import SourceSpec
    from scoring_kernel.faces.arrays import Frame

__all__ = ["VideoReader"]


class VideoReader:
    """Reads a file of video."""

    def __init__(self, spec: SourceSpec) -> None:
        """Open the file.

        Raises:
            SourceError: It is not there, or no video.
        """
        self._name: Final = spec.shown
        self._path: Final = Path(spec.target)
        self._frames = 0
        self._capture = self._open()

    def read(self) -> Frame | None:
        """The next frame; None at the end.

        Raises:
            SourceError: There was none at all.
        """
        frame = read_frame(self._capture)
        if frame is not None:
            self._frames += 1
            return frame
        if self._frames == 0:
            raise SourceError(
                f"{self._name} holds no frame that can be read: it is damaged or of a codec that "
                "is not read; convert it to MJPEG or H.264"
            )
        return None

    def rewind(self) -> None:
        """Begin with the first frame.

        Raises:
            SourceError: The file is gone.
        """
        self.close()
        self._capture = self._open()

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _open(self) -> cv2.VideoCapture:
        if not self._path.is_file():
            raise SourceError(f"{self._name}: no such file; name a file of video")
        # The FFmpeg backend alone: another would take the name for a pattern of pictures.
        capture = cv2.VideoCapture(str(self._path.absolute()), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise SourceError(
                f"{self._name} is no video that can be read, or damaged; expected for example "
                "AVI with MJPEG or MP4 with H.264"
            )
        self._frames = 0
        return capture
