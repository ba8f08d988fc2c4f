"""Device ids (终端编号): which device of which institution stands where.

A device id is ``yixin-device://<institution>/<place>/<name>``: ``H`` or ``P`` and eleven digits,
one of four places, and a name that is unique within both. Its scheme is its own, so that no hub
and no node can take a device for a member of the exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

DeviceId = NewType("DeviceId", str)

_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,31}"
_DEVICE_ID: Final = re.compile(
    r"yixin-device://(?P<institution>[HP][0-9]{11})/(?P<place>window|bed|pharmacy|entrance)/"
    rf"(?P<name>{_NAME})"
)

_EXPECTED: Final = (
    "yixin-device://<H or P and eleven digits>/<window, bed, pharmacy or entrance>/<name of at "
    "most 32 small letters, digits, '.', '_', '-'>"
)


class Place(StrEnum):
    """Where a device stands."""

    WINDOW = "window"
    """Payment window (收费窗口)."""
    BED = "bed"
    """Ward, at or between beds (病区)."""
    PHARMACY = "pharmacy"
    """Dispensing counter (药房)."""
    ENTRANCE = "entrance"
    """Entrance of a building (入口)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceName:
    """The parts of a device id."""

    institution: str
    """Institution code, ``H`` or ``P`` and eleven digits."""
    place: Place
    """Where it stands."""
    name: str
    """Name within institution and place: small letters, digits, ``.``, ``_``, ``-``."""

    def __post_init__(self) -> None:
        """Check that the parts make an id.

        Raises:
            ValueError: They do not.
        """
        if not is_device_id(self.device_id):
            raise ValueError(f"{self.device_id[:120]!r} is not a device id; expected {_EXPECTED}")

    @property
    def device_id(self) -> DeviceId:
        """The id these parts make."""
        return DeviceId(f"yixin-device://{self.institution}/{self.place}/{self.name}")


def is_device_id(text: str) -> bool:
    """Whether the text is a well-formed device id.

    >>> is_device_id("yixin-device://H33030200001/window/w3"), is_device_id("yixin://1/node/a")
    (True, False)
    """
    return _DEVICE_ID.fullmatch(text) is not None


def parse_device_id(text: str) -> DeviceName:
    """Split a device id.

    Raises:
        ValueError: The text is not a device id.

    >>> parse_device_id("yixin-device://H33030200001/window/w3").name
    'w3'
    """
    found = _DEVICE_ID.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:120]!r} is not a device id; expected {_EXPECTED}")
    return DeviceName(
        institution=found["institution"], place=Place(found["place"]), name=found["name"]
    )
