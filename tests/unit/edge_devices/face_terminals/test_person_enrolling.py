"""Enrolling a person: which pictures are taken, and what leaves the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.face_terminals.events import Purpose
from edge_devices.face_terminals.person_enrolling import (
    Enrolling,
    enrolment_request,
    greeted,
)
from edge_devices.face_terminals.person_pictures import take_vectors
from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.matching import parse_vector, score_e4
from scoring_kernel.faces.transform import protect, transform_matrix
from tests.support.faces import picture, pipeline
from tests.support.terminals import NOW, PERSON, TRANSFORM, ListedFrames, bench

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel.faces.arrays import FloatVector, Frame

BLACK = np.zeros((320, 320, 3), np.uint8)


async def taken(
    *frames: Frame, threshold: int | None = 6000, live: bool = False
) -> tuple[tuple[FloatVector, ...], int]:
    source = ListedFrames(list(frames), is_live=live)
    return await take_vectors(source, pipeline(), threshold_e4=threshold, timeout_s=60)


async def test_fit_pictures_that_agree_are_taken_and_others_left_out() -> None:
    vectors, left_out = await taken(
        BLACK, picture(1, 1), picture(2, 1), picture(1, 2), picture(1, 3)
    )
    assert (len(vectors), left_out) == (3, 1)
    assert min(score_e4(vectors[0], one) for one in vectors) >= 6000


async def test_five_are_enough() -> None:
    vectors, _ = await taken(*(picture(1, shot) for shot in range(9)))
    assert len(vectors) == 5


async def test_without_a_threshold_one_picture_is_taken() -> None:
    vectors, left_out = await taken(picture(1), picture(2), threshold=None)
    assert (len(vectors), left_out) == (1, 0)


async def test_pictures_of_two_persons_enrol_nobody() -> None:
    with pytest.raises(FaceImageError, match="of one person") as caught:
        await taken(picture(1, 1), picture(2, 1), picture(1, 2), picture(2, 2))
    assert caught.value.fault == "several_persons"


@pytest.mark.parametrize(
    ("frames", "fault"), [([], "no_face"), ([BLACK], "no_face"), ([BLACK, BLACK], "no_face")]
)
async def test_no_fit_picture_is_told(frames: list[Frame], fault: str) -> None:
    with pytest.raises(FaceImageError) as caught:
        await taken(*frames)
    assert caught.value.fault == fault


@pytest.mark.parametrize("live", [True, False], ids=["camera", "folder"])
async def test_a_print_enrols_nobody_wherever_it_comes_from(*, live: bool) -> None:
    with pytest.raises(FaceImageError) as caught:
        await taken(picture(1, paper=True), live=live)
    assert caught.value.fault == "spoof"


async def test_what_was_not_checked_enrols_from_a_folder_alone() -> None:
    unchecked = pipeline(lives=False)
    vectors, _ = await take_vectors(
        ListedFrames([picture(1)], is_live=False), unchecked, threshold_e4=6000, timeout_s=60
    )
    assert len(vectors) == 1
    with pytest.raises(FaceImageError, match="not checked") as caught:
        await take_vectors(
            ListedFrames([picture(1)], is_live=True), unchecked, threshold_e4=6000, timeout_s=60
        )
    assert caught.value.fault == "spoof"


async def test_vectors_leave_under_the_transform(tmp_path: Path) -> None:
    made = bench(tmp_path)
    standing = await greeted(made.node, made.queue, made.link._running)  # noqa: SLF001
    vectors, _ = await taken(picture(1, 1), picture(1, 2))
    who = Enrolling(
        person=PERSON,
        subject="insured",
        purposes=(Purpose.VISIT, Purpose.BED_CHECK),
        consent="2026-0117",
        consent_at_ms=1,
        operator="wang",
    )
    request = enrolment_request(who, vectors, standing, made.node.model)
    assert (request.person, list(request.purposes)) == (PERSON, ["visit", "bed_check"])
    assert (request.epoch, request.model) == (1, made.node.model)
    matrix = transform_matrix(TRANSFORM, 128)
    for sent, vector in zip(request.vectors, vectors, strict=True):
        protected = parse_vector(sent, 128)
        assert score_e4(protected, protect(vector[None], matrix)[0]) >= 9_999
        assert abs(score_e4(protected, vector)) < 5_000
    assert PERSON not in repr(who)
    assert made.clock() == NOW
