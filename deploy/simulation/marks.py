"""How well somebody does: every figure of a department file follows from a rank, with noise."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

_RANKS: Final = (0.0, 0.05, 0.15, 0.40, 0.88, 1.0)
INSTITUTION_STRENGTHS: Final = (0.80, 0.81, 0.825, 0.84, 0.855, 0.90)
"""Mean of an institution's assessments at each rank; between them, straight lines."""
SUBJECT_STRENGTHS: Final = (0.56, 0.66, 0.74, 0.82, 0.92, 0.97)
"""The same for persons and organisations: they are further apart than institutions."""
_NOISE: Final = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Draws of one subject in one period."""

    rank: float
    """Place among its peers by conduct, 0 worst to 1 best."""
    rng: np.random.Generator = field(repr=False)
    strengths: Sequence[float] = SUBJECT_STRENGTHS
    """Mean of the assessments at the ranks of the curve."""

    @property
    def strength(self) -> float:
        """Mean of the assessments, 0 to 1."""
        return float(np.interp(self.rank, _RANKS, self.strengths))

    def share(self) -> float:
        """Draw one assessment, 0 to 1."""
        return float(np.clip(self.rng.normal(self.strength, _NOISE), 0.0, 1.0))

    def of(self, whole: int) -> int:
        """Draw the assessed part of a whole number."""
        return min(whole, round(self.share() * whole))

    def yuan(self, whole: int) -> str:
        """Draw the assessed part of a whole number of yuan."""
        return f"{self.of(whole)}.00"

    def score(self, whole: int = 100) -> str:
        """Draw a score out of ``whole``."""
        return f"{whole * self.share():.2f}"

    def faults(self, whole: int, most: float) -> int:
        """Draw how many of ``whole`` are at fault: at most a share of ``most``, mostly less."""
        drawn: float = whole * most * (1.0 - self.share()) ** 1.5
        return min(whole, round(drawn))

    def keeps(self, faithless: float) -> bool:
        """Say whether a promise is kept: the worst ``faithless`` of a class do not."""
        return self.rank >= faithless
