"""A camera of this machine (Video4Linux)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_devices.errors import SourceError
from edge_devices.face_terminals.sources.capturing import read_frame
from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from edge_devices.face_terminals.sources.port import SourceSpec
    from scoring_kernel.faces.arrays import Frame

__all__ = ["CameraReader"]

_DEVICES: Final = "/dev/video{0}"
_MISSED: Final = 10
"""Frames in a row that may fail to come."""


class CameraReader:
    """Reads a camera."""

    def __init__(self, spec: SourceSpec) -> None:
        """Open the camera.

        Raises:
            SourceError: There is none of this number, it is not for this user, or in use.
        """
        self._name: Final = spec.shown
        self._number: Final = int(spec.target)
        self._path: Final = Path(_DEVICES.format(self._number))
        self._capture = self._open()

    def read(self) -> Frame | None:
        """The next frame.

        Raises:
            SourceError: The camera gives none any more.
        """
        for _ in range(_MISSED):
            frame = read_frame(self._capture)
            if frame is not None:
                return frame
        raise SourceError(
            f"{self._name} gave no frame {_MISSED} times in a row; look at its plug and cable"
        )

    def rewind(self) -> None:
        """A camera has no beginning."""

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()

    def _open(self) -> cv2.VideoCapture:
        if not self._path.exists():
            there = sorted(path.name for path in Path("/dev").glob("video[0-9]*"))
            raise SourceError(
                f"{self._name}: {self._path} is not there, found "
                f"{', '.join(there) or 'no camera'}; plug it in, or name another"
            )
        try:
            with self._path.open("rb"):
                pass
        except PermissionError as error:
            raise SourceError(
                f"{self._name}: {self._path} is not open to this user; add it to the group video"
            ) from error
        except OSError as error:
            raise SourceError(
                f"{self._name}: {self._path} cannot be opened ({error.strerror})"
            ) from error
        capture = cv2.VideoCapture(self._number, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise SourceError(
                f"{self._name}: {self._path} gives no pictures; end the program that uses it, or "
                "name another"
            )
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture
