from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import sharing_pb2, transparency_pb2
from security.audit import Trust, Verdict
from security.audit.sharing import RETIRED
from security.keys import SigningKey
from security.merkle import Tree, leaf_hash
from security.sharing import agreement_body, sign_agreement
from tests.support.agreements import BANK, DEPARTMENT, changed
from tests.support.auditor import Auditor, checks
from tests.support.logs import LogUnderTest
from tests.support.members import DAY_MS, NOW_MS, HubUnderTest, make_hub

if TYPE_CHECKING:
    from security.sharing import Agreement
    from tests.support.members import MemberUnderTest

PRODUCT: dict[str, Any] = {
    "payload_type": BANK.payload_type,
    "purpose": BANK.purpose,
    "data_class": BANK.data_class,
    "agreement": "bank@1",
}


@pytest.fixture(scope="module")
def hub() -> HubUnderTest:
    return make_hub()


@pytest.fixture(scope="module")
def bank(hub: HubUnderTest) -> MemberUnderTest:
    return hub.enrol(DEPARTMENT)


@pytest.fixture
def trust(hub: HubUnderTest) -> Trust:
    return Trust.of(hub.anchor)


@pytest.fixture
def log(hub: HubUnderTest) -> LogUnderTest:
    return LogUnderTest(hub=hub)


def signed(hub: HubUnderTest, agreement: Agreement, key: SigningKey | None = None) -> bytes:
    body = agreement_body(agreement)
    signature = sign_agreement(body, hub.hub_id, key or hub.signing)
    return sharing_pb2.SignedAgreement(body=body, signatures=[signature]).SerializeToString()


def agree(log: LogUnderTest, agreement: Agreement = BANK, **changes: Any) -> None:  # noqa: ANN401
    digest = hashlib.sha256(agreement_body(agreement)).digest()
    log.event(
        transparency_pb2.LOG_KIND_AGREEMENT,
        digest,
        **{"recipient": DEPARTMENT, "agreement": agreement.reference} | changes,
    )


def test_a_delivery_under_its_agreement_is_valid(
    log: LogUnderTest, hub: HubUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    agree(log)
    log.deliver(log.next_delivery(bank, **PRODUCT))
    report = auditor.verify(log.parts(agreements=[signed(hub, BANK)]), trust=trust)
    assert (report.verdict, report.failures) == (Verdict.VALID, ())
    assert report.counts["agreements"] == 1


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"agreement": ""}, "left the hub under no agreement"),
        ({"purpose": "advertising"}, "purpose"),
        ({"data_class": "clue"}, "data_class"),
        ({"payload_type": "grade_push"}, "payload_type"),
    ],
)
def test_a_delivery_outside_its_agreement_is_invalid(
    log: LogUnderTest,
    bank: MemberUnderTest,
    auditor: Auditor,
    parts: dict[str, str],
    words: str,
) -> None:
    agree(log)
    log.deliver(log.next_delivery(bank, **PRODUCT | parts))
    shown = log.parts(agreements=[signed(log.hub, BANK)])
    report = auditor.verify(shown, trust=Trust.of(log.hub.anchor))
    assert checks(report, 1) == ["coverage"]
    assert words in report.exchanges[1].failures[0].detail
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("days", [-60, 400])
def test_a_delivery_outside_the_agreements_validity_is_invalid(
    hub: HubUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor, days: int
) -> None:
    log, at_ms = LogUnderTest(hub=hub), NOW_MS + days * DAY_MS
    agreement = changed(valid_from_ms=NOW_MS, valid_to_ms=NOW_MS + DAY_MS)
    agree(log, agreement, logged_at_ms=at_ms)
    sent = log.next_delivery(bank, **PRODUCT, created_at_ms=at_ms, expires_at_ms=at_ms + DAY_MS)
    log.deliver(sent, logged_at_ms=at_ms)
    report = auditor.verify(log.parts(agreements=[signed(hub, agreement)]), trust=trust)
    assert checks(report, 1) == ["coverage"]
    assert report.verdict is Verdict.INVALID


