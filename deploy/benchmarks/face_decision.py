"""One run of a face's way from frame to decision on one core, in a process of its own.

Ours: a picture is examined, compared with a template and judged. The reference: the same picture
through bare calls of OpenCV and ONNX Runtime with the same models, where to cut known beforehand;
one conversion before each model. Prints one JSON object, see ``decide``.
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime
import orjson

from deploy.benchmarks.measuring import alternate, stopwatch
from deploy.benchmarks.peak import peak_bytes
from deploy.errors import BenchmarkError
from scoring_kernel.faces.alignment import FIVE_POINTS, SIDE, similarity
from scoring_kernel.faces.arrays import FloatVector, Frame
from scoring_kernel.faces.decoding import decode
from scoring_kernel.faces.detection import CLOSER_FACE, CLOSER_SIDE, FaceDetector
from scoring_kernel.faces.embedding import Embedder
from scoring_kernel.faces.examined import Examined
from scoring_kernel.faces.liveness import LivenessModel
from scoring_kernel.faces.manifest import FaceModelManifest, ModelKind
from scoring_kernel.faces.manifest_files import shipped_manifests
from scoring_kernel.faces.matching import score_e4
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.pipeline import FacePipeline
from scoring_kernel.faces.quality import QualityGate
from scoring_kernel.faces.verdict import Finding, Found, Verdict, judge

PHOTO: Final = Path("liveness_samples") / "image_T1.jpg"
"""A living face, 480 by 640 pixels."""
FRAMES: Final = 20
_THRESHOLD_E4: Final = 5_200
_SAME: Final = 0.99
"""Cosine of our vector and the bare calls': only the conversion rounds otherwise."""


def decide(data: Path, repeats: int) -> dict[str, float]:
    """Go from frame to decision.

    Args:
        data: Directory of models and of ``PHOTO``.
        repeats: Runs of ours and of the bare calls, in turn.

    Returns:
        Milliseconds of one frame, ``ours_ms`` and ``reference_ms``, and ``peak_bytes`` of a
        process with all three models.

    Raises:
        BenchmarkError: A model is not there, the face is not matched, or the bare calls make
            something else of it.
    """
    frame = decode((data / PHOTO).read_bytes())
    models = find_models(data)
    pipeline = FacePipeline(
        FaceDetector.load(*models[ModelKind.DETECTOR]),
        Embedder.load(*models[ModelKind.EMBEDDING]),
        LivenessModel.load(*models[ModelKind.LIVENESS]),
        QualityGate(),
    )
    brighter = np.asarray(cv2.convertScaleAbs(frame, alpha=1.2), np.uint8)
    enrolled = pipeline.examine(brighter).verify_face()

    def decided() -> Examined:
        examined = pipeline.examine(frame)
        found = Found(
            finding=Finding.COMPARED,
            score_e4=score_e4(examined.verify_face(), enrolled),
            liveness=examined.liveness.answer,
        )
        if judge(found, _THRESHOLD_E4, liveness_required=True)[0] is not Verdict.MATCH:
            raise BenchmarkError(f"the person of {PHOTO.name} is not taken for the same")
        return examined

    examined = decided()
    peak = peak_bytes()
    bare = _bare(models, examined, frame)
    likeness = float(bare() @ examined.verify_face())
    if not likeness >= _SAME:
        raise BenchmarkError(f"bare calls make another vector, cosine {likeness:.3f}")
    ours, reference = alternate(_timed(decided), _timed(bare), repeats=repeats)
    return {"ours_ms": ours, "reference_ms": reference, "peak_bytes": peak}


def find_models(data: Path) -> dict[ModelKind, tuple[FaceModelManifest, bytes]]:
    """Read the models of a directory whose manifests the program ships.

    Args:
        data: The directory.

    Returns:
        One of each kind.

    Raises:
        BenchmarkError: A kind is missing.
    """
    shipped = shipped_manifests()
    found = {}
    for path in sorted(data.glob("*.onnx")):
        content = path.read_bytes()
        manifest = shipped.get(hashlib.sha256(content).hexdigest())
        if manifest is not None:
            found[manifest.kind] = (manifest, content)
    missing = [kind for kind in ModelKind if kind not in found]
    if missing:
        raise BenchmarkError(f"{data} holds no known model of kind {', '.join(missing)}")
    return found


def _timed(act: Callable[[], object]) -> Callable[[int], float]:
    def run(_run: int) -> float:
        with stopwatch() as watch:
            for _ in range(FRAMES):
                act()
        return watch.core_s / FRAMES * 1_000

    return run


def _bare(
    models: dict[ModelKind, tuple[FaceModelManifest, bytes]], examined: Examined, frame: Frame
) -> Callable[[], FloatVector]:
    """Prepare the bare calls: resize and detect, the whole and closer, cut, two models."""
    manifest, content = models[ModelKind.DETECTOR]
    face = examined.face
    if face is None or manifest.detector is None:
        raise BenchmarkError(f"no face in {PHOTO.name}")
    height, width = frame.shape[:2]
    shrink = max(height, width) / manifest.detector.work_side
    size = (round(width / shrink), round(height / shrink))
    detector, closer = (
        cv2.FaceDetectorYN.create(
            "onnx", np.frombuffer(content, np.uint8), np.empty(0, np.uint8), one
        )
        for one in (size, (CLOSER_SIDE, CLOSER_SIDE))
    )
    move = similarity(face.points.astype(np.float64), FIVE_POINTS)
    around = _square(face.box, CLOSER_SIDE / CLOSER_FACE)
    inside = _square(face.box, float(models[ModelKind.LIVENESS][0].crop.square or 1))
    embed = _model(*models[ModelKind.EMBEDDING])
    lives = _model(*models[ModelKind.LIVENESS])

    def run() -> FloatVector:
        detector.detect(cv2.resize(frame, size))
        closer.detect(cv2.resize(frame[around], (CLOSER_SIDE, CLOSER_SIDE)))
        lives(cv2.resize(frame[inside], (128, 128)))
        vector = embed(cv2.warpAffine(frame, move, (SIDE, SIDE)))[0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    return run


def _square(box: tuple[float, float, float, float], factor: float) -> tuple[slice, slice]:
    left, top, *sides = box
    square = factor * max(sides)
    x, y = (
        max(0, round(begin + side / 2 - square / 2))
        for begin, side in zip((left, top), sides, strict=True)
    )
    return slice(y, y + round(square)), slice(x, x + round(square))


def _model(manifest: FaceModelManifest, content: bytes) -> Callable[[Any], npt.NDArray[np.float32]]:
    """Open a model with nothing around it but the conversion of its picture."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    mean, scale = (
        np.array([float(one) for one in triple], np.float32)
        for triple in (manifest.input.mean, manifest.input.scale)
    )

    def run(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        tensor = ((picture[:, :, ::-1] - mean) / scale).transpose(2, 0, 1)[None]
        given = {manifest.input.name: np.ascontiguousarray(tensor, np.float32)}
        made: npt.NDArray[np.float32] = session.run([manifest.output.name], given)[0]
        return made

    return run


def main() -> None:
    """Run with the arguments DIRECTORY REPEATS."""
    data, repeats = sys.argv[1:]
    sys.stdout.buffer.write(orjson.dumps(decide(Path(data), int(repeats))) + b"\n")


if __name__ == "__main__":
    main()
