"""Runs what ``OnnxOps`` wrote down, and the same through ``NumpyOps``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper

from scoring_kernel.onnx_ops import FlagWire, NumberWire, OnnxOps
from scoring_kernel.ops import NumpyOps

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from scoring_kernel.inputs import InputTable

Formula: TypeAlias = "Callable[[Any, Any, Any, Any, Any], Any]"
"""Operations over the backend, numbers x and y, a flag c and a peer group g."""


def through_onnx(
    formula: Formula,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    c: npt.NDArray[np.bool_],
    g: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[Any], OnnxOps]:
    """Write the formula down, run it, give its value for each row and the graph."""
    ops = OnnxOps("g")
    flag = FlagWire(name="c")
    wire = formula(ops, NumberWire(name="x"), NumberWire(name="y"), flag, ops.group)
    if isinstance(wire, FlagWire):
        name, kind = ops.named(ops.every_row_flag(wire, flag)), TensorProto.BOOL
    else:
        name, kind = ops.named(ops.every_row(wire, flag)), TensorProto.DOUBLE
    nodes = [*ops.nodes, helper.make_node("Identity", [name], ["out"])]
    kinds = {
        "x": TensorProto.DOUBLE,
        "y": TensorProto.DOUBLE,
        "c": TensorProto.BOOL,
        "g": TensorProto.INT64,
    }
    graph = helper.make_graph(
        nodes,
        "formula",
        [helper.make_tensor_value_info(key, one, ["b"]) for key, one in kinds.items()],
        [helper.make_tensor_value_info("out", kind, ["b"])],
        ops.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"x": x, "y": y, "c": c, "g": g})
    return found, ops


def through_numpy(
    formula: Formula,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    c: npt.NDArray[np.bool_],
    g: npt.NDArray[np.int64],
) -> npt.NDArray[Any]:
    """Carry the formula out on vectors."""
    found = formula(NumpyOps(), x, y, c, g.astype(np.float64))
    return np.broadcast_to(found, x.shape)


def run_whole(content: bytes, inputs: InputTable) -> dict[str, npt.NDArray[Any]]:
    """Run a compiled model as any runtime would: the whole graph at once.

    Returns:
        Outputs by name, of shape (rows, n).
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    card = session.get_modelmeta().custom_metadata_map
    columns, levels, types = (json.loads(card[name]) for name in ("columns", "levels", "types"))
    at = [inputs.position(column) for column in columns]
    group = [
        levels.index(level) * len(types) + types.index(kind)
        for level, kind in zip(inputs.levels, inputs.types, strict=True)
    ]
    feed = {
        "values": inputs.values[:, at].T.astype(np.float64),
        "present": np.ascontiguousarray(inputs.present[:, at].T),
        "group": np.array([group], np.int64),
    }
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))
