"""What a refused member is told: the rule it broke and how to mend it, and of a forgery nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.api.refusals import refusal
from hub.errors import AgreementRefusedError, HubStoreError, LogReadOnlyError, MemberRefusedError
from hub.intake.committing import Refused
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.chain import ChainPosition
from security.errors import (
    UNTRUSTED_WORDING,
    BrokenRule,
    CertificateEndedError,
    ChainForkError,
    ChainGapError,
    RevokedError,
    SuitePolicyError,
    UntrustedCertificateError,
    UntrustedEnvelopeError,
)
from security.keys import SigningKey
from tests.support.hub_city import City, Sender, Slot, batch

if TYPE_CHECKING:
    from security.errors import SecurityError

HEAD = ChainPosition(incarnation=1, seq=7, hash=bytes(32))
CODES = {
    BrokenRule.RECIPIENT: exchange_pb2.REFUSAL_CODE_UNTRUSTED,
    BrokenRule.EXPIRED: exchange_pb2.REFUSAL_CODE_UNTRUSTED,
    BrokenRule.CLOCK: exchange_pb2.REFUSAL_CODE_UNTRUSTED,
    BrokenRule.CERTIFICATE: exchange_pb2.REFUSAL_CODE_CERTIFICATE,
    BrokenRule.REVOKED: exchange_pb2.REFUSAL_CODE_REVOKED,
    BrokenRule.SUITE: exchange_pb2.REFUSAL_CODE_POLICY,
    BrokenRule.PURPOSE: exchange_pb2.REFUSAL_CODE_AGREEMENT,
}


@pytest.mark.parametrize("rule", BrokenRule)
def test_every_rule_is_named_with_how_to_mend_it(rule: BrokenRule) -> None:
    told = refusal(Refused(error=UntrustedEnvelopeError("the cause, for the log", rule)))
    assert told.code == CODES[rule]
    assert told.rule
    assert told.mend
    assert "the cause" not in str(told)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RevokedError("key 1"), exchange_pb2.REFUSAL_CODE_REVOKED),
        (MemberRefusedError("x is not active"), exchange_pb2.REFUSAL_CODE_REVOKED),
        (CertificateEndedError("it ended"), exchange_pb2.REFUSAL_CODE_CERTIFICATE),
        (SuitePolicyError("Suite X is not allowed."), exchange_pb2.REFUSAL_CODE_POLICY),
        (LogReadOnlyError("no witness"), exchange_pb2.REFUSAL_CODE_READ_ONLY),
        (AgreementRefusedError("No agreement."), exchange_pb2.REFUSAL_CODE_AGREEMENT),
    ],
)
def test_every_other_fault_of_a_known_member_has_its_code(
    error: SecurityError, code: exchange_pb2.RefusalCode.ValueType
) -> None:
    told = refusal(Refused(error=error))
    assert told.code == code
    assert told.rule
    assert told.mend


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ChainGapError(HEAD), exchange_pb2.REFUSAL_CODE_GAP),
        (ChainForkError(HEAD), exchange_pb2.REFUSAL_CODE_FORK),
    ],
)
def test_gaps_and_forks_state_the_head(
    error: SecurityError, code: exchange_pb2.RefusalCode.ValueType
) -> None:
    told = refusal(Refused(error=error, lane=envelope_pb2.LANE_BULK))
    assert (told.code, told.expected.lane, told.expected.seq) == (code, 3, 7)
    assert told.mend


def test_what_a_forgery_could_be_reads_alike() -> None:
    told = [
        refusal(Refused(error=UntrustedEnvelopeError(cause)))
        for cause in ("signature", "truncated", "no certified key")
    ]
    assert told[0] == told[1] == told[2]
    assert (told[0].detail, told[0].rule, told[0].mend) == (UNTRUSTED_WORDING, "", "")
    unknown = refusal(Refused(error=UntrustedCertificateError("no anchor of x is held")))
    assert "no anchor" not in str(unknown)
    assert (unknown.rule, unknown.mend) == ("", "")


def test_a_hub_that_cannot_says_later() -> None:
    told = refusal(Refused(error=HubStoreError("disk full at /var")))
    assert told.code == exchange_pb2.REFUSAL_CODE_BUSY
    assert "/var" not in str(told)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"created_at_ms": 0}, BrokenRule.EXPIRED),
        ({"ahead": 2}, BrokenRule.CLOCK),
        ({"recipient": "yixin://330000/hub/province"}, BrokenRule.RECIPIENT),
    ],
)
def test_the_intake_tells_a_sender_its_own_rule(
    city: City, node: Sender, changes: dict[str, Any], rule: BrokenRule
) -> None:
    now, day = city.clock.ms, 86_400_000
    if "created_at_ms" in changes:
        changes = {"created_at_ms": now - day, "expires_at_ms": now - 1}
    elif "ahead" in changes:
        changes = {"created_at_ms": now + 2 * day, "expires_at_ms": now + 3 * day}
    (refused,) = city.submit(node.seal(batch(Slot()), **changes))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, UntrustedEnvelopeError)
    assert refused.error.rule is rule
    assert refusal(refused).code == CODES[rule]


def test_a_forger_on_a_members_line_learns_nothing(city: City, node: Sender) -> None:
    stranger = SigningKey.generate(post_quantum=False)
    forged = [
        node.seal(batch(Slot()), seq=1, previous_hash=bytes(32), sender_key=stranger),
        node.seal(batch(Slot()), seq=1, previous_hash=bytes(32)),
    ]
    forged[1].signature = bytes(64)
    told = []
    for envelope in forged:
        (refused,) = city.submit(envelope)
        assert isinstance(refused, Refused)
        told.append(refusal(refused))
    assert told[0] == told[1]
    assert told[0].rule == ""


def test_a_member_that_carries_anothers_envelope_is_told_no_rule(
    city: City, node: Sender, other: Sender
) -> None:
    old = node.seal(
        batch(Slot()),
        created_at_ms=city.clock.ms - 86_400_000,
        expires_at_ms=city.clock.ms - 1,
    )
    (refused,) = city.submit(old, peer=other.member)
    assert isinstance(refused, Refused)
    assert refusal(refused).rule == ""
