"""Vectors of the link tokens, valid and invalid; the file names their origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from security.errors import LinkPointsError
from security.linking.oprf import PeriodKey, blind, person_point
from tests.support import p256_oracle

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "link_tokens.json").read_text(encoding="utf-8")
)
SP_800_186_DOUBLE = "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
"""x of 2G; source: NIST's point multiplication vectors for P-256."""


def test_the_oracle_knows_the_published_double_of_the_generator() -> None:
    found = p256_oracle.multiply(2, p256_oracle.GENERATOR)
    assert found is not None
    assert f"{found[0]:064x}" == SP_800_186_DOUBLE
    assert p256_oracle.multiply(p256_oracle.ORDER, p256_oracle.GENERATOR) is None


@pytest.mark.parametrize("vector", VECTORS["tokens"], ids=lambda one: one["token"])
def test_every_step_gives_what_the_vector_says(vector: dict[str, str]) -> None:
    period, identifier = vector["period"], vector["identifier"]
    first, second = (PeriodKey.from_bytes(bytes.fromhex(vector[f"half_{n}"])) for n in (1, 2))
    point = person_point(period, identifier)
    assert point.hex() == vector["point"]
    assert first.evaluate(point).hex() == vector["after_half_1"]
    assert second.evaluate(first.evaluate(point)).hex() == vector["after_both"]
    blinded = blind(period, [identifier])
    (token,) = blinded.tokens(first.evaluate(second.evaluate(blinded.points)))
    assert token.hex() == vector["token"]


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda one: one["why"])
def test_what_is_no_point_is_refused(vector: dict[str, str]) -> None:
    with pytest.raises(LinkPointsError):
        PeriodKey.generate().evaluate(bytes.fromhex(vector["points"]))
