from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.audit import Trust, Verdict
from security.audit.moments import MAX_BACK_MS
from security.certificates.revocations import Revoked, sign_revocations
from security.keys import SigningKey
from tests.support.auditor import Auditor, checks
from tests.support.logs import LogUnderTest
from tests.support.members import DAY_MS, NODE, NOW_MS, PROVINCE, HubUnderTest, make_hub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.members import MemberUnderTest


@pytest.fixture
def hub() -> HubUnderTest:
    return make_hub()


@pytest.fixture
def node(hub: HubUnderTest) -> MemberUnderTest:
    return hub.enrol(NODE)


@pytest.fixture
def trust(hub: HubUnderTest) -> Trust:
    return Trust.of(hub.anchor)


def signed_list(
    hub: HubUnderTest, *, since_ms: int, serials: Sequence[int], version: int = 1
) -> identity_pb2.RevocationList:
    return sign_revocations(
        hub.signing,
        hub=hub.hub_id,
        version=version,
        at_ms=NOW_MS,
        next_ms=NOW_MS + DAY_MS,
        rows=[Revoked(member=NODE, since_ms=since_ms, serial=serial) for serial in serials],
    )


def log_list(log: LogUnderTest, found: identity_pb2.RevocationList) -> None:
    digest = hashlib.sha256(found.body).digest()
    log.event(transparency_pb2.LOG_KIND_REVOCATION, digest, payload_type="revocations")


def serial_of(node: MemberUnderTest) -> int:
    body = identity_pb2.KeyCertificateBody.FromString(node.certificates[0].body)
    return body.serial


@pytest.mark.parametrize(
    ("since_ms", "expected"),
    [(NOW_MS, ["sender_revoked"]), (NOW_MS - 1, ["sender_revoked"]), (NOW_MS + 1, [])],
)
def test_a_sender_revoked_before_logging_is_invalid(
    hub: HubUnderTest,
    node: MemberUnderTest,
    auditor: Auditor,
    since_ms: int,
    expected: list[str],
) -> None:
    log = LogUnderTest(hub=hub)
    log.accept(log.next_outgoing(node))
    found = signed_list(hub, since_ms=since_ms, serials=[serial_of(node)])
    log_list(log, found)
    parts = log.parts(revocations=[found.SerializeToString()])
    report = auditor.verify(parts, trust=Trust.of(hub.anchor))
    assert checks(report, 0) == expected
    assert report.verdict is (Verdict.INVALID if expected else Verdict.VALID)
    assert report.counts["revoked_certificates"] == 1


