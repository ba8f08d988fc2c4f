from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring_kernel.errors import FaceImageError, FaceModelError
from scoring_kernel.faces.alignment import FIVE_POINTS
from scoring_kernel.faces.detection import FaceDetector
from scoring_kernel.faces.opencv import cv2
from tests.support.faces import BLOCK, SIDE, crowd, detector, picture

DETECTOR = FaceDetector.load(detector().manifest, detector().content)


def test_a_face_comes_with_its_box_its_points_and_its_score() -> None:
    (face,) = DETECTOR.detect(picture(1))
    assert np.allclose(face.box, (92, 92, 168, 168), atol=0.01)
    assert np.allclose(face.points, FIVE_POINTS * 1.5 + 92, atol=0.01)
    assert face.score == pytest.approx(1.0)
    assert face.side == pytest.approx(168, abs=0.01)
    assert "points" not in repr(face)


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_a_large_picture_is_told_in_its_own_pixels(factor: int) -> None:
    frame = np.kron(picture(1), np.ones((factor, factor, 1), np.uint8))
    (face,) = DETECTOR.detect(frame)
    assert np.allclose(face.box, np.array((92, 92, 168, 168)) * factor, atol=0.1)
    assert np.allclose(face.points, (FIVE_POINTS * 1.5 + 92) * factor, atol=0.1)


def test_a_picture_that_is_not_square_keeps_both_measures() -> None:
    frame = np.concatenate((picture(1), np.zeros((SIDE, SIDE, 3), np.uint8)), axis=1)
    large = np.kron(frame, np.ones((2, 2, 1), np.uint8))[: SIDE * 2 - 3]
    (face,) = DETECTOR.detect(large[:, : SIDE * 2])
    assert np.allclose(face.box, (184, 184, 336, 336), atol=3)
    (stretched,) = DETECTOR.detect(np.kron(picture(1), np.ones((1, 1, 1), np.uint8))[:260])
    assert np.allclose(stretched.box, (92, 92, 168, 168), atol=0.01)


def test_no_face_is_no_answer_and_of_two_the_surer_comes_first() -> None:
    assert DETECTOR.detect(np.zeros((SIDE, SIDE, 3), np.uint8)) == ()
    frame = crowd()
    frame[BLOCK, 64:96, 1] -= 40  # The left one is less sure.
    right, left = DETECTOR.detect(frame)
    assert right.score > left.score > 0.6
    assert right.box[0] > left.box[0]


def doubled(frame: np.ndarray) -> np.ndarray:
    return np.kron(frame, np.ones((2, 2, 1), np.uint8))


def test_a_second_look_gives_other_points_in_the_same_place() -> None:
    frame = picture(1)
    frame[160:204, 160:204] = (0, 255, 0)  # One whole place of either grid.
    frame = doubled(frame)
    (face,) = DETECTOR.detect(frame)
    closer = DETECTOR.look_closer(frame, face)
    assert (closer.box, closer.score) == (face.box, face.score)
    # The middle of the other place, as the finer grid of 28 pixels has it, and a smaller face.
    expected = 2 * (64 + (144 + (FIVE_POINTS - 56) * 1.5) * 224 / 256)
    assert np.allclose(closer.points, expected, atol=0.5)
    assert np.abs(closer.points - face.points).max() > 20


def test_a_second_look_is_for_pictures_that_were_made_smaller() -> None:
    (face,) = DETECTOR.detect(picture(1))
    assert DETECTOR.look_closer(picture(1), face) is face


def test_a_second_look_that_finds_nothing_or_another_face_changes_nothing() -> None:
    frame = doubled(picture(1))
    (face,) = DETECTOR.detect(frame)
    assert DETECTOR.look_closer(frame, face) is face  # Between four places of the finer grid.
    beside = frame.copy()
    x, y = (round(one) for one in face.box[:2])
    beside[y : y + 80, x : x + 80] = (0, 255, 0)
    assert DETECTOR.look_closer(beside, face) is face


@pytest.mark.parametrize("box", [(-900.0, 0.0, 300.0, 300.0), (0.0, 0.0, 1e9, 1e9)])
def test_a_face_outside_of_the_picture_is_not_looked_at_again(
    box: tuple[float, float, float, float],
) -> None:
    frame = doubled(picture(1))
    face = replace(DETECTOR.detect(frame)[0], box=box)
    assert DETECTOR.look_closer(frame, face) is face


def test_sizes_come_and_go_and_answers_stay() -> None:
    first = DETECTOR.detect(picture(1))[0].box
    for width in range(200, 330, 20):
        DETECTOR.detect(picture(1)[:, :width].copy())
    assert DETECTOR.detect(picture(1))[0].box == first


def test_an_array_that_is_no_picture_is_refused() -> None:
    with pytest.raises(FaceImageError, match="expected uint8"):
        DETECTOR.detect(np.zeros((SIDE, SIDE), np.uint8))


def test_what_opencv_cannot_run_is_the_models_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        @staticmethod
        def create(*_: object) -> object:
            raise cv2.error

    monkeypatch.setattr(cv2, "FaceDetectorYN", Failing)
    with pytest.raises(FaceModelError, match="OpenCV cannot run it"):
        FaceDetector.load(detector().manifest, detector().content)
