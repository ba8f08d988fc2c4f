"""What a terminal takes from the node's greeting, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from edge_devices.errors import NodeRefusedError
from edge_devices.face_terminals.standing import read_standing
from protos.yixin.v1 import edge_pb2
from tests.support.face_templates import MODEL, calibration


def greeting(**parts: Any) -> edge_pb2.HelloResponse:  # noqa: ANN401 - of any type
    made: dict[str, Any] = {"transform": bytes(32), "transform_epoch": 1, "timeout_s": 20}
    return edge_pb2.HelloResponse(**(made | parts))


@pytest.mark.parametrize(
    ("parts", "threshold"),
    [
        ({}, None),
        ({"threshold_e4": 5_100}, 5_100),
        ({"threshold_e4": 0}, 0),
        ({"calibration": calibration(4_700).to_json()}, 4_700),
        ({"calibration": calibration(4_700).to_json(), "threshold_e4": 5_100}, 4_700),
        ({"calibration": b"damaged", "threshold_e4": 5_100}, None),
        ({"calibration": calibration(4_700, model=bytes(32)).to_json()}, None),
    ],
)
def test_a_threshold_is_the_calibrations_or_what_the_node_takes_without_one(
    parts: dict[str, Any], threshold: int | None
) -> None:
    standing = read_standing(greeting(**parts), model=MODEL, pipeline=bytes(32))
    assert standing.threshold_e4 == threshold


@pytest.mark.parametrize(
    "parts",
    [
        {"threshold_e4": 10_001},
        {"threshold_e4": -10_001},
        {"transform": b"short"},
        {"timeout_s": 0},
        {"timeout_s": 301},
        {"retries": 10},
        {"cache_hours": 169},
        {"cache_templates": 100_001},
        {"crop_days": 181},
    ],
)
def test_a_number_out_of_bounds_ends_the_greeting(parts: dict[str, Any]) -> None:
    with pytest.raises(NodeRefusedError, match="the node's greeting says"):
        read_standing(greeting(**parts), model=MODEL, pipeline=bytes(32))
