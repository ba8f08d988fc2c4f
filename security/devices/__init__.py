"""Edge devices (终端) at a node: their names, the node's small authority, tokens, joining."""

from security.devices.authority import DeviceAuthority
from security.devices.device_id import (
    DeviceId,
    DeviceName,
    Place,
    is_device_id,
    parse_device_id,
)
from security.devices.token import DeviceToken

__all__ = [
    "DeviceAuthority",
    "DeviceId",
    "DeviceName",
    "DeviceToken",
    "Place",
    "is_device_id",
    "parse_device_id",
]
