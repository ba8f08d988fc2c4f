"""A file that is not a compiled model, or not a whole one, is refused with a reason."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from scoring_kernel import onnx_files
from scoring_kernel.errors import ModelFileError
from scoring_kernel.onnx_files import MAX_BYTES, verify_file
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.onnx_metadata import MAX_NAMES, MAX_TEXT, MAX_WEIGHT, SEAL
from tests.support.kernel_models import tiny_model
from tests.support.onnx_models import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT: Final = compile_model(tiny_model(), None, DAY)


def changed(change: Callable[[onnx.ModelProto], None], *, sealed: bool = True) -> bytes:
    """The file after a change; sealed anew, as a forger would."""
    model = onnx.load_model_from_string(CONTENT)
    change(model)
    if sealed:
        texts = {one.key: one.value for one in model.metadata_props if one.key != SEAL}
        head = json.dumps(texts, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        graph = model.graph.SerializeToString(deterministic=True)
        say(model, SEAL, hashlib.sha256(head + graph).hexdigest())
    return model.SerializeToString()


def say(model: onnx.ModelProto, key: str, value: str) -> None:
    next(one for one in model.metadata_props if one.key == key).value = value


def test_the_file_itself_is_accepted() -> None:
    assert verify_file(CONTENT).model == "tiny"
    assert verify_file(changed(lambda _: None)).model == "tiny"


def test_a_file_too_large_is_not_opened() -> None:
    with pytest.raises(ModelFileError, match="expected at most"):
        verify_file(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize("content", [b"\xff\xff", b"", b"PK\x03\x04", CONTENT[:1000]])
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ModelFileError):
        verify_file(content)


def rename_graph(model: onnx.ModelProto) -> None:
    model.graph.name = "other"


def rename_column(model: onnx.ModelProto) -> None:
    text = next(one.value for one in model.metadata_props if one.key == "columns")
    say(model, "columns", text.replace("current", "currant"))


@pytest.mark.parametrize("change", [rename_graph, rename_column])
def test_a_damaged_file_is_told(change: Callable[[onnx.ModelProto], None]) -> None:
    with pytest.raises(ModelFileError, match="damaged, compile the model again"):
        verify_file(changed(change, sealed=False))


def rounds(model: onnx.ModelProto) -> None:
    node = next(one for one in model.graph.node if one.op_type == "Floor")
    node.op_type = "Round"


def foreign_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.microsoft"


def outside(model: onnx.ModelProto) -> None:
    one = model.graph.initializer[0]
    one.data_location = onnx.TensorProto.EXTERNAL
    one.external_data.add(key="location", value="/etc/passwd")


def function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    made = helper.make_function("own", "F", ["x"], ["y"], [node], [helper.make_opsetid("", 21)])
    model.functions.append(made)


def training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add()


def another_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 22


def another_ir(model: onnx.ModelProto) -> None:
    model.ir_version = 9


def unknown_tensor(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "nowhere"


def contradicting_shapes(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def fewer_outputs(model: onnx.ModelProto) -> None:
    del model.graph.output[-1]


def more_outputs(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1)), "more"))
    model.graph.output.append(
        helper.make_tensor_value_info("more", onnx.TensorProto.DOUBLE, [1, 1])
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (rounds, r"found operations \['Round'\]"),
        (foreign_domain, "expected those of a plan only"),
        (outside, "constants outside the file"),
        (function, "found functions"),
        (training, "found functions, training"),
        (sparse, "constants outside"),
        (another_opset, "expected IR 10 and operators 21"),
        (another_ir, "found IR 9"),
        (unknown_tensor, "not an ONNX file"),
        (contradicting_shapes, "not an ONNX file"),
        (fewer_outputs, "with rows as its card names"),
        (more_outputs, "with rows as its card names"),
    ],
)
def test_a_forged_file_is_refused(change: Callable[[onnx.ModelProto], None], says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        verify_file(changed(change))


def test_a_graph_with_too_many_nodes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_files, "MAX_NODES", 10)
    with pytest.raises(ModelFileError, match="nodes, expected at most 10"):
        verify_file(CONTENT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "x" * (MAX_TEXT + 1)),
        ("model_digest", "00"),
        ("model_digest", "Z" * 64),
        ("reference_digest", "00"),
        ("effective_from", "2026-13-01"),
        ("effective_from", "20260101"),
        ("effective_to", "tomorrow"),
        ("columns", "{}"),
        ("columns", "[1]"),
        ("columns", '["a", "a"]'),
        ("columns", '[""]'),
        ("columns", "["),
        ("columns", "[" * 5_000),
        ("weights", "[0]"),
        ("weights", "[true]"),
        ("weights", f"[{MAX_WEIGHT + 1}]"),
        ("weights", "{}"),
        ("levels", '["' + "x" * (MAX_NAMES * MAX_TEXT) + '"]'),
        ("levels", str([str(n) for n in range(MAX_NAMES + 1)]).replace("'", '"')),
    ],
)
def test_a_malformed_card_is_refused(key: str, value: str) -> None:
    with pytest.raises(ModelFileError, match=f"metadata {key} is malformed"):
        verify_file(changed(lambda model: say(model, key, value)))


def test_another_format_and_a_card_with_gaps_are_refused() -> None:
    def drop(model: onnx.ModelProto) -> None:
        del model.metadata_props[0]

    for change in (lambda model: say(model, "format", "yixin-model-0"), drop):
        with pytest.raises(ModelFileError, match="expected format yixin-model-1"):
            verify_file(changed(change, sealed=False))


def test_the_card_and_the_tensors_must_agree() -> None:
    with pytest.raises(ModelFileError, match="with rows as its card names"):
        verify_file(changed(lambda model: say(model, "indicators", '["one"]')))
    with pytest.raises(ModelFileError, match="with rows as its card names"):
        verify_file(changed(lambda model: say(model, "weights", "[100]")))


def test_metadata_that_is_not_text_is_refused() -> None:
    place = CONTENT.index(b"proposal")
    broken = CONTENT[:place] + b"\xff" + CONTENT[place + 1 :]
    with pytest.raises(ModelFileError, match="not an ONNX file"):
        verify_file(broken)
