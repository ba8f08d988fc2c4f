"""Channels of asks and answers, and the word to systemd."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals.answering import AnswerLines
from edge_devices.face_terminals.asking import AskLines
from edge_devices.face_terminals.asks import MAX_LINE_BYTES
from edge_devices.face_terminals.health import Health, memory_of, notify_service

if TYPE_CHECKING:
    from pathlib import Path


async def lines_of(path: Path) -> list[bytes | None]:
    asks = AskLines(path)
    asks.start()
    found = [await asks.next()]
    while found[-1] is not None:
        found.append(await asks.next())
    return found


async def test_lines_of_a_file_without_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "asks"
    path.write_bytes(b"one\n\n  \ntwo\r\nlast without an end")
    assert await lines_of(path) == [b"one", b"two\r", b"last without an end", None]


async def test_a_line_that_is_too_long_is_one_line_too_long(tmp_path: Path) -> None:
    path = tmp_path / "asks"
    path.write_bytes(b"x" * 100_000 + b"\nafter\n" + b"y" * 9000)
    first, second, third, end = await lines_of(path)
    assert first == b"x" * (MAX_LINE_BYTES + 1)
    assert (second, end) == (b"after", None)
    assert third == b"y" * (MAX_LINE_BYTES + 1)


async def test_a_fifo_stays_open_when_its_writers_go(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    asks = AskLines(path)
    asks.start()
    async with asyncio.timeout(20):
        for text in (b"one", b"two"):
            await asyncio.to_thread(path.write_bytes, text + b"\n")
            assert await asks.next() == text


@pytest.mark.parametrize("name", ["gone", "directory"])
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()

    async def opened() -> None:
        AskLines(tmp_path / name)

    with pytest.raises(DeviceConfigurationError, match="mkfifo"):
        asyncio.run(opened())


def test_answers_are_appended_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    for number in range(2):
        lines = AnswerLines(path, print)
        lines.tell({"id": str(number)})
        lines.close()
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["0", "1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_fifo_that_nobody_reads_drops_answers_and_says_so_once(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    said: list[str] = []
    os.mkfifo(path, 0o600)
    lines = AnswerLines(path, said.append)
    for _ in range(5000):
        lines.tell({"id": "x" * 100})
    assert len(said) == 1
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    held = os.read(descriptor, 1 << 20).splitlines()
    assert all(json.loads(line) for line in held)
    lines.tell({"id": "again"})
    assert json.loads(os.read(descriptor, 1 << 20))["id"] == "again"
    os.close(descriptor)
    lines.close()


def test_answers_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    with pytest.raises(DeviceConfigurationError, match="cannot be opened for answers"):
        AnswerLines(tmp_path / "gone" / "answers", print)


def test_systemd_is_told_where_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify_service("READY=1")
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address)
        line.setblocking(False)  # noqa: FBT003 - the socket's own form
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify_service("READY=1")
        assert line.recv(100) == b"READY=1"
    notify_service("WATCHDOG=1")


def test_health_is_written_whole_and_a_full_disk_is_a_fault(tmp_path: Path) -> None:
    health = Health(tmp_path / "health.json")
    health.fault("source", "x" * 200)
    health.write({"node": "ready"})
    told = json.loads((tmp_path / "health.json").read_text())
    assert (told["node"], told["verdicts"]) == ("ready", {})
    assert [len(one) for one in health.faults] == [80]
    gone = Health(tmp_path / "gone" / "health.json")
    gone.write({})
    assert "free the disk" in gone.faults[0]
    health.fault("source", "")
    assert health.faults == ()


def test_memory_is_that_of_a_process_and_none_of_one_that_is_gone() -> None:
    own = memory_of("self")
    assert own is not None
    assert 0 < own["now"] <= own["peak"]
    assert memory_of(None) is None
