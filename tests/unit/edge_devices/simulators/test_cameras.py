"""A simulated camera plays what a source plays, and fails as cameras fail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.errors import SourceError
from edge_devices.simulators.cameras import CameraMode, SimulatedCamera, played
from scoring_kernel.faces.opencv import cv2
from tests.support.faces import picture, png

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel.faces.arrays import Frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    directory = tmp_path / "faces"
    directory.mkdir()
    for shot in (1, 2, 10):
        (directory / f"{shot}.png").write_bytes(png(picture(1, shot)))
    return directory


async def taken(camera: SimulatedCamera) -> Frame:
    frame = await camera.take()
    assert frame is not None
    return frame


async def test_a_folder_is_played_in_order_and_ends_and_begins_anew(folder: Path) -> None:
    camera = SimulatedCamera(played(folder))
    assert not camera.is_live
    for shot in (1, 2, 10):
        assert np.array_equal(await taken(camera), picture(1, shot))
    assert await camera.take() is None
    await camera.rewind()
    assert np.array_equal(await taken(camera), picture(1, 1))
    assert camera.given == 4


async def test_a_pace_makes_it_live_and_it_never_ends(folder: Path) -> None:
    camera = SimulatedCamera(played(folder, pace=60.0, upscale=2))
    assert camera.is_live
    for _ in range(7):
        assert (await taken(camera)).shape == (640, 640, 3)


async def test_black_frozen_and_broken_pictures_are_what_they_are_called(folder: Path) -> None:
    camera = SimulatedCamera(played(folder))
    first = await taken(camera)
    camera.turn(CameraMode.FROZEN)
    assert np.array_equal(await taken(camera), first)
    camera.turn(CameraMode.BLACK)
    assert (await taken(camera)).max() == 0
    camera.turn(CameraMode.BROKEN)
    with pytest.raises(SourceError, match="turn it on again"):
        await camera.take()


async def test_who_waits_for_a_stalled_camera_goes_on_with_it(folder: Path) -> None:
    camera = SimulatedCamera(played(folder))
    camera.turn(CameraMode.STALLED)
    waiting = asyncio.ensure_future(taken(camera))
    await asyncio.sleep(0)
    assert not waiting.done()
    camera.turn(CameraMode.PLAYING)
    assert np.array_equal(await waiting, picture(1, 1))


async def test_somebody_else_steps_in_front_of_it(folder: Path, tmp_path: Path) -> None:
    camera = SimulatedCamera(played(folder))
    other = tmp_path / "other"
    other.mkdir()
    (other / "1.png").write_bytes(png(picture(2)))
    camera.show(played(other))
    assert np.array_equal(await taken(camera), picture(2))
    with pytest.raises(SourceError, match="no such file"):
        camera.show(played(tmp_path / "none"))


async def test_a_video_is_played_as_a_folder_is(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 320))
    for shot in range(3):
        writer.write(picture(1, shot))
    writer.release()
    camera = SimulatedCamera(played(path))
    for _ in range(2):
        await camera.rewind()
        assert [(await taken(camera)).shape for _ in range(3)] == [(320, 320, 3)] * 3
        assert await camera.take() is None
