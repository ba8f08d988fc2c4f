from __future__ import annotations

import numpy as np
import pytest

from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.alignment import FIVE_POINTS, align, similarity
from tests.support.faces import picture

FIVE = FIVE_POINTS.astype(np.float32)


def turned(
    points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]
) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: np.ndarray = scale * points @ turn.T + np.array(shift)
    return moved


def test_the_five_points_are_laid_on_themselves() -> None:
    assert np.abs(similarity(FIVE_POINTS, FIVE_POINTS) - np.eye(2, 3)).max() < 1e-12


@pytest.mark.parametrize(("degrees", "scale"), [(0, 2.0), (30, 1.0), (-120, 0.25), (180, 7.5)])
def test_a_turn_a_scale_and_a_shift_are_undone(degrees: float, scale: float) -> None:
    points = turned(FIVE_POINTS, degrees, scale, (40.0, -7.0))
    move = similarity(points, FIVE_POINTS)
    assert np.abs(points @ move[:, :2].T + move[:, 2] - FIVE_POINTS).max() < 1e-9


def test_no_mirror_is_made_of_a_mirrored_face() -> None:
    mirrored = FIVE_POINTS * np.array((-1.0, 1.0))
    move = similarity(mirrored, FIVE_POINTS)
    assert np.linalg.det(move[:, :2]) > 0


def test_the_move_is_the_nearest_of_its_kind() -> None:
    rng = np.random.default_rng(1)  # noqa: TID251  # a seeded test
    points = turned(FIVE_POINTS, 20, 1.5, (3, 4)) + rng.normal(0, 3, (5, 2))
    # The same by the normal equations of its four numbers.
    rows = [row for x, y in points for row in ((x, -y, 1, 0), (y, x, 0, 1))]
    a, b, c, d = np.linalg.lstsq(np.array(rows), FIVE_POINTS.ravel(), rcond=None)[0]
    assert np.abs(similarity(points, FIVE_POINTS) - np.array([[a, -b, c], [b, a, d]])).max() < 1e-9


def test_a_face_that_lies_right_is_cut_out_as_it_is() -> None:
    frame = picture(1)
    crop = align(frame, FIVE + np.float32(64))
    assert crop.shape == (112, 112, 3)
    assert np.abs(crop.astype(int) - frame[64:176, 64:176]).max() <= 1


def test_what_lies_outside_of_the_picture_is_black() -> None:
    assert not align(picture(1), FIVE - np.float32(500)).any()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 3e38])
def test_points_on_one_another_are_no_face(value: float) -> None:
    with pytest.raises(FaceImageError, match="on one another") as caught:
        align(picture(1), np.full((5, 2), value, np.float32))
    assert caught.value.fault == "pose"
