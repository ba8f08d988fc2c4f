"""A stream of a network camera (RTSP), over TCP, read through FFmpeg."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from edge_devices.errors import SourceError
from edge_devices.face_terminals.sources.capturing import read_frame
from scoring_kernel.faces.opencv import cv2

if TYPE_CHECKING:
    from edge_devices.face_terminals.sources.port import SourceSpec
    from scoring_kernel.faces.arrays import Frame

__all__ = ["StreamReader"]

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_MS: Final = 5_000
_OPTIONS: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


class StreamReader:
    """Reads a stream."""

    def __init__(self, spec: SourceSpec) -> None:
        """Open the stream.

        Raises:
            SourceError: Nobody answers, or what answers gives no stream.
        """
        self._name: Final = spec.shown
        self._capture = self._open(spec)

    def read(self) -> Frame | None:
        """The next frame.

        Raises:
            SourceError: The stream broke.
        """
        frame = read_frame(self._capture)
        if frame is None:
            raise SourceError(
                f"{self._name}: the stream broke; it is opened again. If it stays so, look at the "
                "camera and the network"
            )
        return frame

    def rewind(self) -> None:
        """A stream has no beginning."""

    def close(self) -> None:
        """Close the stream."""
        self._capture.release()

    def _open(self, spec: SourceSpec) -> cv2.VideoCapture:
        host, port = spec.address
        try:
            with socket.create_connection((host, port), CONNECT_TIMEOUT_S):
                pass
        except OSError as error:
            why = error.strerror or "no answer in time"
            raise SourceError(
                f"{self._name} cannot be reached ({why}); check address, port and network"
            ) from error
        os.environ[_OPTIONS] = "rtsp_transport;tcp"
        capture = cv2.VideoCapture(
            spec.target,
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                READ_TIMEOUT_MS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                READ_TIMEOUT_MS,
            ],
        )
        if not capture.isOpened():
            raise SourceError(
                f"{self._name} answers and gives no stream; check path, user and password, and "
                "that the camera offers MJPEG or H.264"
            )
        return capture
