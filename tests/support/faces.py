"""Faces for tests: stand-in models of the real ones' signatures, and the shared real ones.

The stand-in detector sees a face around each green block on the grid of 32 pixels, the stand-in
embedding is a projection of the crop, and the stand-in liveness model takes red for paper. They
run through the same code as real models do; what real models say of real faces is asked where
``../shared/data/faces`` lies beside the repository, and skipped with a reason where it does not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deploy.protos import REPOSITORY
from edge_devices.models import ModelStore
from scoring_kernel.faces.alignment import FIVE_POINTS
from scoring_kernel.faces.decoding import decode
from scoring_kernel.faces.detection import FaceDetector
from scoring_kernel.faces.embedding import Embedder
from scoring_kernel.faces.liveness import LivenessModel
from scoring_kernel.faces.manifest import ModelKind
from scoring_kernel.faces.manifest_files import parse_manifest, shipped_manifests
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.pipeline import FacePipeline
from scoring_kernel.faces.quality import QualityGate

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel.faces.arrays import FloatMatrix, Frame
    from scoring_kernel.faces.manifest import FaceModelManifest

SHARED: Final = REPOSITORY.parent / "shared" / "data" / "faces"
"""Real models and faces; nothing of it is copied into the repository."""
needs_shared_faces: Final = pytest.mark.skipif(
    not SHARED.is_dir(), reason="no real models and faces: ../shared/data/faces is absent"
)
_SHARED_FILES: Final = {
    ModelKind.DETECTOR: "face_detection_yunet_2023mar.onnx",
    ModelKind.EMBEDDING: "mobilefacenet_foamliu_128d.onnx",
    ModelKind.LIVENESS: "AntiSpoofing_print-replay_1.5_128.onnx",
}
SIDE: Final = 320
"""Of a stand-in picture, pixels."""
_SCALE: Final = 1.5
"""Of the stand-in faces over an aligned crop."""
_CELL: Final = 32
_GREEN: Final = (0, 255, 0)
BLOCK: Final = slice(5 * _CELL, 6 * _CELL)
"""Rows and columns of the green block of a stand-in picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A model's file and the text of its manifest."""

    name: str
    content: bytes
    text: str

    @property
    def manifest(self) -> FaceModelManifest:
        return parse_manifest(self.text, f"{self.name}.yaml")


def _rng(*seed: int) -> np.random.Generator:  # noqa: TID251  # the type
    return np.random.default_rng(seed)  # noqa: TID251  # seeded by the caller


