"""Sources in their own process: what they give, how each fails, and that nothing ever hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.errors import SourceError
from edge_devices.face_terminals.health import memory_of
from edge_devices.face_terminals.sources.driver import SourceDriver
from edge_devices.face_terminals.sources.port import parse_source
from edge_devices.face_terminals.sources.slots import MAX_SIDE
from edge_devices.face_terminals.watchdog import RestartPolicy, SourceState
from scoring_kernel.faces.opencv import cv2
from tests.support.faces import picture, png
from tests.support.terminals import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from scoring_kernel.faces.arrays import Frame

ONCE = RestartPolicy(restarts=1)
QUICK = RestartPolicy(
    stall=timedelta(milliseconds=300),
    first_wait=timedelta(milliseconds=10),
    longest_wait=timedelta(milliseconds=20),
    restarts=3,
)


def steady() -> datetime:
    return datetime.fromtimestamp(monotonic(), UTC)


@asynccontextmanager
async def driven(
    text: str, *, policy: RestartPolicy = ONCE, said: list[str] | None = None, **values: float
) -> AsyncIterator[SourceDriver]:
    spec = parse_source(text, **values)  # type: ignore[arg-type]
    say = (said if said is not None else []).append
    driver = SourceDriver(spec, steady=steady, say=say, policy=policy)
    running = asyncio.ensure_future(driver.run())
    try:
        async with asyncio.timeout(60):
            yield driver
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def all_of(driver: SourceDriver) -> list[Frame]:
    await driver.rewind()
    found = []
    while (frame := await driver.take()) is not None:
        found.append(frame)
    return found


def folder(directory: Path, *frames: Frame) -> str:
    for number, frame in enumerate(frames, 1):
        (directory / f"{number}.png").write_bytes(png(frame))
    return f"folder:{directory}"


async def test_a_recording_at_a_pace_is_never_faster_and_goes_on_for_every_verification(
    tmp_path: Path,
) -> None:
    async with driven(folder(tmp_path, picture(1), picture(2)), pace=50) as driver:
        for _ in range(2):
            await driver.rewind()
            begun = monotonic()
            for _ in range(30):
                assert await driver.take() is not None
            assert monotonic() - begun >= 28 / 50, "thirty frames lie 29 spaces apart, or more"


async def test_a_folder_gives_each_picture_once_in_order_for_every_verification(
    tmp_path: Path,
) -> None:
    frames = [np.full((96, 128, 3), 10 * number, np.uint8) for number in range(1, 12)]
    async with driven(folder(tmp_path, *frames)) as driver:
        await driver.opened()
        for _ in range(2):
            assert [int(one[0, 0, 0]) for one in await all_of(driver)] == list(range(10, 120, 10))


async def test_junk_among_pictures_is_passed_over_and_junk_alone_is_told(tmp_path: Path) -> None:
    text = folder(tmp_path, picture(1))
    (tmp_path / "0.jpg").write_bytes(b"\xff\xd8\xff junk")
    (tmp_path / "note.txt").write_text("no picture")
    async with driven(text) as driver:
        assert len(await all_of(driver)) == 1
    (tmp_path / "1.png").unlink()
    async with driven(text) as driver:
        with pytest.raises(SourceError, match=r"none of 1 pictures.*0\.jpg"):
            await all_of(driver)


async def test_pictures_are_made_larger_and_never_larger_than_a_slot(tmp_path: Path) -> None:
    async with driven(folder(tmp_path, picture(1)[:96, :64]), upscale=4) as driver:
        assert [one.shape for one in await all_of(driver)] == [(384, 256, 3)]
    async with driven(folder(tmp_path, np.zeros((2000, 4000, 3), np.uint8))) as driver:
        assert [one.shape for one in await all_of(driver)] == [(960, MAX_SIDE, 3)]


async def test_a_video_gives_its_frames_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 320))
    for shot in range(4):
        writer.write(picture(1, shot))
    writer.release()
    async with driven(f"video:{path}") as driver:
        assert len(await all_of(driver)) == 4
        assert len(await all_of(driver)) == 4
    async with driven(f"video:{path}", pace=50) as driver:
        await driver.rewind()
        for _ in range(6):
            assert await driver.take() is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("camera:63", "/dev/video63 is not there"),
        ("video:{0}/gone.avi", "no such file"),
        ("video:{0}/junk.avi", "no video that can be read"),
        ("video:{0}/empty.avi", "no video that can be read"),
        ("folder:{0}/gone", "no such folder"),
        ("folder:{0}/empty", "holds no pictures"),
    ],
)
async def test_each_absent_source_has_its_own_clear_error(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "junk.avi").write_bytes(bytes(range(256)) * 50)
    (tmp_path / "empty.avi").touch()
    (tmp_path / "empty").mkdir()
    async with driven(text.format(tmp_path)) as driver:
        with pytest.raises(SourceError, match=problem):
            await driver.opened()
        with pytest.raises(SourceError, match=problem):
            await driver.take()


async def test_a_stream_that_nobody_serves_is_told_without_its_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said: list[str] = []
    async with driven(f"rtsp://user:s3cret@127.0.0.1:{port}/x", said=said) as driver:
        with pytest.raises(SourceError, match="cannot be reached") as caught:
            await driver.opened()
    assert len(said) == 1
    assert "s3cret" not in str(caught.value) + said[0]


async def test_a_peer_that_speaks_no_rtsp_is_told() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 404 nothing\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, driven(f"rtsp://127.0.0.1:{port}/x") as driver:
        with pytest.raises(SourceError, match="gives no stream"):
            await driver.opened()


async def test_a_killed_process_is_begun_again_and_the_source_recovers(tmp_path: Path) -> None:
    said: list[str] = []
    text = folder(tmp_path, picture(1))
    async with driven(text, policy=QUICK, pace=20, said=said) as driver:
        for _ in range(2):
            await driver.opened()
            assert await driver.take() is not None
            assert driver.process_id is not None
            before = driver.process_id
            os.kill(before, signal.SIGKILL)
            gone = {before, None}
            await until(lambda: driver.process_id not in gone)  # noqa: B023 - awaited here
        assert await driver.take() is not None


async def test_a_stalled_process_is_killed_and_told_once(tmp_path: Path) -> None:
    said: list[str] = []
    text = folder(tmp_path, picture(1))
    async with driven(text, policy=QUICK, pace=20, said=said) as driver:
        await driver.opened()
        while not driver.watchdog.is_unavailable:
            if driver.process_id is not None and driver.watchdog.state is SourceState.RUNNING:
                with suppress(ProcessLookupError):
                    os.kill(driver.process_id, signal.SIGSTOP)
            await asyncio.sleep(0.005)
        with pytest.raises(SourceError, match=r"no frames any more"):
            await driver.take()
        await until(lambda: not driver.watchdog.is_unavailable)
        assert await driver.take() is not None
    assert [one.split(":")[0] for one in said] == ["Source unavailable", "Source recovered"]


async def test_no_process_is_left_behind(tmp_path: Path) -> None:
    async with driven(folder(tmp_path, picture(1)), pace=20) as driver:
        await driver.opened()
        process = driver.process_id
    assert memory_of(process) is None


async def test_a_live_source_gives_nothing_from_before_it_was_wanted(tmp_path: Path) -> None:
    text = folder(tmp_path, picture(1))
    async with driven(text, pace=50) as driver:
        await driver.opened()
        assert await driver.take() is not None
        (tmp_path / "1.png").write_bytes(png(np.zeros((96, 96, 3), np.uint8)))
        await asyncio.sleep(0.3)
        await driver.rewind()
        frame = await driver.take()
        assert frame is not None
        assert frame.max() == 0
