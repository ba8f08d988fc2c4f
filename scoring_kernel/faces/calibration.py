"""A calibration (标定): the threshold of one model at one site, and what it rests on.

Rules:
- Its one form is canonical JSON, ASCII, whose SHA-256 is its id; any other bytes are refused, so
  that what was measured, what was imported and what is in force can be told apart.
- Shares are millionths, scores ten-thousandths, all whole numbers.
- The threshold in force is the upper end of the interval (cautious), or the point where the
  operator chose so. No threshold is one constant for all models.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.calibration_form import (
    FORMAT,
    MAX_BYTES,
    read_document,
    result_from,
    result_values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.faces.fitting import CalibrationResult

__all__ = ["MAX_BYTES", "MAX_UPSCALE", "Calibration"]

MAX_UPSCALE: Final = 8
"""Most that small pictures are enlarged."""
_WHERE: Final = "calibration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A threshold for one model at one site.

    Attributes:
        model: SHA-256 of the embedding model's file, 32 bytes.
        pipeline: Digest of the pipeline that made the scores, 32 bytes; None where they were made
            elsewhere.
        site: Code of the institution (定点医药机构).
        result: The threshold with its interval and errors.
        cautious: Whether the upper end of the interval is in force, not the point.
        gated: Pairs left out because an image was not fit, by the fault of the first such image.
        source: SHA-256 of the table of pairs, 32 bytes.
        seed: Of the drawings.
        release: Release of the program that calibrated.
        made_at: Moment, UTC, to the second.
        upscale: How often pictures were enlarged before they were looked at; 1 as a terminal does.
    """

    model: bytes
    pipeline: bytes | None
    site: str
    result: CalibrationResult
    cautious: bool
    gated: Mapping[str, int]
    source: bytes
    seed: int
    release: str
    made_at: datetime
    upscale: int = 1

    def __post_init__(self) -> None:
        """Refuse a moment that JSON would not bring back.

        Raises:
            TypeError: Without zone UTC, or with parts of a second.
        """
        if self.made_at.tzinfo is not UTC or self.made_at.microsecond:
            raise TypeError("made_at: expected whole seconds in UTC")

    @property
    def threshold_e4(self) -> int:
        """The threshold in force, ten-thousandths: scores of at least this match."""
        result = self.result
        return (result.cautious if self.cautious else result.point).threshold_e4

    @classmethod
    def from_json(cls, content: bytes) -> Calibration:
        """Read a calibration that ``to_json`` wrote.

        Args:
            content: At most ``MAX_BYTES``.

        Raises:
            CalibrationError: Anything but the canonical bytes of a sound calibration.
        """
        document = read_document(content)
        found = cls(
            model=document.digest("model"),
            pipeline=document.find_digest("pipeline"),
            site=document.text("site", r"[HP][0-9]{11}"),
            result=result_from(document),
            cautious=document.flag("cautious"),
            gated=document.counts("gated"),
            source=document.digest("source"),
            seed=document.number("seed", 0, 2**63 - 1),
            release=document.text("release", r"[0-9A-Za-z.+!_-]{1,64}"),
            made_at=document.moment("made_at"),
            upscale=document.number("upscale", 1, MAX_UPSCALE),
        )
        if found.to_json() != content:
            raise CalibrationError(
                f"{_WHERE}: the file was changed or is of another form; calibrate again"
            )
        return found

    def to_json(self) -> bytes:
        """Serialise canonically: sorted, compact, ASCII."""
        document = {
            "cautious": self.cautious,
            "format": FORMAT,
            "gated": dict(self.gated),
            "made_at": self.made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "model": self.model.hex(),
            "pipeline": None if self.pipeline is None else self.pipeline.hex(),
            "release": self.release,
            "seed": self.seed,
            "site": self.site,
            "source": self.source.hex(),
            "threshold_e4": self.threshold_e4,
            "upscale": self.upscale,
            **result_values(self.result),
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes, 32 bytes: the calibration's id."""
        return hashlib.sha256(self.to_json()).digest()
