"""How a row is measured: alternating runs of ours and the reference, medians, one ratio.

A machine is shared and noisy, so a target is a ratio between two things measured in the same
run, A B A B. What one core was kept busy or waited for counts as that core's time: a part that
uses two cores does not look twice as fast.
"""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.errors import BenchmarkError


class Bound(StrEnum):
    """Which side of the target is good."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured row."""

    name: str
    """Row and work, for example ``P3 JSON``."""
    unit: str
    """Unit of ``ours`` and ``reference``."""
    ours: float
    """Median of our runs."""
    reference: float
    """Median of the reference's runs."""
    ratio: float
    """``ours / reference``."""
    bound: Bound
    """Which side of the target is good."""
    target: float
    """What the ratio must reach."""
    growth: str
    """How the cost grows with the input, in words."""

    @property
    def passes(self) -> bool:
        """Whether the ratio reaches the target."""
        if self.bound is Bound.AT_LEAST:
            return self.ratio >= self.target
        return self.ratio <= self.target

    def to_json(self) -> dict[str, Any]:
        """Give the row as a JSON object.

        Returns:
            ``name, unit, ours, reference, ratio, target, pass, growth``.
        """
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "reference": self.reference,
            "ratio": self.ratio,
            "target": f"{self.bound.value} {self.target:g}",
            "pass": self.passes,
            "growth": self.growth,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A row that could not be measured here, and is shown as such."""

    name: str
    """Row and work."""
    reason: str
    """What is missing and how to get it."""

    def to_json(self) -> dict[str, Any]:
        """Give the row as a JSON object.

        Returns:
            ``name, skipped``.
        """
        return {"name": self.name, "skipped": self.reason}


def alternate(
    ours: Callable[[int], float], reference: Callable[[int], float], *, repeats: int
) -> tuple[float, float]:
    """Measure two things in turn.

    Args:
        ours: Runs our part once, given the run's number; returns its measure.
        reference: Runs the reference once; returns its measure in the same unit.
        repeats: Runs of each, at least 1.

    Returns:
        Medians of both.

    Raises:
        BenchmarkError: No run was asked for.

    >>> alternate(lambda run: run + 2.0, lambda run: 1.0, repeats=3)
    (3.0, 1.0)
    """
    if repeats < 1:
        raise BenchmarkError(f"found {repeats} repeats; expected at least 1")
    measured: tuple[list[float], list[float]] = ([], [])
    for run in range(repeats):
        measured[0].append(ours(run))
        measured[1].append(reference(run))
    return statistics.median(measured[0]), statistics.median(measured[1])


@dataclass(slots=True)
class Stopwatch:
    """Time that passed while a body ran."""

    wall_s: float = 0.0
    """By the clock."""
    core_s: float = 0.0
    """Of one core: the clock's time, or the processors' where several worked."""


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Measure a body.

    Yields:
        A stopwatch that is filled when the body ends.
    """
    watch = Stopwatch()
    busy, begun = _busy_s(), time.perf_counter()
    yield watch
    watch.wall_s = time.perf_counter() - begun
    watch.core_s = max(watch.wall_s, _busy_s() - busy)


def _busy_s() -> float:
    """Processor time of this process and of its children that have ended, seconds."""
    # To the microsecond; ``os.times`` counts ticks of a hundredth of a second.
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)
