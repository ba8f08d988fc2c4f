"""The quality gate (图像质量门限): which face is fit to be compared, and why another is not.

Rules:
- A limit is data of the gate and part of a pipeline's digest; each group of limits can be put
  off by name. The limits are proposals, measured on few pictures (``deploy/docs/faces.md``).
- Sharpness is measured on the aligned crop, where a small face is blurred by its size: both
  belong to the group ``size``.
- Occlusion is a weak gate: it sees a mask, and a bar over the eyes only where the detector's
  points stay under it.
- What is no number is within no limit.
- The first fault in the order of ``ImageFault`` is told, with what was measured.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.faces.examined import ImageFault

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_FACE: Final = "found no face, expected one: face the camera, in light, without a cover"
"""Words of the fault without anything measured."""


class GateGroup(StrEnum):
    """Limits that are put off together."""

    SIZE = "size"
    DARK = "dark"
    POSE = "pose"
    OCCLUSION = "occlusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What was measured on the largest face of a picture."""

    score: float
    """Confidence of the detector, 0 to 1."""
    second_share: float
    """Longest side of the second largest face over that of the largest; 0 without a second."""
    eye_distance: float
    """Between the eyes, pixels of the picture."""
    brightness: float
    """Mean grey of the aligned crop, 0 to 255."""
    deviation: float
    """Standard deviation of the grey of the aligned crop."""
    sharpness: float
    """Variance of the Laplacian of the aligned crop."""
    roll: float
    """Turn of the line between the eyes, degrees."""
    yaw: float
    """Where the nose is between the eyes: 0 at the right one, 0.5 seen from the front."""
    pitch: float
    """Where the nose is between eyes and mouth: 0 at the eyes, 1 at the mouth."""
    eye_contrast: float
    """Deviation around an eye over that of the crop, the lesser of both eyes."""
    mouth_contrast: float
    """Deviation around the mouth over that of the crop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityGate:
    """Limits of quality; a group in ``off`` is not looked at."""

    off: frozenset[GateGroup] = frozenset()
    """Groups that are put off."""
    most_second_share: float = 0.4
    """A second face from this share of the largest on is a second person, not a passer-by."""
    least_eye_distance: float = 40.0
    """Pixels (``size``)."""
    least_sharpness: float = 20.0
    """Variance of the Laplacian (``size``)."""
    brightness: tuple[float, float] = (25.0, 235.0)
    """Least and most mean grey (``dark``)."""
    least_deviation: float = 15.0
    """Of grey (``dark``)."""
    most_roll: float = 30.0
    """Degrees to either side (``pose``)."""
    yaw: tuple[float, float] = (0.2, 0.8)
    """Least and most (``pose``)."""
    pitch: tuple[float, float] = (0.45, 0.72)
    """Least and most (``pose``)."""
    least_score: float = 0.85
    """Of the detector (``occlusion``)."""
    least_eye_contrast: float = 0.15
    """Of each eye (``occlusion``)."""
    least_mouth_contrast: float = 0.10
    """Of the mouth (``occlusion``)."""

    def without(self, *names: str) -> QualityGate:
        """Put groups off.

        Args:
            names: Of groups: ``size``, ``dark``, ``pose``, ``occlusion``.

        Returns:
            The gate without them.

        Raises:
            ValueError: No group has this name.

        >>> QualityGate().without("size").off
        frozenset({<GateGroup.SIZE: 'size'>})
        """
        return dataclasses.replace(self, off=self.off | {GateGroup(name) for name in names})

    def to_json(self) -> bytes:
        """Write the gate in one way only, for digests."""
        values = dataclasses.asdict(self) | {"off": sorted(self.off)}
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def find_fault(quality: Quality, gate: QualityGate) -> tuple[ImageFault, str] | None:
    """Find why a face is not fit to be compared.

    Args:
        quality: What was measured.
        gate: The limits.

    Returns:
        The first fault and its words, or None where the face is fit.
    """
    return next(_faults(quality, gate), None)


def _faults(quality: Quality, gate: QualityGate) -> Iterator[tuple[ImageFault, str]]:
    if not quality.second_share < gate.most_second_share:
        yield (
            ImageFault.SEVERAL_FACES,
            (
                f"found a second face of {quality.second_share:.2f} of the first's size, expected "
                f"below {gate.most_second_share}: one person at a time"
            ),
        )
    if GateGroup.SIZE not in gate.off and not quality.eye_distance >= gate.least_eye_distance:
        yield (
            ImageFault.TOO_SMALL,
            (
                f"found eyes {quality.eye_distance:.1f} pixels apart, expected at least "
                f"{gate.least_eye_distance}: come closer, or take a larger picture"
            ),
        )
    if GateGroup.DARK not in gate.off:
        yield from _light_faults(quality, gate)
    if GateGroup.SIZE not in gate.off and not quality.sharpness >= gate.least_sharpness:
        yield (
            ImageFault.BLURRED,
            (
                f"found sharpness {quality.sharpness:.1f}, expected at least "
                f"{gate.least_sharpness}: stand still, clean or focus the lens"
            ),
        )
    if GateGroup.POSE not in gate.off:
        yield from _pose_faults(quality, gate)
    if GateGroup.OCCLUSION not in gate.off:
        yield from _occlusion_faults(quality, gate)


def _light_faults(quality: Quality, gate: QualityGate) -> Iterator[tuple[ImageFault, str]]:
    least, most = gate.brightness
    if not least <= quality.brightness <= most:
        yield (
            ImageFault.DARK,
            f"found mean grey {quality.brightness:.1f}, expected {least} to {most}: mend the light",
        )
    if not quality.deviation >= gate.least_deviation:
        yield (
            ImageFault.DARK,
            (
                f"found a spread of grey of {quality.deviation:.1f}, expected at least "
                f"{gate.least_deviation}: mend the light"
            ),
        )


def _pose_faults(quality: Quality, gate: QualityGate) -> Iterator[tuple[ImageFault, str]]:
    for word, value, (least, most) in (
        ("roll", quality.roll, (-gate.most_roll, gate.most_roll)),
        ("yaw", quality.yaw, gate.yaw),
        ("pitch", quality.pitch, gate.pitch),
    ):
        if not least <= value <= most:
            yield (
                ImageFault.POSE,
                f"found {word} {value:.2f}, expected {least} to {most}: look into the camera",
            )


def _occlusion_faults(quality: Quality, gate: QualityGate) -> Iterator[tuple[ImageFault, str]]:
    for word, value, least in (
        ("detector's score", quality.score, gate.least_score),
        ("contrast of an eye", quality.eye_contrast, gate.least_eye_contrast),
        ("contrast of the mouth", quality.mouth_contrast, gate.least_mouth_contrast),
    ):
        if not value >= least:
            yield (
                ImageFault.OCCLUDED,
                (
                    f"found {word} {value:.2f}, expected at least {least}: take off mask, cap or "
                    "sunglasses"
                ),
            )
