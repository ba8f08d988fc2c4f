"""What the node says of this terminal (终端工作参数): threshold, transform, limits; no I/O.

Rules:
- Every number is bounded before it is used: a wrong one ends the greeting, not the terminal.
- A calibration that is for another model, or cannot be read, is none.
- The key of the transform never enters a repr, a log or an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edge_devices.errors import NodeRefusedError
from edge_devices.face_terminals.template_cache import CacheLimits
from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.calibration import Calibration
from scoring_kernel.faces.transform import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protos.yixin.v1 import edge_pb2

__all__ = ["Standing", "read_standing"]

_MOST: Final[Mapping[str, int]] = {
    "cache_hours": 168,
    "cache_templates": 100_000,
    "crop_days": 180,
    "retries": 9,
    "timeout_s": 300,
}
_LEAST_TIMEOUT_S: Final = 1
_ONE_E4: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a terminal works with."""

    institution: str
    """Code of the institution, for the display."""
    place: str
    """window, bed, pharmacy or entrance."""
    threshold_e4: int | None
    """Threshold in force for its model; None: there is none, and nothing is judged."""
    calibration: bytes
    """Digest of the calibration; empty for none."""
    is_of_pipeline: bool
    """Whether the calibration was made with these models and this gate."""
    transform: bytes = field(repr=False)
    """Key of the transform, 32 bytes."""
    epoch: int
    """Of the transform."""
    cache: CacheLimits
    """How much may be kept here."""
    wants_crops: bool
    """Whether the picture of a mismatch is wanted."""
    attempts: int
    """Frames that are compared at most."""
    timeout_s: int
    """After so long nobody has come."""
    is_liveness_required: bool
    """Whether an unchecked face stays unjudged."""
    allows_searches: bool
    """Whether the node's operator switched searches over many (1:N) on."""


def read_standing(response: edge_pb2.HelloResponse, *, model: bytes, pipeline: bytes) -> Standing:
    """Read the node's answer to a greeting.

    Args:
        response: As it came.
        model: SHA-256 of the embedding model.
        pipeline: Digest of all models and the gate.

    Raises:
        NodeRefusedError: A value is out of its bounds.
    """
    for name, most in _MOST.items():
        if getattr(response, name) > most:
            raise _wrong(name, str(getattr(response, name)), f"at most {most}")
    if response.timeout_s < _LEAST_TIMEOUT_S:
        raise _wrong("timeout_s", str(response.timeout_s), f"at least {_LEAST_TIMEOUT_S}")
    if len(response.transform) != KEY_BYTES:
        raise _wrong("transform", f"{len(response.transform)} bytes", f"{KEY_BYTES}")
    calibration = _calibration(response.calibration, model)
    return Standing(
        institution=response.institution,
        place=response.place,
        threshold_e4=_threshold(response, calibration),
        calibration=b"" if calibration is None else calibration.digest,
        is_of_pipeline=calibration is not None and calibration.pipeline in {None, pipeline},
        transform=response.transform,
        epoch=response.transform_epoch,
        cache=CacheLimits(hours=response.cache_hours, templates=response.cache_templates),
        wants_crops=response.crop_days > 0,
        attempts=response.retries + 1,
        timeout_s=response.timeout_s,
        is_liveness_required=response.liveness_required,
        allows_searches=response.identify,
    )


def _threshold(response: edge_pb2.HelloResponse, calibration: Calibration | None) -> int | None:
    """The calibration's; else what the node takes without one, where it takes anything."""
    if calibration is not None:
        return calibration.threshold_e4
    if not response.HasField("threshold_e4") or response.calibration:
        return None
    if abs(response.threshold_e4) > _ONE_E4:
        raise _wrong("threshold_e4", str(response.threshold_e4), f"at most {_ONE_E4}")
    return response.threshold_e4


def _calibration(content: bytes, model: bytes) -> Calibration | None:
    if not content:
        return None
    try:
        calibration = Calibration.from_json(content)
    except CalibrationError:
        return None
    return calibration if calibration.model == model else None


def _wrong(name: str, found: str, expected: str) -> NodeRefusedError:
    return NodeRefusedError(
        f"the node's greeting says {name} {found}, expected {expected}; is it of another release?"
    )
