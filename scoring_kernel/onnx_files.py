"""Files of compiled models: what is opened, and what is refused.

Rules:
- A file is bounded in size and nodes before anything is done with it.
- It is one graph of the plan's operations, with the tensors that its own card names and all
  its constants inside; a file with anything else is refused, and none runs.
"""

from __future__ import annotations

from typing import Final

import onnx
from google.protobuf.message import DecodeError

from scoring_kernel.errors import ModelFileError
from scoring_kernel.onnx_graph import GROUP, IR_VERSION, NUMBERS, OPSET, PRESENT, VALUES, rows_of
from scoring_kernel.onnx_metadata import ModelCard
from scoring_kernel.onnx_ops import NODES

MAX_BYTES: Final = 16 * 1024 * 1024
"""Largest file."""
MAX_NODES: Final = 200_000
"""Most nodes of a graph."""


def verify_file(content: bytes) -> ModelCard:
    """Verify that a file is a compiled model and nothing else.

    Args:
        content: The file.

    Returns:
        What it says about itself.

    Raises:
        ModelFileError: Anything else.
    """
    if len(content) > MAX_BYTES:
        raise ModelFileError(f"compiled model: {len(content)} bytes, expected at most {MAX_BYTES}")
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise _foreign() from error
    versions = [(one.domain, one.version) for one in model.opset_import]
    if model.ir_version != IR_VERSION or versions != [("", OPSET)]:
        raise ModelFileError(
            f"compiled model: found IR {model.ir_version} and operators {versions}, expected "
            f"IR {IR_VERSION} and operators {OPSET}"
        )
    texts = {one.key: one.value for one in model.metadata_props}
    if any(isinstance(text, bytes) for pair in texts.items() for text in pair):
        raise _foreign()  # Bytes that are not UTF-8 come as they are.
    card = ModelCard.from_texts(texts, model.graph.SerializeToString(deterministic=True))
    _verify_operations(model)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _foreign() from error
    _verify_tensors(model, card)
    return card


def _foreign() -> ModelFileError:
    return ModelFileError(
        "compiled model: not an ONNX file: compile the model again with `yixin model compile`"
    )


def _verify_operations(model: onnx.ModelProto) -> None:
    graph = model.graph
    if len(graph.node) > MAX_NODES:
        raise ModelFileError(
            f"compiled model: {len(graph.node)} nodes, expected at most {MAX_NODES}"
        )
    strange = sorted({node.op_type for node in graph.node} - NODES)
    if strange or any(node.domain for node in graph.node):
        raise ModelFileError(
            f"compiled model: found operations {strange[:10]}, expected those of a plan only"
        )
    outside = any(one.data_location for one in graph.initializer)
    if outside or graph.sparse_initializer or model.functions or model.training_info:
        raise ModelFileError(
            "compiled model: found functions, training or constants outside the file, "
            "expected one graph with its constants"
        )


def _verify_tensors(model: onnx.ModelProto, card: ModelCard) -> None:
    kinds = onnx.TensorProto
    m = len(card.columns)
    expected = {VALUES: (kinds.DOUBLE, m), PRESENT: (kinds.BOOL, m), GROUP: (kinds.INT64, 1)} | {
        name: (kinds.DOUBLE if name in NUMBERS else kinds.BOOL, count)
        for name, count in rows_of(card).items()
        if count
    }
    found = {
        one.name: (one.type.tensor_type.elem_type, one.type.tensor_type.shape.dim[0].dim_value)
        for one in (*model.graph.input, *model.graph.output)
        if one.type.tensor_type.shape.dim
    }
    if found != expected or len(card.weights) != len(card.indicators):
        raise ModelFileError(
            f"compiled model {card.model}: found tensors {sorted(found)}, expected "
            f"{sorted(expected)} with rows as its card names: "
            "compile the model again with `yixin model compile`"
        )
