"""Settings of edge devices: where they reach this node, and what is done with faces.

Rules:
- A site without a calibration has no threshold: nothing is judged there, unless the operator says
  that the number of the model's manifest is good enough.
- One-to-many search (1:N) is off until somebody switches it on.
"""

from dataclasses import dataclass
from typing import Final

from node.errors import ConfigurationError
from node.interface_settings import refuse_outside

__all__ = ["EdgeSettings", "FaceSettings"]

_UNCALIBRATED: Final = ("refuse", "manifest")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """Table `[edge]`."""

    enabled: bool = False
    """Whether the daemon serves devices."""
    host: str = "127.0.0.1"
    """Address that both ports are bound to."""
    port: int = 9443
    """Port of EdgeIntake, mutual TLS; 0 for any free port."""
    enrolment_port: int = 9444
    """Port of EdgeEnrolment, server TLS; 0 for any free port."""
    address: str = ""
    """Name or address by which devices reach this machine; empty for ``host``."""
    certificate_days: int = 30
    """Life of a device's certificate, 1 to 90 days; renewed at half of it."""
    max_devices: int = 256
    """Devices at one time, 1 to 4096."""
    max_event_age_days: int = 30
    """Older events are refused, 1 to 365 days."""

    def __post_init__(self) -> None:
        refuse_outside("edge.port", self.port, 0, 65_535)
        refuse_outside("edge.enrolment_port", self.enrolment_port, 0, 65_535)
        refuse_outside("edge.certificate_days", self.certificate_days, 1, 90)
        refuse_outside("edge.max_devices", self.max_devices, 1, 4_096)
        refuse_outside("edge.max_event_age_days", self.max_event_age_days, 1, 365)
        if self.port == self.enrolment_port != 0:
            raise ConfigurationError(
                f"edge.port and edge.enrolment_port are both {self.port}; give them two ports in "
                "node.toml"
            )
        if not self.host:
            raise ConfigurationError(
                'edge.host is empty, expected an address such as "127.0.0.1" or "0.0.0.0"; '
                "correct it in node.toml"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSettings:
    """Table `[faces]`."""

    uncalibrated: str = "refuse"
    """Where a site has no calibration: ``refuse``, or ``manifest`` for the model's own number."""
    liveness_required: bool = True
    """Whether a face whose liveness was not checked stays unjudged."""
    retries: int = 2
    """Attempts beyond the first one, 0 to 9."""
    timeout_s: int = 20
    """After so long nobody has come, 5 to 300 seconds."""
    cache_hours: int = 24
    """How long a terminal may keep a template, 0 to 168 hours; 0 for not at all."""
    cache_templates: int = 5_000
    """How many templates a terminal may keep, 0 to 100000."""
    crop_days: int = 0
    """How long the picture of a mismatch is kept, 0 to 180 days; 0 for no pictures."""
    template_days: int = 730
    """How long a template is kept after its enrolment, 30 to 3650 days."""
    identify: bool = False
    """Whether one-to-many search (1:N) is allowed."""
    identify_max: int = 5
    """Most candidates of a search, 1 to 20."""
    child_age: int = 6
    """Children below this age pass with the reason code ``child``, 0 to 14 years."""
    duty_every_h: int = 0
    """A pharmacist is asked for every so many hours, 0 to 24; 0 for never."""

    def __post_init__(self) -> None:
        refuse_outside("faces.retries", self.retries, 0, 9)
        refuse_outside("faces.timeout_s", self.timeout_s, 5, 300)
        refuse_outside("faces.cache_hours", self.cache_hours, 0, 168)
        refuse_outside("faces.cache_templates", self.cache_templates, 0, 100_000)
        refuse_outside("faces.crop_days", self.crop_days, 0, 180)
        refuse_outside("faces.template_days", self.template_days, 30, 3_650)
        refuse_outside("faces.identify_max", self.identify_max, 1, 20)
        refuse_outside("faces.child_age", self.child_age, 0, 14)
        refuse_outside("faces.duty_every_h", self.duty_every_h, 0, 24)
        if self.uncalibrated not in _UNCALIBRATED:
            raise ConfigurationError(
                f"faces.uncalibrated is {self.uncalibrated[:20]!r}, expected one of "
                f"{', '.join(_UNCALIBRATED)}; correct it in node.toml"
            )
