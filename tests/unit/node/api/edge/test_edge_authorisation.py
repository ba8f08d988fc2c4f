"""One row for every method of the services for devices; what has none is refused."""

from __future__ import annotations

import pytest

from node.api.edge.authorisation import EDGE_METHODS, OPEN_METHODS, authorise
from node.errors import DeviceRefusedError
from node.store.device_rows import DeviceKind, DeviceRow, DeviceState
from protos.yixin.v1 import edge_pb2
from security.devices import DeviceName, Place


def device(place: Place) -> DeviceRow:
    name = DeviceName(institution="H33030200001", place=place, name="w3")
    return DeviceRow(
        id=name.device_id,
        institution=name.institution,
        place=place,
        kind=DeviceKind.FACE_TERMINAL,
        name=name.name,
        state=DeviceState.ACTIVE,
        made_at="2026-11-20T02:00:00+00:00",
    )


def test_every_rpc_has_exactly_one_row() -> None:
    described = [
        f"/{service.full_name}/{method.name}"
        for service in edge_pb2.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    assert len(described) == 8
    assert sorted((*EDGE_METHODS, *OPEN_METHODS)) == sorted(described)


def test_every_row_names_somebody() -> None:
    assert all(EDGE_METHODS.values())


@pytest.mark.parametrize(
    ("method", "places"),
    [
        ("Hello", set(Place)),
        ("Deliver", set(Place)),
        ("FetchTemplate", set(Place)),
        ("Enrol", {Place.WINDOW, Place.PHARMACY}),
        ("Identify", {Place.WINDOW, Place.ENTRANCE}),
        ("Asks", {Place.BED, Place.PHARMACY}),
        ("Reboot", set()),
        ("../Hello", set()),
    ],
)
def test_a_device_may_call_what_belongs_to_its_place(method: str, places: set[Place]) -> None:
    for place in Place:
        if place in places:
            authorise(method, device(place))
            continue
        with pytest.raises(DeviceRefusedError, match=f"at a {place} and may not call"):
            authorise(method, device(place))
