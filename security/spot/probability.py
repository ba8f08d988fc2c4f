"""How sure a spot check is: the probability that a sample holds one of the bad records.

Rules:
- without replacement, exact: 1 - C(n - b, k) / C(n, k) for b bad among n and a sample of k;
- 1 - (1 - f)^k, the bound that the law of the design names, is never above it.

Source: hypergeometric distribution; SECURITY §13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from security.errors import SpotCheckError

SHARES: Final = (0.001, 0.005, 0.01, 0.02, 0.05)
"""Shares of bad records for which a report states the probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """The probability that a share of bad records is noticed."""

    share: float
    """Share of bad records, 0 to 1."""
    bad: int
    """Their number in the population, rounded up."""
    probability: float
    """That the sample holds at least one, 0 to 1."""


def detection(population: int, bad: int, size: int) -> float:
    """Probability that a sample without replacement holds at least one bad record.

    Args:
        population: Number of records.
        bad: Number of bad ones among them.
        size: Size of the sample.

    Raises:
        SpotCheckError: The numbers do not belong together.

    >>> round(detection(1_000_000, 10_000, 300), 3)
    0.951
    >>> detection(10, 10, 1), detection(10, 0, 10)
    (1.0, 0.0)
    """
    if not 0 <= bad <= population or not 0 <= size <= population:
        raise SpotCheckError(
            f"{bad} bad records and a sample of {size} were named for a population of {population}"
        )
    if size + bad > population:
        return 1.0
    # log of C(n - b, k) / C(n, k), term by term over the smaller of the two.
    less, more = sorted((bad, size))
    missed = math.fsum(math.log1p(-more / (population - number)) for number in range(less))
    return abs(math.expm1(missed))


def certainties(population: int, size: int) -> tuple[Certainty, ...]:
    """What a report states of its own sample."""
    size = min(size, population)
    found = []
    for share in SHARES:
        bad = min(math.ceil(share * population), population)
        found.append(Certainty(share=share, bad=bad, probability=detection(population, bad, size)))
    return tuple(found)