def test_a_revoked_sender_is_named_beside_every_other_failure(
    hub: HubUnderTest, node: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log = LogUnderTest(hub=hub)
    log.accept(log.next_outgoing(node, expires_at_ms=NOW_MS), logged_at_ms=NOW_MS + 1)
    found = signed_list(hub, since_ms=NOW_MS, serials=[serial_of(node)])
    report = auditor.verify(log.parts(revocations=[found.SerializeToString()]), trust=trust)
    assert checks(report, 0) == ["expired", "sender_revoked"]


def test_the_hub_cannot_hand_over_an_older_list(
    hub: HubUnderTest, node: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log = LogUnderTest(hub=hub)
    older = signed_list(hub, since_ms=NOW_MS, serials=[])
    newer = signed_list(hub, since_ms=NOW_MS, serials=[serial_of(node)], version=2)
    log_list(log, older)
    log_list(log, newer)
    log.accept(log.next_outgoing(node))
    report = auditor.verify(log.parts(revocations=[older.SerializeToString()]), trust=trust)
    assert checks(report) == ["revocations"]
    assert report.verdict is Verdict.INDETERMINATE
    both = [one.SerializeToString() for one in (older, newer)]
    assert checks(auditor.verify(log.parts(revocations=both), trust=trust), 2) == ["sender_revoked"]


def test_of_several_lists_the_earliest_moment_holds(
    hub: HubUnderTest, node: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log = LogUnderTest(hub=hub)
    log.accept(log.next_outgoing(node))
    serial = serial_of(node)
    lists = [
        signed_list(hub, since_ms=since_ms, serials=[serial], version=version)
        for version, since_ms in ((1, NOW_MS - 5), (2, NOW_MS + 5))
    ]
    parts = log.parts(revocations=[one.SerializeToString() for one in lists])
    assert checks(auditor.verify(parts, trust=trust), 0) == ["sender_revoked"]


def test_a_hub_that_signs_receipts_with_a_revoked_key_is_invalid(
    node: MemberUnderTest, hub: HubUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log = LogUnderTest(hub=hub)
    log.accept(log.next_outgoing(node))
    epoch = SigningKey.generate(post_quantum=True)
    certificate = hub.certify(hub.hub_id, epoch)
    serial = identity_pb2.KeyCertificateBody.FromString(certificate.body).serial
    root, hub.signing = hub.signing, epoch
    log.receipts.clear()
    log.accept(log.next_outgoing(node))
    hub.signing = root
    found = signed_list(hub, since_ms=NOW_MS, serials=[serial])
    report = auditor.verify(log.parts(revocations=[found.SerializeToString()]), trust=trust)
    assert checks(report, 1) == ["receipt_key_revoked"]


@pytest.mark.parametrize("content", [b"\xff", b""])
def test_a_list_that_is_none_is_named(log: LogUnderTest, auditor: Auditor, content: bytes) -> None:
    report = auditor.verify(log.parts(revocations=[content]))
    assert checks(report) == ["revocations"]
    assert report.verdict is Verdict.INVALID


def test_a_list_of_another_hub_or_signature_is_named_and_not_believed(
    hub: HubUnderTest, node: MemberUnderTest, trust: Trust, auditor: Auditor
) -> None:
    log = LogUnderTest(hub=hub)
    log.accept(log.next_outgoing(node))
    foreign = signed_list(make_hub(PROVINCE), since_ms=1, serials=[serial_of(node)])
    forged = signed_list(hub, since_ms=1, serials=[serial_of(node)])
    forged.signature = bytes(64)
    lists = [one.SerializeToString() for one in (foreign, forged)]
    report = auditor.verify(log.parts(revocations=lists), trust=trust)
    assert checks(report) == ["revocations", "revocations"]
    assert checks(report, 0) == []


@pytest.mark.parametrize("start", [0, 1])
def test_a_revoked_sender_does_not_hold_by_a_backdated_leaf(
    hub: HubUnderTest, node: MemberUnderTest, auditor: Auditor, trust: Trust, start: int
) -> None:
    log = LogUnderTest(hub=hub)
    revoked = signed_list(hub, since_ms=NOW_MS, serials=[serial_of(node)])
    log.event(transparency_pb2.LOG_KIND_OPERATOR, bytes(32), payload_type="operation")
    log_list(log, revoked)
    earlier_ms = NOW_MS - MAX_BACK_MS - 1
    log.accept(log.next_outgoing(node, created_at_ms=earlier_ms), logged_at_ms=earlier_ms)

    parts = log.parts(from_index=start, revocations=[revoked.SerializeToString()])
    report = auditor.verify(parts, trust=trust)

    assert report.verdict is Verdict.INDETERMINATE
    assert checks(report) == ["moments"]
    assert "leaf 2 says to be 3600 s older than leaf" in report.failures[0].detail


def test_a_clock_that_was_put_right_by_less_is_no_failure(
    hub: HubUnderTest, node: MemberUnderTest, auditor: Auditor, trust: Trust
) -> None:
    log = LogUnderTest(hub=hub)
    for back_ms in (0, MAX_BACK_MS, 1):
        at_ms = NOW_MS - back_ms
        log.accept(log.next_outgoing(node, created_at_ms=at_ms), logged_at_ms=at_ms)

    assert checks(auditor.verify(log.parts(), trust=trust)) == []