def save(graph: onnx.GraphProto) -> bytes:
    """One graph as a file."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def stand_in(name: str, content: bytes, rest: str, *, use: str = "unrestricted") -> StandIn:
    """A model with the manifest that names its bytes."""
    digest = hashlib.sha256(content).hexdigest()
    text = (
        f"id: {name}\n"
        f'file: {{sha256: "{digest}", bytes: {len(content)}}}\n'
        f"licence: {{name: MIT, of: made for tests, use: {use}}}\n{rest}"
    )
    return StandIn(name=name, content=content, text=text)


@cache
def detector() -> StandIn:
    """YuNet's tensors; a face of 168 pixels around each green block of 32 on the grid."""
    nodes, weights, outputs = [], [], []
    side = 112 * _SCALE
    points = ((FIVE_POINTS * _SCALE - side / 2) / _CELL + 0.5).astype(np.float32).ravel()
    size = np.log(side / _CELL)
    green = np.zeros((1, 3, _CELL, _CELL), np.float32)
    green[0, 1], green[0, 0], green[0, 2] = 1.0, -0.5, -0.5
    for stride in (8, 16, 32):
        biases = {
            "cls": np.zeros(1, np.float32),
            "obj": np.zeros(1, np.float32),
            "bbox": np.array((0.5, 0.5, size, size), np.float32),
            "kps": points,
        }
        for head, bias in biases.items():
            name = f"{head}_{stride}"
            kernel = np.zeros((bias.size, 3, stride, stride), np.float32)
            if stride == _CELL and head in {"cls", "obj"}:
                kernel = green / np.float32(255 * _CELL * _CELL)
            weights += [numpy_helper.from_array(kernel, f"{name}_w")]
            weights += [numpy_helper.from_array(bias, f"{name}_b")]
            shape = np.array((1, -1, bias.size), np.int64)
            weights += [numpy_helper.from_array(shape, f"{name}_s")]
            nodes += [
                helper.make_node(
                    "Conv",
                    ["input", f"{name}_w", f"{name}_b"],
                    [f"{name}_c"],
                    kernel_shape=[stride, stride],
                    strides=[stride, stride],
                ),
                helper.make_node("Transpose", [f"{name}_c"], [f"{name}_t"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_t", f"{name}_s"], [name]),
            ]
            count = (640 // stride) ** 2
            outputs += [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count, bias.size])
            ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    content = save(helper.make_graph(nodes, "detector", [given], outputs, weights))
    return stand_in(
        "green_blocks",
        content,
        "kind: detector\n"
        "input: {name: input, width: 640, height: 640, channels: bgr, layout: nchw, "
        'mean: ["0", "0", "0"], scale: ["1", "1", "1"]}\n'
        'detector: {decoder: yunet, work_side: 320, score: "0.6", overlap: "0.3", most: 5000}\n',
    )


@cache
def embedding(
    size: int = 128, *, source: str = "data", made: str = "fc1", seed: int = 1
) -> StandIn:
    """A projection of the crop in cells of 7 by 7 pixels; by default with SFace's tensors."""
    matrix = _rng(seed).standard_normal((3 * 16 * 16, size)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", [source], ["p"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Sub", ["f", "m"], ["c"]),
        helper.make_node("MatMul", ["c", "w"], [made]),
    ]
    weights = [
        numpy_helper.from_array(matrix, "w"),
        numpy_helper.from_array(np.array(128, np.float32), "m"),
    ]
    given = helper.make_tensor_value_info(source, TensorProto.FLOAT, [1, 3, 112, 112])
    out = helper.make_tensor_value_info(made, TensorProto.FLOAT, [1, size])
    content = save(helper.make_graph(nodes, "embedding", [given], [out], weights))
    return stand_in(
        f"projection_{size}d",
        content,
        "kind: embedding\n"
        f"input: {{name: {source}, width: 112, height: 112, channels: rgb, layout: nchw, "
        'mean: ["0", "0", "0"], scale: ["1", "1", "1"]}\n'
        "crop: {align: five_point}\n"
        f'output: {{name: "{made}", size: {size}, normalise: l2}}\n'
        "similarity: cosine\n"
        'default_threshold: {value: "0.6", basis: proposal, note: made for tests}\n',
    )


@cache
def liveness() -> StandIn:
    """Live, print or replay by the mean of green, red and blue; its manifest says research."""
    mix = np.zeros((3, 3), np.float32)  # From channels red, green, blue to live, print, replay.
    mix[1, 0], mix[0, 1], mix[2, 2] = 12.0, 12.0, 12.0
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["output"]),
    ]
    weights = [
        numpy_helper.from_array(mix, "w"),
        numpy_helper.from_array(np.array((2.0, 0.0, 0.0), np.float32), "b"),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 128, 128])
    out = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3])
    content = save(helper.make_graph(nodes, "liveness", [given], [out], weights))
    return stand_in(
        "paper_is_red",
        content,
        "kind: liveness\n"
        "input: {name: input, width: 128, height: 128, channels: rgb, layout: nchw, "
        'mean: ["0", "0", "0"], scale: ["255", "255", "255"]}\n'
        'crop: {square: "1.5"}\n'
        "output: {name: output, size: 3, normalise: softmax, classes: [live, print, replay]}\n"
        'default_threshold: {value: "0.5", basis: proposal, note: made for tests}\n',
        use="research",
    )


def stand_ins() -> tuple[StandIn, StandIn, StandIn]:
    """Detector, embedding and liveness."""
    return detector(), embedding(), liveness()


