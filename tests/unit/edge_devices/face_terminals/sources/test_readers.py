"""Readers as the source's process uses them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.errors import SourceError
from edge_devices.face_terminals.sources import camera
from edge_devices.face_terminals.sources.capturing import read_frame
from edge_devices.face_terminals.sources.port import parse_source
from edge_devices.face_terminals.sources.reading import fitted, open_reader
from edge_devices.face_terminals.sources.slots import MAX_SIDE, SLOTS, FrameSlots
from scoring_kernel.faces.opencv import cv2
from tests.support.faces import picture, png

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel.faces.arrays import Frame


class Capture:
    """A capture that gives what it was made with (``cv2.VideoCapture``)."""

    def __init__(self, *frames: Frame, opens: bool = True) -> None:
        self.frames = list(frames)
        self.opens = opens

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def set(self, *_: object) -> bool:
        return True

    def release(self) -> None:
        self.frames.clear()

    def read(self) -> tuple[bool, Frame | None]:
        return (True, self.frames.pop(0)) if self.frames else (False, None)


def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        shown = np.full((64, 64, 3), number, np.uint8)
        (tmp_path / f"{number}.png").write_bytes(png(shown))
    reader = open_reader(parse_source(f"folder:{tmp_path}"))
    for _ in range(2):
        found = [reader.read() for _ in range(4)]
        assert [None if one is None else int(one[0, 0, 0]) for one in found] == [1, 2, 10, None]
        reader.rewind()
    reader.close()


def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    place = tmp_path / "faces"
    place.mkdir()
    (place / "1.png").write_bytes(png(picture(1)))
    reader = open_reader(parse_source(f"folder:{place}"))
    (place / "1.png").unlink()
    with pytest.raises(SourceError, match="none of 1 pictures"):
        reader.read()
    place.rmdir()
    with pytest.raises(SourceError, match="no such folder"):
        reader.rewind()


def test_a_recording_ends_and_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 320))
    writer.write(picture(1))
    writer.release()
    reader = open_reader(parse_source(f"video:{path}"))
    for _ in range(2):
        assert reader.read() is not None
        assert reader.read() is None
        reader.rewind()
    path.unlink()
    with pytest.raises(SourceError, match="no such file"):
        reader.rewind()


def test_a_recording_whose_frames_are_gone_is_told(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 320))
    writer.write(picture(1))
    writer.release()
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(SourceError, match=r"holds no frame|no video"):
        open_reader(parse_source(f"video:{path}")).read()


def test_a_camera_gives_frames_and_its_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_DEVICES", "/dev/null")
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Capture(picture(1)))
    reader = open_reader(parse_source("camera:5"))
    assert reader.read() is not None
    reader.rewind()
    with pytest.raises(SourceError, match="10 times in a row"):
        reader.read()
    reader.close()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Capture(opens=False))
    with pytest.raises(SourceError, match="end the program that uses it"):
        open_reader(parse_source("camera:5"))


def test_a_camera_that_is_not_there_is_told() -> None:
    with pytest.raises(SourceError, match="is not there"):
        open_reader(parse_source("camera:63"))


def test_a_stream_that_breaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        spec = parse_source(f"rtsp://u:s3cret@127.0.0.1:{server.getsockname()[1]}/x")
        monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Capture(picture(1)))
        reader = open_reader(spec)
        assert reader.read() is not None
        reader.rewind()
        with pytest.raises(SourceError, match="the stream broke") as broke:
            reader.read()
        monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Capture(opens=False))
        with pytest.raises(SourceError, match="gives no stream") as silent:
            open_reader(spec)
    with pytest.raises(SourceError, match="cannot be reached") as gone:
        open_reader(spec)
    for caught in (broke, silent, gone):
        assert "s3cret" not in str(caught.value)


def test_grey_frames_get_their_colours() -> None:
    grey = Capture(np.zeros((4, 6), np.uint8))
    frame = read_frame(grey)  # type: ignore[arg-type]
    assert frame is not None
    assert frame.shape == (4, 6, 3)
    assert read_frame(grey) is None  # type: ignore[arg-type]


def test_frames_fit_a_slot() -> None:
    assert fitted(np.zeros((10, 20, 3), np.uint8), 1).shape == (10, 20, 3)
    assert fitted(np.zeros((10, 20, 3), np.uint8), 3).shape == (30, 60, 3)
    assert fitted(np.zeros((100, 3000, 3), np.uint8), 8).shape == (64, MAX_SIDE, 3)
    slots = FrameSlots.create()
    shown = picture(3)
    slots.write(1, shown)
    assert np.array_equal(slots.read(1, *shown.shape[:2]), shown)
    for slot, height, width in ((SLOTS, 1, 1), (-1, 1, 1), (0, 0, 1), (0, MAX_SIDE, MAX_SIDE + 1)):
        with pytest.raises(ValueError, match="slot"):
            slots.read(slot, height, width)
    with pytest.raises(ValueError, match="bytes"):
        slots.write(0, np.zeros((MAX_SIDE, MAX_SIDE + 1, 3), np.uint8))
    slots.close()
