"""A camera that does as it is told: plays pictures, goes black, freezes, stalls, breaks.

It stands where a terminal's source stands (``sources.port.FrameSource``), in the same process.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from edge_devices.errors import SourceError
from edge_devices.face_terminals.sources.port import SourceKind, SourceSpec
from edge_devices.face_terminals.sources.reading import fitted, open_reader

if TYPE_CHECKING:
    from pathlib import Path

    from edge_devices.face_terminals.sources.reading import Reader
    from scoring_kernel.faces.arrays import Frame

__all__ = ["CameraMode", "SimulatedCamera", "played"]


class CameraMode(StrEnum):
    """What a camera does."""

    PLAYING = "playing"
    BLACK = "black"
    """Gives black frames."""
    FROZEN = "frozen"
    """Gives the same frame again and again."""
    STALLED = "stalled"
    """Gives nothing, and says nothing."""
    BROKEN = "broken"
    """Cannot be opened."""


def played(path: Path, *, pace: float = 0.0, upscale: int = 1) -> SourceSpec:
    """Name what a simulated camera plays.

    Args:
        path: A folder of pictures or a file of video.
        pace: Frames per second; 0: each frame when it is asked for, and an end.
        upscale: How much larger pictures are made.

    Returns:
        The source.
    """
    kind = SourceKind.FOLDER if path.is_dir() else SourceKind.VIDEO
    return SourceSpec(kind=kind, target=str(path), pace=pace, upscale=upscale)


class SimulatedCamera:
    """A camera of a simulation; belongs to one event loop."""

    def __init__(self, spec: SourceSpec) -> None:
        """Put a camera up.

        Args:
            spec: What it plays, see ``played``.

        Raises:
            SourceError: That is not there, or holds no pictures.
        """
        self._changed = asyncio.Event()
        self._mode = CameraMode.PLAYING
        self._last: Frame | None = None
        self.given = 0
        """Frames that were taken from it."""
        self._set(spec)

    @property
    def is_live(self) -> bool:
        """Whether it plays at a pace, round and round."""
        return self._spec.is_live

    @property
    def mode(self) -> CameraMode:
        """What it does."""
        return self._mode

    def turn(self, mode: CameraMode) -> None:
        """Let it do something else from now on; who waits for a frame notices."""
        self._mode = mode
        self._changed.set()

    def show(self, spec: SourceSpec) -> None:
        """Let somebody else step in front of it.

        Raises:
            SourceError: There is nothing to play.
        """
        self._reader.close()
        self._set(spec)
        self._changed.set()

    async def rewind(self) -> None:
        """Begin anew; a live one goes on."""
        if not self.is_live:
            self._reader.rewind()

    async def take(self) -> Frame | None:
        """Give the next frame; waits while the camera stalls.

        Returns:
            The frame, or None where a recording is over.

        Raises:
            SourceError: The camera is broken, or nothing can be read.
        """
        if self.is_live:
            await asyncio.sleep(1.0 / self._spec.pace)
        while self._mode is CameraMode.STALLED:
            self._changed.clear()
            await self._changed.wait()
        if self._mode is CameraMode.BROKEN:
            raise SourceError("the simulated camera is broken, as it was told; turn it on again")
        frame = self._next()
        self.given += frame is not None
        return frame

    def _next(self) -> Frame | None:
        if self._mode is CameraMode.FROZEN and self._last is not None:
            return self._last
        frame = self._reader.read()
        if frame is None:
            if not self.is_live:
                return None
            self._reader.rewind()
            frame = self._reader.read()
            if frame is None:
                return None
        frame = fitted(frame, self._spec.upscale)
        self._last = frame
        return np.zeros_like(frame) if self._mode is CameraMode.BLACK else frame

    def _set(self, spec: SourceSpec) -> None:
        self._reader: Reader = open_reader(spec)
        self._spec: SourceSpec = spec
