"""The same asks with the real models and real faces, where they lie beside the repository."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.face_terminals.asks import Ask
from edge_devices.face_terminals.events import Subject
from edge_devices.face_terminals.verifying import Verifier
from scoring_kernel.faces.verdict import Verdict
from tests.support.face_templates import calibration
from tests.support.faces import needs_shared_faces, orl_picture, photo, shared_pipeline
from tests.support.terminals import PERSON, ListedFrames, bench

if TYPE_CHECKING:
    from pathlib import Path

    from edge_devices.face_terminals.asks import Answer
    from scoring_kernel.faces.arrays import Frame

pytestmark = needs_shared_faces
THRESHOLD = 4646
"""As the terminal's documents calibrate it: 1 % on subjects 1 to 20, upper end."""


async def answered(
    directory: Path, enrolled: Frame, *frames: Frame, off: str = "", lives: bool = True
) -> Answer:
    """Enrol somebody from one picture and ask for that person before others."""
    examiner = shared_pipeline(*([off] if off else []))
    made = bench(directory, model=bytes.fromhex(examiner.model))
    made.node.hello_values = {
        "calibration": calibration(THRESHOLD, model=made.node.model).to_json(),
        "liveness_required": lives,
    }
    made.node.enrol(PERSON, examiner.examine(enrolled).verify_face())
    verifier = Verifier(
        examiner, ListedFrames(list(frames)), made.link, now=made.clock, steady=made.clock
    )
    running = asyncio.ensure_future(made.link.run())
    try:
        async with asyncio.timeout(60):
            await made.link.tried.wait()
            return (await verifier.verify(Ask(subject=Subject(person=PERSON)))).answer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_the_living_person_matches_and_another_does_not(tmp_path: Path) -> None:
    assert (await answered(tmp_path, photo("T1"), photo("T1"))).verdict is Verdict.MATCH
    (tmp_path / "other").mkdir()
    other = await answered(tmp_path / "other", photo("F1"), photo("T1"))
    assert other.verdict is Verdict.MISMATCH


@pytest.mark.parametrize("name", ["F1", "F2"])
async def test_a_print_and_a_screen_are_spoofs_of_the_person_on_them(
    tmp_path: Path, name: str
) -> None:
    assert (await answered(tmp_path, photo(name), photo(name))).verdict is Verdict.SPOOF


async def test_a_black_frame_says_nothing(tmp_path: Path) -> None:
    black = np.zeros((480, 640, 3), np.uint8)
    answer = await answered(tmp_path, photo("T1"), black)
    assert (answer.verdict, answer.cause) == (Verdict.UNJUDGED, "no_face")


@pytest.mark.parametrize(("shown", "verdict"), [(1, Verdict.MATCH), (2, Verdict.MISMATCH)])
async def test_old_small_pictures_tell_one_person_from_another(
    tmp_path: Path, shown: int, verdict: Verdict
) -> None:
    shots = [orl_picture(shown, shot) for shot in (6, 7, 8)]
    answer = await answered(tmp_path, orl_picture(1, 1), *shots, off="size", lives=False)
    assert answer.verdict is verdict
