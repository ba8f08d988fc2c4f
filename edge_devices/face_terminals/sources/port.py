"""What a source is, and how it is named on a command line.

Rules:
- A live source (camera, stream, recording at a pace) gives its newest frame and never ends; what
  nobody took is gone. A recording without a pace gives each frame once, in order, when asked, and
  begins anew for every verification.
- The address of a stream is shown without user and password, everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from edge_devices.errors import DeviceConfigurationError

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame

__all__ = ["FrameSource", "SourceKind", "SourceSpec", "parse_source"]

MAX_PACE: Final = 60.0
"""Frames per second."""
MAX_UPSCALE: Final = 8
_MAX_CAMERA: Final = 63
_MAX_TARGET: Final = 1024
_RTSP: Final = ("rtsp", "rtsps")
_RTSP_PORT: Final = 554


class SourceKind(StrEnum):
    """What gives the pictures."""

    CAMERA = "camera"
    RTSP = "rtsp"
    VIDEO = "video"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A source, as named."""

    kind: SourceKind
    """What it is."""
    target: str = field(repr=False)
    """Number of the camera, address of the stream, path of the file or folder."""
    pace: float = 0.0
    """Frames per second of a recording; 0: each frame when it is asked for."""
    upscale: int = 1
    """Pictures are made so many times larger."""

    @property
    def is_live(self) -> bool:
        """Whether it gives its newest frame and never ends."""
        return self.kind in {SourceKind.CAMERA, SourceKind.RTSP} or self.pace > 0

    @property
    def shown(self) -> str:
        """How it is called in messages and logs."""
        if self.kind is not SourceKind.RTSP:
            return f"{self.kind}:{self.target}"
        return f"{urlsplit(self.target).scheme}://{':'.join(map(str, self.address))}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of a stream."""
        parts = urlsplit(self.target)
        return parts.hostname or "", parts.port or _RTSP_PORT


class FrameSource(Protocol):
    """Gives frames to one reader; a simulator may stand for it."""

    @property
    def is_live(self) -> bool:
        """Whether it gives its newest frame and never ends."""

    async def rewind(self) -> None:
        """Prepare for a verification.

        A recording MUST begin anew; a live source MUST give no frame from before.
        """

    async def take(self) -> Frame | None:
        """Give the next frame; MUST wait until there is one.

        Returns:
            The frame, or None where a recording is over.

        Raises:
            SourceError: The source is not available; MUST NOT be raised for a pause that ends by
                itself within seconds.
        """


def parse_source(text: str, *, pace: float = 0.0, upscale: int = 1) -> SourceSpec:
    """Read the name of a source.

    Args:
        text: ``camera``, ``camera:1``, ``rtsp://host/path``, ``video:FILE`` or ``folder:DIR``.
        pace: Frames per second at which a recording plays; 0: when asked.
        upscale: How much larger pictures are made.

    Returns:
        The source.

    Raises:
        DeviceConfigurationError: It names none, or a number is out of range.

    >>> parse_source("rtsp://user:secret@10.0.0.9/door").shown
    'rtsp://10.0.0.9:554'
    """
    if not 0.0 <= pace <= MAX_PACE:
        raise DeviceConfigurationError(
            f"found a pace of {pace}, expected 0 to {MAX_PACE} frames per second"
        )
    if not 1 <= upscale <= MAX_UPSCALE:
        raise DeviceConfigurationError(f"found upscale {upscale}, expected 1 to {MAX_UPSCALE}")
    word, _, rest = text.partition(":")
    kind = SourceKind.RTSP if word in _RTSP else _KINDS.get(word)
    if kind is None or len(text) > _MAX_TARGET:
        raise DeviceConfigurationError(
            "the source names nothing that gives pictures, expected camera, camera:N, "
            "rtsp://HOST/PATH, video:FILE or folder:DIR"
        )
    target = _target(kind, rest, text)
    if pace and kind in {SourceKind.CAMERA, SourceKind.RTSP}:
        raise DeviceConfigurationError("found a pace beside a camera, which has its own; leave it")
    return SourceSpec(kind=kind, target=target, pace=pace, upscale=upscale)


_KINDS: Final = {one.value: one for one in SourceKind if one is not SourceKind.RTSP}


def _target(kind: SourceKind, rest: str, text: str) -> str:
    if kind is SourceKind.CAMERA:
        number = rest or "0"
        if not (number.isascii() and number.isdigit() and int(number) <= _MAX_CAMERA):
            raise DeviceConfigurationError(
                f"found a camera that is no number, expected camera:0 to camera:{_MAX_CAMERA}"
            )
        return number
    if kind is SourceKind.RTSP:
        # `rtsp:rtsp://…` is what one writes who takes the word for a prefix like the others.
        address = rest if rest.startswith(tuple(f"{one}://" for one in _RTSP)) else text
        try:
            parts = urlsplit(address)
            is_whole = bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_whole = False
        if not is_whole or not address.isprintable():
            raise DeviceConfigurationError(
                "found no address of a stream, expected rtsp://HOST[:PORT]/PATH"
            )
        return address
    if not rest:
        raise DeviceConfigurationError(f"found {kind}: without a path, expected {kind}:PATH")
    return rest
