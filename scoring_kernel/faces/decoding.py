"""Reading pictures (图像解码): any bytes give a frame or a ``FaceImageError``.

Rules:
- Length, format and size are read and bounded before one pixel is decoded: 48 KB of PNG may
  hold 20,000 by 20,000 pixels, and a JPEG scans that repaint it for minutes.
- A truncated picture is refused, not completed with grey.
- The turn that a camera noted (EXIF) is carried out; nothing else of what it noted is read.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageOps

from scoring_kernel.errors import FaceImageError

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame

MAX_BYTES: Final = 16 * 1024 * 1024
"""Largest file of a picture."""
MAX_PIXELS: Final = 40_000_000
"""Most pixels of a picture."""
MAX_PAINTED: Final = 400_000_000
"""Most pixels of all scans of a JPEG; each of them paints all pixels again."""
MIN_SIDE: Final = 16
"""Shortest side, pixels."""
MAX_SIDE: Final = 8192
"""Longest side, pixels."""
UNREADABLE: Final = "unreadable"
"""Fault: no picture, a damaged one, or of a kind that is not read."""
TOO_LARGE: Final = "too_large"
"""Fault: more bytes, pixels or scans than are read."""
_FORMATS: Final = ("JPEG", "PNG", "PPM", "BMP")
_MODES: Final = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"))
"""Eight bits a channel at most."""
_SCAN: Final = b"\xff\xda"


def decode(content: bytes) -> Frame:
    """Read a picture: JPEG, PNG, PGM or PPM, BMP.

    Args:
        content: The file.

    Returns:
        Blue, green, red, shape (height, width, 3).

    Raises:
        FaceImageError: No such picture, a damaged, too large or too small one.
    """
    if len(content) > MAX_BYTES:
        raise _too_large(f"{len(content)} bytes", f"at most {MAX_BYTES}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(content), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("a picture that unfolds", f"at most {MAX_PIXELS} pixels") from error
    except Exception as error:
        raise _unreadable() from error
    _verify_size(image.height, image.width)
    if image.mode not in _MODES:
        raise FaceImageError(
            UNREADABLE,
            f"found a picture of kind {image.mode}, expected eight bits a channel: save it so",
        )
    scans = content.count(_SCAN) if image.format == "JPEG" else 1
    if scans * image.height * image.width > MAX_PAINTED:
        raise _too_large(f"{scans} scans", f"at most {MAX_PAINTED} pixels over all scans")
    try:
        if image.format == "PNG":  # Its end is only looked for here.
            Image.open(BytesIO(content), formats=("PNG",)).verify()
        upright = ImageOps.exif_transpose(image)
        pixels = np.asarray(upright.convert("RGB"))
    except Exception as error:
        raise _unreadable() from error
    return np.ascontiguousarray(pixels[:, :, ::-1])


def verify_frame(frame: Frame) -> Frame:
    """Verify that an array is a picture of a size that is looked at.

    Returns:
        The frame.

    Raises:
        FaceImageError: Another shape or type, or a side out of bounds.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise FaceImageError(
            UNREADABLE,
            f"found an array {frame.dtype} of shape {frame.shape}, expected uint8 of shape "
            "(height, width, 3): give a picture in colour",
        )
    _verify_size(*frame.shape[:2])
    return frame


def _verify_size(height: int, width: int) -> None:
    found = f"{width} by {height} pixels"
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise _too_large(found, f"sides of at most {MAX_SIDE} and {MAX_PIXELS} pixels")
    if min(height, width) < MIN_SIDE:
        raise FaceImageError(
            "too_small", f"found {found}, expected sides of at least {MIN_SIDE}: enlarge it"
        )


def _too_large(found: str, expected: str) -> FaceImageError:
    return FaceImageError(TOO_LARGE, f"found {found}, expected {expected}: make it smaller")


def _unreadable() -> FaceImageError:
    return FaceImageError(
        UNREADABLE,
        "found no whole picture, expected JPEG, PNG, PGM, PPM or BMP: save or send it again",
    )
