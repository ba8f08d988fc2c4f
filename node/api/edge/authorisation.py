"""Rows of the authorisation table (授权表) for devices: which kind, standing where, may call what.

What has no row is refused. A test compares the rows with the service descriptors.
"""

from collections.abc import Mapping
from itertools import product
from typing import Final

from node.errors import DeviceRefusedError
from node.store.device_rows import DeviceKind, DeviceRow
from security.devices import Place

__all__ = ["EDGE_METHODS", "ENROLMENT", "INTAKE", "OPEN_METHODS", "authorise"]

INTAKE: Final = "yixin.v1.EdgeIntake"
ENROLMENT: Final = "yixin.v1.EdgeEnrolment"


def _terminals(*places: Place) -> frozenset[tuple[DeviceKind, Place]]:
    return frozenset(product((DeviceKind.FACE_TERMINAL,), places))


EDGE_METHODS: Final[Mapping[str, frozenset[tuple[DeviceKind, Place]]]] = {
    f"/{INTAKE}/Hello": _terminals(*Place),
    f"/{INTAKE}/Deliver": _terminals(*Place),
    f"/{INTAKE}/FetchTemplate": _terminals(*Place),
    f"/{INTAKE}/Enrol": _terminals(Place.WINDOW, Place.PHARMACY),
    f"/{INTAKE}/Identify": _terminals(Place.ENTRANCE, Place.WINDOW),
    f"/{INTAKE}/Asks": _terminals(Place.BED, Place.PHARMACY),
}
"""Methods with the kinds and places of devices that may call them."""

OPEN_METHODS: Final = frozenset({f"/{ENROLMENT}/Join", f"/{ENROLMENT}/Renew"})
"""Methods without a client certificate: a token or a known key inside authorises them."""


def authorise(method: str, device: DeviceRow) -> None:
    """Let a call through.

    Args:
        method: Name of the method of EdgeIntake.
        device: Who calls.

    Raises:
        DeviceRefusedError: The table has no such method, or not for this kind and place.
    """
    if (device.kind, device.place) not in EDGE_METHODS.get(f"/{INTAKE}/{method}", frozenset()):
        raise DeviceRefusedError(
            f"{device.id} is a {device.kind} at a {device.place} and may not call {method[:40]}"
        )
