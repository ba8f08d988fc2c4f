"""Hello of a device (终端问候): what it says of itself, what it works with from now on.

Rules:
- What a device works with is what is in force now: calibration of its model at its institution,
  transform, limits of the cache. It asks again after every connection.
- A device of an institution that is no longer this node's is refused, whatever it was told before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from node.edge_settings import FaceSettings
from node.errors import DeviceRefusedError
from node.presence.thresholds import calibration_at, threshold_at
from node.store import NodeStore
from node.store.device_rows import DeviceRow, Greeting
from node.store.transforms import Transform

__all__ = ["Reception", "Welcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What a device works with."""

    through: int
    """Every event of its queue up to this one is held here, or lost."""
    calibration: bytes
    """Serialised calibration of its model, or empty."""
    threshold_e4: int | None
    """Threshold in force for its model, ten-thousandths; also without a calibration, where the
    operator allows the manifest's."""
    transform: Transform = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """Greets the devices of one node."""

    store: NodeStore
    settings: FaceSettings
    transform: Callable[[datetime], Transform]
    """Gives the transform in force."""

    def greet(self, device: DeviceRow, greeting: Greeting, now: datetime) -> Welcome:
        """Note what a device says, and tell it what to work with.

        Args:
            device: Who came.
            greeting: What it says.
            now: Present moment, UTC-aware.

        Raises:
            DeviceRefusedError: Its institution is no longer this node's, or it has begun more
                queues than a device can.
            StoreError: The disk failed.
        """
        own = {one.code for one in self.store.institutions() if not one.foreign}
        if device.institution not in own:
            raise DeviceRefusedError(
                f"{device.id} stands at an institution that is not in this node's custody"
            )
        through = self.store.edge.devices.note_hello(device.id, greeting, now)
        calibration = calibration_at(self.store, greeting.health.model, device.institution)
        return Welcome(
            through=through,
            calibration=b"" if calibration is None else calibration.to_json(),
            threshold_e4=threshold_at(
                self.store, self.settings, greeting.health.model, device.institution
            ),
            transform=self.transform(now),
        )
