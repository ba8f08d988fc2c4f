"""Runs what ``OnnxOps`` wrote down, and the same through ``NumpyOps``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper

from scoring_kernel.onnx_ops import FlagWire, NumberWire, OnnxOps
from scoring_kernel.ops import NumpyOps

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


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