def test_an_agreement_signed_afterwards_covers_nothing_that_was_sent(
    log: LogUnderTest, hub: HubUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log.deliver(log.next_delivery(bank, **PRODUCT))
    agree(log, logged_at_ms=NOW_MS + 1)
    report = auditor.verify(log.parts(agreements=[signed(hub, BANK)]), trust=trust)
    assert checks(report, 0) == ["coverage"]
    assert "only afterwards" in report.exchanges[0].failures[0].detail


def test_an_agreement_that_was_never_logged_is_invalid(
    log: LogUnderTest, hub: HubUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log.deliver(log.next_delivery(bank, **PRODUCT))
    report = auditor.verify(log.parts(agreements=[signed(hub, BANK)]), trust=trust)
    assert checks(report, 0) == ["coverage"]
    assert report.verdict is Verdict.INVALID


def test_a_delivery_after_the_agreement_was_retired_is_invalid(
    log: LogUnderTest, hub: HubUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    agree(log)
    log.deliver(log.next_delivery(bank, **PRODUCT))
    agree(log, payload_type=RETIRED, logged_at_ms=NOW_MS + 1)
    log.deliver(log.next_delivery(bank, **PRODUCT), logged_at_ms=NOW_MS + 2)
    report = auditor.verify(log.parts(agreements=[signed(hub, BANK)]), trust=trust)
    assert [checks(report, at) for at in range(4)] == [[], [], [], ["coverage"]]
    assert "retired" in report.exchanges[3].failures[0].detail


def test_an_agreement_that_is_not_shown_is_indeterminate(
    log: LogUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    agree(log)
    log.deliver(log.next_delivery(bank, **PRODUCT))
    report = auditor.verify(log.parts(), trust=trust)
    assert [checks(report, at) for at in range(2)] == [["agreement_missing"], ["coverage"]]
    assert report.verdict is Verdict.INDETERMINATE


def test_an_agreement_that_another_signed_is_named_and_covers_nothing(
    log: LogUnderTest, hub: HubUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    agree(log)
    log.deliver(log.next_delivery(bank, **PRODUCT))
    forged = signed(hub, BANK, SigningKey.generate(post_quantum=True))
    report = auditor.verify(log.parts(agreements=[forged, b"\xff"]), trust=trust)
    assert checks(report) == ["agreement", "agreement"]
    assert checks(report, 1) == ["coverage"]


def test_two_agreements_of_one_name_are_named(
    log: LogUnderTest, hub: HubUnderTest, trust: Trust, auditor: Auditor
) -> None:
    other = replace(BANK, purpose="advertising")
    agree(log)
    agree(log, other)
    both = [signed(hub, one) for one in (BANK, other)]
    assert checks(auditor.verify(log.parts(agreements=both), trust=trust)) == ["agreement"]


def test_what_stays_in_the_hubs_own_custody_needs_no_agreement(
    log: LogUnderTest, bank: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log.deliver(log.next_delivery(bank, payload_type="directory"))
    # What the routing hub passes on stands under the agreement of the hub before it.
    log.deliver(log.next_delivery(bank, payload_type="forwarded", agreement="other@3"))
    assert auditor.verify(log.parts(), trust=trust).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("at_ms", "expected"), [(NOW_MS, []), (NOW_MS + 400 * DAY_MS, ["coverage"])]
)
def test_a_query_is_judged_like_a_delivery(
    log: LogUnderTest, auditor: Auditor, at_ms: int, expected: list[str]
) -> None:
    agree(log)
    kind = transparency_pb2.LOG_KIND_QUERY
    log.event(kind, bytes(range(32)), agreement="bank@1", logged_at_ms=at_ms)
    shown = log.parts(agreements=[signed(log.hub, BANK)])
    report = auditor.verify(shown, trust=Trust.of(log.hub.anchor))
    assert checks(report, 1) == expected


# Agreements from before the range ------------------------------------------------------------


def prior(log: LogUnderTest, index: int) -> list[bytes]:
    tree = Tree(leaf_hash(leaf) for leaf in log.leaves)
    return [index.to_bytes(8), log.leaves[index], b"".join(tree.inclusion_path(index))]


@pytest.fixture
def later(log: LogUnderTest, bank: MemberUnderTest) -> LogUnderTest:
    agree(log)
    log.deliver(log.next_delivery(bank, **PRODUCT))
    return log


def test_an_agreement_before_the_range_is_proved(
    later: LogUnderTest, hub: HubUnderTest, trust: Trust, auditor: Auditor
) -> None:
    parts = later.parts(from_index=1, agreements=[signed(hub, BANK)], prior=prior(later, 0))
    assert auditor.verify(parts, trust=trust).verdict is Verdict.VALID


def test_without_a_proof_the_question_stays_open(
    later: LogUnderTest, hub: HubUnderTest, trust: Trust, auditor: Auditor
) -> None:
    parts = later.parts(from_index=1, agreements=[signed(hub, BANK)])
    report = auditor.verify(parts, trust=trust)
    assert checks(report, 0) == ["coverage"]
    assert report.verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_false_proof_is_named_and_not_believed(
    later: LogUnderTest, hub: HubUnderTest, trust: Trust, auditor: Auditor, part: int
) -> None:
    proof = prior(later, 0)
    proof[part] = proof[part][:-1] + bytes([proof[part][-1] ^ 1])
    for shown in (proof, proof[:2], [b"", *proof[1:]]):
        parts = later.parts(from_index=1, agreements=[signed(hub, BANK)], prior=shown)
        report = auditor.verify(parts, trust=trust)
        assert checks(report) == ["prior.pb"]
        assert checks(report, 0) == ["coverage"]