@cache
def pipeline(*, size: int = 128, lives: bool = True) -> FacePipeline:
    """The stand-ins, joined, with the gate as it is shipped."""
    eyes, vectors, living = detector(), embedding(size), liveness()
    return FacePipeline(
        FaceDetector.load(eyes.manifest, eyes.content),
        Embedder.load(vectors.manifest, vectors.content),
        LivenessModel.load(living.manifest, living.content) if lives else None,
        QualityGate(),
    )


def picture(person: int, shot: int = 0, *, paper: bool = False, noise: float = 12.0) -> Frame:
    """A picture of a person for the stand-ins, SIDE by SIDE pixels.

    Args:
        person: Who; the same pattern of grey each time.
        shot: Which picture of that person: another noise over it.
        paper: Whether it is a print, which is red.
        noise: Standard deviation of what differs from shot to shot, of 0 to 255.
    """
    pattern = _rng(1, person).integers(40, 216, (SIDE // 16, SIDE // 16)).astype(np.float64)
    grey = np.kron(pattern, np.ones((16, 16)))
    grey += _rng(2, person, shot).normal(0.0, noise, grey.shape)
    frame: Frame = np.repeat(np.clip(grey, 0, 255)[:, :, None], 3, axis=2).astype(np.uint8)
    if paper:
        frame[:, :, :2] //= 2
    frame[BLOCK, BLOCK] = _GREEN
    return frame


def crowd() -> Frame:
    """A picture of two persons of one size, side by side."""
    frame = picture(1)
    frame[BLOCK, BLOCK] = 128
    for left in (2 * _CELL, 7 * _CELL):
        frame[BLOCK, left : left + _CELL] = _GREEN
    return frame


def png(frame: Frame) -> bytes:
    """A picture as a file, without loss."""
    done, content = cv2.imencode(".png", frame)
    assert done
    return content.tobytes()


@cache
def shared_model(kind: ModelKind) -> tuple[FaceModelManifest, bytes]:
    """The real model of a kind, with the manifest that is shipped for it."""
    content = (SHARED / _SHARED_FILES[kind]).read_bytes()
    return shipped_manifests()[hashlib.sha256(content).hexdigest()], content


def installed_models(directory: Path) -> Path:
    """A store with the real models, as `yixin device models install` makes it."""
    for kind in ModelKind:
        manifest, content = shared_model(kind)
        ModelStore(directory).install(content, {manifest.sha256: manifest})
    return directory


@cache
def shared_pipeline(*off: str) -> FacePipeline:
    """The real models, joined; groups of the gate put off by name."""
    return FacePipeline(
        FaceDetector.load(*shared_model(ModelKind.DETECTOR)),
        Embedder.load(*shared_model(ModelKind.EMBEDDING)),
        LivenessModel.load(*shared_model(ModelKind.LIVENESS)),
        QualityGate().without(*off),
    )


def photo(name: str) -> Frame:
    """A photo of ``liveness_samples``: T1 lives, F1 is a print, F2 a screen."""
    return decode((SHARED / "liveness_samples" / f"image_{name}.jpg").read_bytes())


def orl_picture(subject: int, shot: int) -> Frame:
    """A picture of ORL, subject 1 to 40, shot 1 to 10: 23 by 28 pixels, upscaled 4 times."""
    frame = decode((SHARED / "orl" / f"s{subject}" / f"{shot}.pgm").read_bytes())
    larger = cv2.resize(frame, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    return np.asarray(larger, np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Orl:
    """All of ORL, examined with the gate's group ``size`` put off.

    Attributes:
        subjects: Who, 1 to 40, shape (400,).
        faces: How many faces each picture has, shape (400,).
        vectors: Of all 400, shape (400, 128).
    """

    subjects: npt.NDArray[np.int64]
    faces: npt.NDArray[np.int64]
    vectors: FloatMatrix


@cache
def orl() -> Orl:
    """ORL, examined once in a run of the tests; 5 seconds."""
    examiner = shared_pipeline("size")
    names = [(subject, shot) for subject in range(1, 41) for shot in range(1, 11)]
    found = [examiner.examine(orl_picture(*name)) for name in names]
    return Orl(
        subjects=np.array([subject for subject, _ in names], np.int64),
        faces=np.array([one.faces for one in found], np.int64),
        vectors=np.stack([one.verify_face() for one in found]),
    )
