"""What the real models say of real faces; skipped where they do not lie beside the repository."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.alignment import align
from scoring_kernel.faces.detection import FaceDetector
from scoring_kernel.faces.embedding import Embedder
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer
from scoring_kernel.faces.liveness import LivenessModel
from scoring_kernel.faces.manifest import ChannelOrder, ModelKind
from scoring_kernel.faces.matching import score_e4
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.transform import protect, transform_matrix
from tests.support.faces import (
    needs_shared_faces,
    orl,
    photo,
    shared_model,
    shared_pipeline,
)

pytestmark = needs_shared_faces
every_kind = pytest.mark.parametrize("kind", list(ModelKind))


def area_under_curve(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Share of pairs of pairs in the right order; ties by half."""
    below = np.searchsorted(np.sort(impostor), genuine, "left")
    upto = np.searchsorted(np.sort(impostor), genuine, "right")
    return float((below + upto).mean() / 2 / impostor.size)


def pairs(low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of the genuine and the impostor pairs of some subjects of ORL."""
    found = orl()
    chosen = (found.subjects >= low) & (found.subjects <= high)
    vectors, subjects = found.vectors[chosen], found.subjects[chosen]
    left, right = np.triu_indices(len(subjects), 1)
    cosines, same = (vectors @ vectors.T)[left, right], subjects[left] == subjects[right]
    return cosines[same], cosines[~same]


def test_every_face_of_orl_is_found_once_and_fit_but_for_its_size() -> None:
    found = orl()
    assert found.faces.tolist() == [1] * 400
    assert found.vectors.shape == (400, 128)


@pytest.mark.parametrize(("low", "high"), [(1, 20), (21, 40)])
def test_pairs_of_one_person_are_told_from_pairs_of_two(low: int, high: int) -> None:
    genuine, impostor = pairs(low, high)
    assert (genuine.size, impostor.size) == (900, 19_000)
    assert area_under_curve(genuine, impostor) >= 0.99


def test_one_number_for_all_models_would_turn_the_right_persons_away() -> None:
    threshold = float(np.quantile(pairs(1, 20)[1], 0.99))  # One false accept in a hundred.
    assert 0.35 < threshold < 0.55
    genuine, _ = pairs(21, 40)
    assert float((genuine >= 0.80).mean()) < 0.25
    assert float((genuine >= threshold).mean()) > 0.9


def test_a_transform_leaves_every_comparison_as_it_was() -> None:
    vectors = orl().vectors
    moved = protect(vectors, transform_matrix(b"k" * 32, 128))
    scores = [score_e4(vectors[0], other) for other in vectors]
    after = [score_e4(moved[0], other) for other in moved]
    assert max(abs(a - b) for a, b in zip(scores, after, strict=True)) <= 1


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("T1", LivenessAnswer.LIVE),
        ("F1", LivenessAnswer.SPOOF),
        ("F2", LivenessAnswer.SPOOF),
    ],
)
def test_a_person_lives_and_a_print_and_a_screen_do_not(name: str, answer: LivenessAnswer) -> None:
    examined = shared_pipeline().examine(photo(name))
    assert examined.faces == 1
    assert examined.liveness.answer is answer
    live_e4 = examined.liveness.live_e4
    assert live_e4 is not None
    assert live_e4 >= 9900 if answer is LivenessAnswer.LIVE else live_e4 <= 500


def test_the_order_of_channels_decides_whether_a_print_passes() -> None:
    manifest, content = shared_model(ModelKind.LIVENESS)
    turned = replace(manifest, input=replace(manifest.input, channels=ChannelOrder.BGR))
    frame = photo("F1")
    face = shared_pipeline().examine(frame).face
    assert face is not None
    right, wrong = (
        LivenessModel.load(one, content).check(frame, face.box) for one in (manifest, turned)
    )
    assert right.answer is LivenessAnswer.SPOOF
    assert wrong.answer is LivenessAnswer.LIVE


def test_a_photo_is_fit_to_be_compared_and_its_damages_are_named() -> None:
    frame = photo("T1")
    examined = shared_pipeline().examine(frame)
    assert examined.fault is None
    assert examined.face is not None
    left, top, width, height = (round(one) for one in examined.face.box)
    masked = frame.copy()
    masked[top + height * 55 // 100 : top + height, left : left + width] = (200, 180, 160)
    small = np.asarray(cv2.resize(frame, None, fx=0.4, fy=0.4), np.uint8)
    two = np.concatenate((frame, photo("F2")), axis=1)
    told = {
        "mask": masked,
        "blur": np.asarray(cv2.GaussianBlur(frame, (0, 0), 5), np.uint8),
        "small": small,
        "two": two,
        "black": np.zeros_like(frame),
        "night": (frame * 0.05).astype(np.uint8),
        "no face": frame[:100].copy(),
    }
    faults = {name: shared_pipeline().examine(one).fault for name, one in told.items()}
    assert faults == {
        "mask": ImageFault.OCCLUDED,
        "blur": ImageFault.BLURRED,
        "small": ImageFault.TOO_SMALL,
        "two": ImageFault.SEVERAL_FACES,
        "black": ImageFault.NO_FACE,
        "night": ImageFault.NO_FACE,
        "no face": ImageFault.NO_FACE,
    }


@pytest.mark.parametrize("name", ["T1", "F1", "F2"])
def test_a_face_is_itself_nearer_farther_and_turned(name: str) -> None:
    frame = photo(name)
    middle = (frame.shape[1] / 2, frame.shape[0] / 2)
    vectors = []
    for scale, turn in ((1.0, 0.0), (0.7, -8.0), (0.8, 5.0), (0.9, 9.0), (1.15, -4.0)):
        move = cv2.getRotationMatrix2D(middle, turn, scale)
        other = np.asarray(cv2.warpAffine(frame, move, frame.shape[1::-1]), np.uint8)
        vectors.append(shared_pipeline("size", "pose").examine(other).verify_face())
    cosines = np.stack(vectors) @ np.stack(vectors).T
    assert float(cosines.min()) > 0.75  # Without a second look at the face: 0.13.


def test_the_same_picture_gives_the_same_vector_whatever_came_between() -> None:
    first = shared_pipeline().examine(photo("T1")).verify_face()
    shared_pipeline("size").examine(photo("F2")[:300])
    assert shared_pipeline().examine(photo("T1")).verify_face().tolist() == first.tolist()


@every_kind
@pytest.mark.parametrize("eighth", range(8))
def test_a_real_model_cut_short_is_refused(kind: ModelKind, eighth: int) -> None:
    manifest, content = shared_model(kind)
    cut = content[: len(content) * eighth // 8]
    loaders = {
        ModelKind.DETECTOR: FaceDetector.load,
        ModelKind.EMBEDDING: Embedder.load,
        ModelKind.LIVENESS: LivenessModel.load,
    }
    with pytest.raises(FaceModelError, match=f"expected {manifest.bytes}"):
        loaders[kind](manifest, cut)


def test_the_vector_of_a_real_model_is_made_unit() -> None:
    manifest, content = shared_model(ModelKind.EMBEDDING)
    face = shared_pipeline().examine(photo("T1")).face
    assert face is not None
    vector = Embedder.load(manifest, content).embed(align(photo("T1"), face.points))
    assert float(np.linalg.norm(vector.astype(np.float64))) == pytest.approx(1.0, abs=1e-6)
