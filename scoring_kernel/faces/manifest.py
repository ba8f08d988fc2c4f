"""What is known of a face model's file (人脸模型清单): which bytes, fed how, answering what.

Rules:
- A model is its bytes: no file is ever opened whose SHA-256 no manifest names.
- What feeds it is data: channel order, mean, scale, size, crop, and how its output is
  normalised. Another model of the same kind runs by its manifest alone.
- ``digest`` covers what decides the model's answers; the words of a licence do not.
- A default threshold is a proposal for trying out, never a calibrated one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, TypeAlias

MAX_MODEL_BYTES: Final = 256 * 1024 * 1024
"""Largest file of a model."""
LIVE: Final = "live"
"""The class of a liveness model that means a living face."""

Octets: TypeAlias = bytes
"""The type, in a class whose field ``bytes`` is a length."""
Triple: TypeAlias = tuple[Fraction, Fraction, Fraction]


class ModelKind(StrEnum):
    """What a model is for."""

    DETECTOR = "detector"
    EMBEDDING = "embedding"
    LIVENESS = "liveness"


class ModelUse(StrEnum):
    """What its licence, and that of what it was trained on, lets one do."""

    UNRESTRICTED = "unrestricted"
    RESEARCH = "research"
    UNKNOWN = "unknown"


class ChannelOrder(StrEnum):
    """Order of colours that a model is fed."""

    BGR = "bgr"
    RGB = "rgb"


class Crop(StrEnum):
    """Which part of a picture a model is fed."""

    WHOLE = "whole"
    """All of it."""
    FIVE_POINT = "five_point"
    """The face, moved so that eyes, nose and mouth lie where they always do."""
    SQUARE = "square"
    """A square around the box of the face."""


class Normalisation(StrEnum):
    """What is done to the numbers that come out."""

    NONE = "none"
    L2 = "l2"
    """Divided by their length."""
    SOFTMAX = "softmax"
    """Exponentials over their sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """Whose the model is, and what may be done with it."""

    name: str
    """For example ``MIT``."""
    of: str
    """What it is said of: weights, repository."""
    use: ModelUse
    """Shown whenever the model is installed or listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What the model is fed: float32, shape (1, 3, height, width), (pixel - mean) / scale."""

    name: str
    """Of the tensor."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    channels: ChannelOrder
    """Order of the three channels; mean and scale follow it."""
    mean: Triple
    """Of 0 to 255."""
    scale: Triple
    """Of 0 to 255, above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CropSpec:
    """Which part of the picture it sees."""

    crop: Crop
    """The way of cropping."""
    square: Fraction | None = None
    """Side of the square over the longest side of the box; set for ``SQUARE``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """What comes out: float32, shape (1, size); of a detector, one row of 15 a face."""

    name: str
    """Of the tensor."""
    size: int
    """Numbers."""
    normalise: Normalisation
    """What is done to them."""
    classes: tuple[str, ...] = ()
    """What the numbers of a liveness model stand for; one of them is ``live``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """How a detector of OpenCV's ``FaceDetectorYN`` is run."""

    work_side: int
    """Longest side at which it looks, pixels: larger pictures are made smaller for it."""
    score_e4: int
    """Least confidence of a face, ten-thousandths."""
    overlap_e4: int
    """Two boxes that share more than this are one face, ten-thousandths."""
    most: int
    """Most boxes before overlaps are joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceModelManifest:
    """One model's file and its use."""

    id: str
    """Name, lower case."""
    kind: ModelKind
    """What it is for."""
    sha256: str
    """Of the file, 64 hexadecimal digits."""
    bytes: int
    """Length of the file."""
    licence: Licence
    """Whose it is."""
    input: InputSpec
    """What it is fed."""
    crop: CropSpec
    """What it sees of a picture."""
    output: OutputSpec
    """What comes out."""
    default_threshold_e4: int | None = None
    """Embedding: least score of a match, where nothing is calibrated and the operator allows it.
    Liveness: least probability of a living face. Ten-thousandths, rounded up."""
    threshold_note: str = ""
    """Where the default threshold comes from."""
    detector: DetectorSpec | None = None
    """Set for a detector."""

    @property
    def digest(self) -> Octets:
        """SHA-256 of what decides the model's answers, 32 bytes."""
        return hashlib.sha256(self.to_json()).digest()

    def to_json(self) -> Octets:
        """Write what decides the model's answers in one way only."""
        detector = self.detector
        values = {
            "kind": self.kind,
            "sha256": self.sha256,
            "input": [
                self.input.name,
                self.input.width,
                self.input.height,
                self.input.channels,
                [str(one) for one in self.input.mean],
                [str(one) for one in self.input.scale],
            ],
            "crop": [self.crop.crop, str(self.crop.square)],
            "output": [
                self.output.name,
                self.output.size,
                self.output.normalise,
                self.output.classes,
            ],
            "threshold": self.default_threshold_e4,
            "detector": None
            if detector is None
            else [detector.work_side, detector.score_e4, detector.overlap_e4, detector.most],
        }
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
