"""What to demonstrate, and where."""

from dataclasses import dataclass
from pathlib import Path

from deploy.demo.face_people import Faced
from deploy.simulation.simulate import DEFAULT_PERIODS

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to demonstrate, and where."""

    work: Path
    """Directory of the demonstration."""
    institutions: int
    """Medical institutions of the simulated city."""
    claims: int
    """Claims over both half-years."""
    seed: int = 1
    """Seed of the city."""
    faced: Faced | None = None
    """Models and people of the face step; None: it is left out."""

    @property
    def simulation(self) -> Path:
        """Directory of the simulated city."""
        return self.work / "city"

    @property
    def period(self) -> str:
        """Period that is graded."""
        return DEFAULT_PERIODS[-1]
