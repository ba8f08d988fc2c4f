"""The source's process, spoken to over its pipes."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_devices.errors import SourceError
from edge_devices.face_terminals.sources import child
from edge_devices.face_terminals.sources.child import SourceProcess
from edge_devices.face_terminals.sources.port import parse_source
from edge_devices.face_terminals.sources.slots import FrameSlots
from tests.support.faces import png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Spoken:
    """Both ends of its pipes."""

    def __init__(self) -> None:
        self.slots = FrameSlots.create()
        self.child_in, self._tell = os.pipe()
        answers, self.child_out = os.pipe()
        self._answers = os.fdopen(answers, "rb")

    def tell(self, letters: bytes) -> None:
        os.write(self._tell, letters)

    def hear(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._answers.readline())
        return told

    def shown(self) -> tuple[int, int]:
        """Grey and slot of the next frame."""
        told = self.hear()
        frame = self.slots.read(told["slot"], told["height"], told["width"])
        return int(frame[0, 0, 0]), told["slot"]

    def hang_up(self) -> None:
        os.close(self._tell)

    def close(self) -> None:
        self._answers.close()
        for descriptor in (self.child_in, self.child_out):
            os.close(descriptor)
        self.slots.close()


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        shown = np.full((64, 64, 3), number, np.uint8)
        (tmp_path / f"{number}.png").write_bytes(png(shown))
    return tmp_path


@contextmanager
def speaking(
    text: str, monkeypatch: pytest.MonkeyPatch, **values: float
) -> Iterator[tuple[Spoken, threading.Thread]]:
    spoken = Spoken()
    monkeypatch.setattr(child, "_INPUT", spoken.child_in)
    process = SourceProcess(parse_source(text, **values), spoken.slots, spoken.child_out)  # type: ignore[arg-type]
    thread = threading.Thread(target=process.run, daemon=True)
    thread.start()
    yield spoken, thread
    spoken.hang_up()
    thread.join(20)
    assert not thread.is_alive()
    spoken.close()


def test_a_recording_gives_a_frame_when_asked_and_begins_anew(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with speaking(f"folder:{faces}", monkeypatch) as (spoken, _):
        assert spoken.hear() == {"opened": True}
        for turn in (1, 2):
            spoken.tell(b"r")
            for grey in (1, 2, 3):
                spoken.tell(b"n")
                found, slot = spoken.shown()
                assert found == grey
                spoken.tell(str(slot).encode())
            spoken.tell(b"n")
            assert spoken.hear() == {"ended": turn}


def test_without_a_free_slot_nothing_is_written(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with speaking(f"folder:{faces}", monkeypatch) as (spoken, _):
        spoken.hear()
        held = []
        for _ in range(2):
            spoken.tell(b"n")
            held.append(spoken.shown())
        assert {slot for _, slot in held} == {0, 1}
        spoken.tell(b"n")
        spoken.tell(b"x?")
        assert [spoken.slots.read(slot, 64, 64)[0, 0, 0] for _, slot in held] == [1, 2]
        spoken.tell(str(held[0][1]).encode())
        assert spoken.shown() == (3, held[0][1])


def test_a_paced_recording_goes_on_by_itself_over_and_over(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with speaking(f"folder:{faces}", monkeypatch, pace=60) as (spoken, _):
        spoken.hear()
        greys = []
        for _ in range(7):
            grey, slot = spoken.shown()
            greys.append(grey)
            spoken.tell(str(slot).encode())
        assert set(greys) == {1, 2, 3}
        spoken.tell(b"r")


def test_a_source_without_pictures_is_never_open(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"junk")
    spoken = Spoken()
    process = SourceProcess(parse_source(f"folder:{tmp_path}"), spoken.slots, spoken.child_out)
    with pytest.raises(SourceError, match="none of 1 pictures"):
        process.run()
    spoken.hang_up()
    spoken.close()
