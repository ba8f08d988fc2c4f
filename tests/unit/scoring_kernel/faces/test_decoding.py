from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.decoding import MAX_BYTES, MAX_SIDE, decode, verify_frame

GREEN = np.zeros((20, 30, 3), np.uint8)
GREEN[:, :, 1] = 200
GREEN[:5, :5] = (10, 20, 30)  # Red, green, blue as Pillow takes them.


def written(kind: str, mode: str = "RGB", **options: object) -> bytes:
    held = BytesIO()
    Image.fromarray(GREEN).convert(mode).save(held, kind, **options)
    return held.getvalue()


def unfolding(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel: small as a file, whatever it unfolds to."""
    rows = zlib.compress(b"\0" * (height * (width // 8 + 1)), 9)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def refused(content: bytes) -> FaceImageError:
    with pytest.raises(FaceImageError) as caught:
        decode(content)
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM"])
def test_a_picture_comes_as_blue_green_red(kind: str) -> None:
    frame = decode(written(kind))
    assert frame.tolist() == GREEN[:, :, ::-1].tolist()
    assert frame.flags.c_contiguous
    assert frame.flags.writeable


def test_a_photo_comes_nearly_as_it_was() -> None:
    frame = decode(written("JPEG", quality=95))
    assert np.abs(frame[:, :, ::-1].astype(int) - GREEN)[8:, 8:].max() < 10


@pytest.mark.parametrize(
    ("kind", "mode"), [("PPM", "L"), ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("JPEG", "CMYK")]
)
def test_other_kinds_of_pixels_come_in_three_channels(kind: str, mode: str) -> None:
    assert decode(written(kind, mode)).shape == (20, 30, 3)


def test_the_turn_that_a_camera_noted_is_carried_out() -> None:
    exif = Image.Exif()
    exif[0x112] = 6  # To be turned by a quarter, clockwise.
    frame = decode(written("PNG", exif=exif))
    assert frame.shape == (30, 20, 3)
    assert frame[0, -1].tolist() == [30, 20, 10]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk" * 1000,
        b"\xff\xd8\xff" + b"0" * 100,
        b"\x89PNG\r\n\x1a\n",
        b"P5\n20 20\n255\n" + bytes(399),
        b"GIF89a" + bytes(100),
        written("TIFF"),
        written("GIF"),
        written("WEBP"),
    ],
)
def test_what_is_no_picture_of_ours_is_unreadable(content: bytes) -> None:
    error = refused(content)
    assert error.fault == "unreadable"
    assert "expected JPEG, PNG" in error.problem


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "JPEG"])
@pytest.mark.parametrize("eighth", range(8))
def test_a_truncated_picture_is_not_completed(kind: str, eighth: int) -> None:
    content = written(kind)
    assert refused(content[: len(content) * eighth // 8]).fault == "unreadable"


def test_sixteen_bits_a_channel_are_not_guessed_at() -> None:
    assert "eight bits a channel" in refused(b"P5\n20 20\n65535\n" + bytes(800)).problem


def test_a_picture_that_unfolds_is_refused_by_its_header() -> None:
    assert refused(unfolding(20_000, 20_000)).fault == "too_large"
    assert refused(unfolding(12_000, 9_000)).fault == "too_large"
    assert refused(unfolding(8_000, 8_000)).fault == "too_large"
    assert refused(unfolding(MAX_SIDE + 1, 16)).fault == "too_large"


def test_a_file_that_is_too_long_is_not_opened() -> None:
    assert f"expected at most {MAX_BYTES}" in refused(bytes(MAX_BYTES + 1)).problem


def test_a_photo_that_is_repainted_for_minutes_is_refused() -> None:
    held = BytesIO()
    Image.new("L", (4000, 4000)).save(held, "JPEG", progressive=True)
    content = held.getvalue()
    assert decode(content).shape == (4000, 4000, 3)
    scan = content.rindex(b"\xff\xda")
    error = refused(content[:scan] + content[scan:-2] * 30 + content[-2:])
    assert error.fault == "too_large"
    assert "scans" in error.problem


def test_a_picture_without_room_for_a_face_is_too_small() -> None:
    error = refused(unfolding(15, 400))
    assert error.fault == "too_small"
    assert "found 15 by 400 pixels" in error.problem


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (np.zeros((20, 20), np.uint8), "unreadable"),
        (np.zeros((20, 20, 4), np.uint8), "unreadable"),
        (np.zeros((20, 20, 3), np.float32), "unreadable"),
        (np.zeros((0, 20, 3), np.uint8), "too_small"),
        (np.broadcast_to(np.uint8(0), (9000, 20, 3)), "too_large"),
        (np.broadcast_to(np.uint8(0), (8000, 8000, 3)), "too_large"),
    ],
)
def test_an_array_that_is_no_picture_is_refused(frame: np.ndarray, fault: str) -> None:
    with pytest.raises(FaceImageError) as caught:
        verify_frame(frame)
    assert caught.value.fault == fault
