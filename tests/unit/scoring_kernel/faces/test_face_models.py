"""Files of models that are not what their manifests say: one error, never a crash."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.detection import FaceDetector
from scoring_kernel.faces.embedding import Embedder
from scoring_kernel.faces.liveness import LivenessModel
from scoring_kernel.faces.manifest import ModelKind
from tests.support.faces import StandIn, detector, embedding, liveness, picture, save, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LOADERS: dict[ModelKind, Callable[..., object]] = {
    ModelKind.DETECTOR: FaceDetector.load,
    ModelKind.EMBEDDING: Embedder.load,
    ModelKind.LIVENESS: LivenessModel.load,
}
MAKERS = {
    ModelKind.DETECTOR: detector,
    ModelKind.EMBEDDING: embedding,
    ModelKind.LIVENESS: liveness,
}
FRAME = picture(1)
every_kind = pytest.mark.parametrize("kind", list(ModelKind))


def repinned(model: StandIn, content: bytes) -> StandIn:
    """The manifest of a model over other bytes, as if an operator had pinned them."""
    rest = model.text.split("\n", 3)[3]
    return stand_in(model.name, content, rest)


def refused(model: StandIn, content: bytes | None = None) -> str:
    manifest = model.manifest
    with pytest.raises(FaceModelError) as caught:
        LOADERS[manifest.kind](manifest, model.content if content is None else content)
    assert manifest.id in str(caught.value)
    return str(caught.value)


@every_kind
def test_bytes_that_the_manifest_does_not_name_are_never_opened(kind: ModelKind) -> None:
    model = MAKERS[kind]()
    other = bytearray(model.content)
    other[len(other) // 2] ^= 1
    found = hashlib.sha256(other).hexdigest()
    assert refused(model, bytes(other)).endswith(
        f"found SHA-256 {found}, expected {model.manifest.sha256}: install the file that the "
        "manifest names"
    )
    assert f"expected {len(model.content)}" in refused(model, model.content[:-1])
    assert "found 0 bytes" in refused(model, b"")


@every_kind
def test_a_model_of_another_kind_is_not_taken_for_this_one(kind: ModelKind) -> None:
    for other in set(ModelKind) - {kind}:
        model = MAKERS[other]()
        with pytest.raises(FaceModelError, match=f"of kind {other}, expected {kind}"):
            LOADERS[kind](model.manifest, model.content)


@every_kind
@pytest.mark.parametrize("eighth", range(1, 8))
def test_a_truncated_model_is_refused_even_where_somebody_pinned_it(
    kind: ModelKind, eighth: int
) -> None:
    model = MAKERS[kind]()
    cut = repinned(model, model.content[: len(model.content) * eighth // 8])
    refused(cut)


@every_kind
@pytest.mark.parametrize("junk", [b"x", b"junk" * 500, b"\x08\x09", bytes(5000)])
def test_junk_is_refused_even_where_somebody_pinned_it(kind: ModelKind, junk: bytes) -> None:
    refused(repinned(MAKERS[kind](), junk))


def outcome(model: StandIn) -> str:
    try:
        LOADERS[model.manifest.kind](model.manifest, model.content)
    except FaceModelError as error:
        return str(error)
    return f"{model.name} opens"


@every_kind
def test_a_model_with_flipped_bytes_opens_or_is_refused(kind: ModelKind) -> None:
    model = MAKERS[kind]()
    step = len(model.content) // 12
    for place in range(step, len(model.content), step):
        other = bytearray(model.content)
        other[place] ^= 0x40
        assert model.name in outcome(repinned(model, bytes(other)))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: data", "name: input", "found tensors data, expected input"),
        ('name: "fc1"', "name: fc2", "found tensors fc1, expected fc2"),
        ("size: 128", "size: 512", "found fc1 of shape [1, 128], expected [1, 512]"),
        ("width: 112", "width: 96", "expected [1, 3, 112, 96]"),
    ],
)
def test_tensors_other_than_the_manifests_are_named(old: str, new: str, words: str) -> None:
    model = embedding()
    assert words in refused(replace(model, text=model.text.replace(old, new)))


def test_a_detector_without_its_twelve_tensors_is_none() -> None:
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    out = helper.make_tensor_value_info("cls_8", TensorProto.FLOAT, [1, 3, 640, 640])
    node = helper.make_node("Identity", ["input"], ["cls_8"])
    content = save(helper.make_graph([node], "small", [given], [out]))
    assert "found tensors cls_8, expected cls_16" in refused(repinned(detector(), content))


def of_graph(
    nodes: Sequence[onnx.NodeProto], kind: int = TensorProto.FLOAT, inputs: int = 1
) -> StandIn:
    given = [
        helper.make_tensor_value_info(name, kind, [1, 3, 112, 112])
        for name in ("data", "more")[:inputs]
    ]
    out = helper.make_tensor_value_info("fc1", kind, ["n", 4])
    weights = [
        numpy_helper.from_array(np.array([1, 4], np.int64), "four"),
        numpy_helper.from_array(np.zeros((3, 4), np.float32), "none"),
        numpy_helper.from_array(np.full((3, 4), np.nan, np.float32), "nan"),
        numpy_helper.from_array(np.full((3, 4), 3e38, np.float32), "huge"),
    ]
    content = save(helper.make_graph(nodes, "small", given, [out], weights))
    return repinned(embedding(4), content)


POOLED = [
    helper.make_node("GlobalAveragePool", ["data"], ["g"]),
    helper.make_node("Flatten", ["g"], ["f"]),
]


@pytest.mark.parametrize("weights", ["none", "nan", "huge"])
def test_a_vector_without_length_or_numbers_is_the_models_fault(weights: str) -> None:
    model = of_graph([*POOLED, helper.make_node("MatMul", ["f", weights], ["fc1"])])
    found = Embedder.load(model.manifest, model.content)
    with pytest.raises(FaceModelError, match="expected a finite one above 0"):
        found.embed(FRAME)


def test_a_model_that_fails_or_changes_its_shape_when_run_is_refused() -> None:
    fails = of_graph([helper.make_node("Reshape", ["data", "four"], ["fc1"])])
    assert "fails when it is run" in refused(fails)
    changes = of_graph(
        [
            helper.make_node("NonZero", ["data"], ["places"]),
            helper.make_node("Transpose", ["places"], ["rows"]),
            helper.make_node("Cast", ["rows"], ["fc1"], to=TensorProto.FLOAT),
        ]
    )
    assert "found output of shape (0, 4), expected (1, 4)" in refused(changes)


def test_a_model_of_two_inputs_or_of_other_numbers_is_refused() -> None:
    nodes = [*POOLED, helper.make_node("MatMul", ["f", "none"], ["fc1"])]
    assert "inputs data, more, expected one, data" in refused(of_graph(nodes, inputs=2))
    double = of_graph([helper.make_node("Reshape", ["data", "four"], ["fc1"])], TensorProto.DOUBLE)
    assert "data of type tensor(double), expected tensor(float)" in refused(double)


def beside(name: str) -> StandIn:
    """A model that keeps its weights in a file beside it."""
    model = onnx.load_model_from_string(embedding(4).content)
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=name)
    return repinned(embedding(4), model.SerializeToString())


def test_a_model_that_keeps_numbers_in_other_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(4 * 768 * 4))
    monkeypatch.chdir(tmp_path)
    assert "numbers kept in other files" in refused(beside("weights.bin"))


def test_the_word_location_alone_is_no_other_file() -> None:
    model = onnx.load_model_from_string(embedding(4).content)
    model.doc_string = "location"
    whole = repinned(embedding(4), model.SerializeToString())
    assert Embedder.load(whole.manifest, whole.content).embed(FRAME).shape == (4,)
    cut = model.SerializeToString()[:-3]
    assert b"location" in cut
    assert "no model that ONNX Runtime opens" in refused(repinned(embedding(4), cut))


def test_a_damaged_name_is_told_without_chatter(capfd: pytest.CaptureFixture[str]) -> None:
    content = embedding(4).content.replace(b"AveragePool", b"Average\xffool")
    assert "UnicodeDecodeError" in refused(repinned(embedding(4), content))
    assert capfd.readouterr() == ("", "")


def test_a_manifest_built_without_its_section_is_refused() -> None:
    model = detector()
    with pytest.raises(FaceModelError, match="no detector section"):
        FaceDetector.load(replace(model.manifest, detector=None), model.content)
    living = liveness()
    with pytest.raises(FaceModelError, match="no square or threshold"):
        LivenessModel.load(replace(living.manifest, default_threshold_e4=None), living.content)
