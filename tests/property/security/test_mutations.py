"""Mutants of everything that is sealed or signed: all are refused, and none crashes the program."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from tests.support.mutants import shares, try_mutants

TOTAL: Final = 100_000
SHARD: Final = 2_500
FEW: Final = 60
"""Per kind, in every run of the tests."""

SHARES: Final = shares()
WEIGHTS: Final = sum(share.weight for share in SHARES.values())


def counts(total: int) -> dict[str, int]:
    """Mutants per kind, by weight, together at least the total."""
    return {name: -(-total * share.weight // WEIGHTS) for name, share in SHARES.items()}


def shards() -> list[tuple[str, int, int]]:
    """Kind, number and size of every shard of the long run."""
    return [
        (name, number, min(SHARD, count - number * SHARD))
        for name, count in counts(TOTAL).items()
        for number in range(-(-count // SHARD))
    ]


def judge(name: str, count: int, seed: int) -> Counter[str]:
    found: Counter[str] = Counter()
    subjects = SHARES[name].make()
    for number, subject in enumerate(subjects):
        part = count // len(subjects) + (number < count % len(subjects))
        outcome = try_mutants(subject, part, seed * 1_000 + number)
        assert not outcome.accepted, f"{name}: read as something else: {outcome.accepted[:3]}"
        found += Counter(tried=outcome.tried, refused=outcome.refused, same=outcome.same)
    return found


@pytest.mark.parametrize("name", SHARES)
def test_a_few_mutants_of_every_kind_are_refused(name: str) -> None:
    found = judge(name, FEW, seed=0)
    assert found["tried"] == FEW
    # Few serialisations of one thing differ and are read alike; were most, nothing would be tried.
    assert found["refused"] >= FEW * 3 // 4


@pytest.mark.faults
@pytest.mark.parametrize(("name", "number", "size"), shards())
def test_a_hundred_thousand_mutants_are_refused(name: str, number: int, size: int) -> None:
    assert judge(name, size, seed=number + 1)["tried"] == size


def test_the_long_run_tries_a_hundred_thousand() -> None:
    assert sum(size for _, _, size in shards()) >= TOTAL
    assert {"envelopes", "receipts", "checkpoints", "bundles"} <= set(SHARES)
