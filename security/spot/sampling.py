"""Which records are looked at: a sample that nobody could foresee and everybody can repeat.

Rules:
1. The seed hashes the node's checkpoint and the hub's signed log checkpoint that covers it, with
   the cosignatures of its witnesses: it did not exist when the node committed, and the node has
   no say in it.
2. Numbers are drawn by SHA-256 over seed, name of the draw and counter, without replacement and
   without a bias: a value beyond the largest multiple of the population is drawn again.

Source: SECURITY §13.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from security.encoding import pae
from security.errors import SpotCheckError

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED_BYTES: Final = 32
MAX_SAMPLE: Final = 100_000
"""Most records of one draw."""
_SEED_TYPE: Final = "yixin/spot-seed/v1"
_DRAW_TYPE: Final = "yixin/spot-draw/v1"
_WORD: Final = 2**64


def make_seed(node_note: str, log_checkpoint: str) -> bytes:
    """The seed of a spot check.

    Args:
        node_note: Signed checkpoint of the node's tree.
        log_checkpoint: Signed checkpoint of the hub's log that covers the envelope which brought
            it, with cosignatures.

    Returns:
        SHA-256, 32 bytes.
    """
    return hashlib.sha256(pae(_SEED_TYPE, node_note.encode(), log_checkpoint.encode())).digest()


def sample(seed: bytes, name: str, population: int, size: int) -> tuple[int, ...]:
    """Draw places of a population.

    Args:
        seed: Of ``make_seed``, 32 bytes.
        name: Name of the draw; draws of other names are independent.
        population: Number of places.
        size: Number to draw; all places when there are not more.

    Returns:
        Distinct places from 0, ascending.

    Raises:
        SpotCheckError: The size is out of bounds.

    >>> sample(bytes(32), "leaves", 5, 9)
    (0, 1, 2, 3, 4)
    >>> len(set(sample(bytes(32), "leaves", 10**6, 300)))
    300
    """
    if len(seed) != SEED_BYTES:
        raise SpotCheckError(f"a seed has {SEED_BYTES} bytes, found {len(seed)}")
    if population < 0 or not 0 <= size <= MAX_SAMPLE:
        raise SpotCheckError(
            f"a sample of {size} out of {population} was asked for, expected 0 to {MAX_SAMPLE}"
        )
    if size >= population:
        return tuple(range(population))
    drawn: set[int] = set()
    numbers = _numbers(seed, name, population)
    while len(drawn) < size:
        drawn.add(next(numbers))
    return tuple(sorted(drawn))


def _numbers(seed: bytes, name: str, population: int) -> Iterator[int]:
    bound = _WORD // population * population
    counter = 0
    while True:
        block = hashlib.sha256(
            pae(_DRAW_TYPE, seed, name.encode(), counter.to_bytes(8, "big"))
        ).digest()
        counter += 1
        for at in range(0, len(block), 8):
            value = int.from_bytes(block[at : at + 8], "big")
            if value < bound:
                yield value % population
