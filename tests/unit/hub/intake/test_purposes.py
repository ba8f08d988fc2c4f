from __future__ import annotations

from typing import Any

import pytest

from hub.api.refusals import refusal
from hub.intake.checking import SENDERS
from hub.intake.committing import Refused
from hub.intake.purposes import BY_AGREEMENT, PURPOSES
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.errors import BrokenRule, UntrustedEnvelopeError
from tests.support.hub_city import City, Sender, Slot, batch


def test_every_payload_type_that_is_taken_says_what_it_is_for() -> None:
    assert set(SENDERS) == {*PURPOSES, *BY_AGREEMENT}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"purpose": "research"}, "purpose 'research', expected 'supervision'"),
        ({"data_class": "clue"}, "data class 'clue', expected 'aggregate'"),
        ({"lane": envelope_pb2.LANE_CONTROL}, "lane 1"),
        ({"payload_type": "clues", "data_class": "aggregate"}, "expected 'clue'"),
        ({"payload_type": "join_records", "purpose": "grading"}, "expected 'supervision'"),
        ({"payload_type": "ledger_checkpoints", "data_class": "x"}, "expected 'aggregate'"),
    ],
)
def test_what_is_sealed_for_another_purpose_is_refused_and_said(
    city: City, node: Sender, changes: dict[str, Any], words: str
) -> None:
    (refused,) = city.submit(node.seal(batch(Slot()), **changes))

    assert isinstance(refused, Refused)
    assert isinstance(refused.error, UntrustedEnvelopeError)
    assert words in refused.error.cause
    assert refused.error.rule is BrokenRule.PURPOSE
    told = refusal(refused)
    assert told.code == exchange_pb2.REFUSAL_CODE_AGREEMENT
    assert "not those of the payload type" in told.rule
    assert told.mend
