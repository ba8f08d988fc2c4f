from __future__ import annotations

import numpy as np
import pytest

from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces import pipeline as module
from scoring_kernel.faces.detection import FaceDetector
from scoring_kernel.faces.embedding import Embedder
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer
from scoring_kernel.faces.matching import score_e4
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.pipeline import FacePipeline
from scoring_kernel.faces.quality import QualityGate
from tests.support.faces import (
    BLOCK,
    SIDE,
    crowd,
    detector,
    embedding,
    liveness,
    picture,
    pipeline,
)


def gated(gate: QualityGate) -> FacePipeline:
    eyes, vectors = detector(), embedding()
    return FacePipeline(
        FaceDetector.load(eyes.manifest, eyes.content),
        Embedder.load(vectors.manifest, vectors.content),
        None,
        gate,
    )


def test_a_person_is_found_measured_and_alike_from_shot_to_shot() -> None:
    first, again, other = (
        pipeline().examine(picture(*who)).verify_face() for who in ((1, 0), (1, 1), (2, 0))
    )
    assert score_e4(first, again) > 9900
    assert score_e4(first, other) < 6000


def test_what_was_examined_says_nothing_of_the_person_in_a_repr() -> None:
    examined = pipeline().examine(picture(1))
    assert examined.faces == 1
    assert examined.liveness.answer is LivenessAnswer.LIVE
    assert "vector" not in repr(examined)
    assert "array" not in repr(examined)


def test_paper_is_a_spoof_also_where_it_is_held_askew() -> None:
    assert pipeline().examine(picture(1, paper=True)).liveness.answer is LivenessAnswer.SPOOF
    askew = FacePipeline(
        pipeline()._detector,  # noqa: SLF001  # the same models with another gate
        pipeline()._embedder,  # noqa: SLF001
        pipeline()._liveness,  # noqa: SLF001
        QualityGate(yaw=(0.6, 0.75)),
    )
    examined = askew.examine(picture(1, paper=True))
    assert (examined.fault, examined.vector) == (ImageFault.POSE, None)
    assert examined.liveness.answer is LivenessAnswer.SPOOF


def test_without_a_model_of_liveness_nothing_is_checked() -> None:
    examined = pipeline(lives=False).examine(picture(1))
    assert examined.liveness.answer is LivenessAnswer.NOT_CHECKED
    assert examined.vector is not None


def blurred() -> np.ndarray:
    frame = np.asarray(cv2.GaussianBlur(picture(1), (0, 0), 6), np.uint8)
    frame[BLOCK, BLOCK] = (0, 255, 0)
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 2), np.uint8)


@pytest.mark.parametrize(
    ("frame", "fault", "faces"),
    [
        (np.zeros((SIDE, SIDE, 3), np.uint8), ImageFault.NO_FACE, 0),
        (np.full((SIDE, SIDE, 3), 255, np.uint8), ImageFault.NO_FACE, 0),
        (crowd(), ImageFault.SEVERAL_FACES, 2),
        (picture(1)[::4, ::4].copy(), ImageFault.TOO_SMALL, 0),
        (blurred(), ImageFault.BLURRED, 1),
    ],
    ids=["black", "white", "two", "tiny", "blurred"],
)
def test_a_picture_that_cannot_be_compared_says_why(
    frame: np.ndarray, fault: ImageFault, faces: int
) -> None:
    examined = pipeline().examine(frame)
    assert (examined.fault, examined.faces) == (fault, faces)
    assert examined.vector is None
    with pytest.raises(FaceImageError) as caught:
        examined.verify_face()
    assert caught.value.fault == fault
    assert "expected" in caught.value.problem


@pytest.mark.parametrize(
    ("gate", "fault"),
    [
        (QualityGate(least_eye_distance=60), ImageFault.TOO_SMALL),
        (QualityGate(brightness=(0, 20)), ImageFault.DARK),
        (QualityGate(least_eye_contrast=2), ImageFault.OCCLUDED),
        (QualityGate(least_score=1.1), ImageFault.OCCLUDED),
    ],
)
def test_a_limit_of_the_gate_refuses(gate: QualityGate, fault: ImageFault) -> None:
    examined = gated(gate).examine(picture(1))
    assert examined.fault is fault
    assert examined.quality is not None
    assert examined.face is not None


def test_a_tiny_picture_is_looked_at_where_size_is_put_off() -> None:
    tiny = picture(1)[128:208, 128:208].copy()
    assert gated(QualityGate()).examine(tiny).fault is ImageFault.TOO_SMALL
    looked = gated(QualityGate().without("size")).examine(tiny)
    assert (looked.faces, looked.fault) == (1, ImageFault.OCCLUDED)  # Most of it is cut off.


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE, SIDE, 4), (8, 8, 3), (9000, 20, 3)])
def test_an_array_that_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FaceImageError):
        pipeline().examine(np.zeros(shape, np.uint8))


def test_what_opencv_refuses_is_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise cv2.error

    monkeypatch.setattr(module, "align", fail)
    with pytest.raises(FaceImageError, match="OpenCV cannot read") as caught:
        pipeline().examine(picture(1))
    assert caught.value.fault == "unreadable"


def test_the_digest_names_models_and_gate() -> None:
    same = gated(QualityGate())
    assert pipeline(lives=False).digest == same.digest
    assert len(same.digest) == 32
    assert same.model == embedding().manifest.sha256
    assert same.embedding == embedding().manifest
    digests = {
        same.digest,
        pipeline().digest,
        pipeline(size=512).digest,
        gated(QualityGate().without("size")).digest,
    }
    assert len(digests) == 4
    assert liveness().manifest.licence.use == "research"
