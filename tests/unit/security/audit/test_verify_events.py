from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import transparency_pb2
from security.audit import Verdict
from security.audit.events import EVENTS, NAMES
from security.audit.log import CHAINED
from security.operator.log_chain import NO_ENTRY, entry_bytes, entry_hash
from security.policy import Policy, sign_policy
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks
from tests.support.members import DAY_MS, HUB, NODE, NOW_MS, PROVINCE

if TYPE_CHECKING:
    from tests.support.logs import LogUnderTest

DIGEST = bytes(range(32))
NEVER_SHOWN = (
    transparency_pb2.LOG_KIND_REFUSED_REQUEST,
    transparency_pb2.LOG_KIND_REVOCATION,
    transparency_pb2.LOG_KIND_PACK_RELEASE,
)
SHOWN = {
    transparency_pb2.LOG_KIND_CERTIFICATE: "certificate_missing",
    transparency_pb2.LOG_KIND_AGREEMENT: "agreement_missing",
    transparency_pb2.LOG_KIND_OPERATOR: "operator_missing",
    transparency_pb2.LOG_KIND_POLICY: "policy_missing",
}


def test_every_kind_of_leaf_has_exactly_one_row() -> None:
    kinds = set(transparency_pb2.LogKind.values()) - {0}
    assert set(EVENTS) | CHAINED == kinds == set(NAMES)
    assert not set(EVENTS) & CHAINED


@pytest.mark.parametrize("kind", NEVER_SHOWN)
def test_what_only_the_hub_may_read_needs_not_be_shown(
    empty_log: LogUnderTest, auditor: Auditor, kind: transparency_pb2.LogKind.ValueType
) -> None:
    empty_log.event(kind, DIGEST)
    assert checks(auditor.verify(empty_log.parts()), 0) == []


@pytest.mark.parametrize(("kind", "check"), SHOWN.items())
def test_what_is_logged_and_not_shown_is_indeterminate(
    empty_log: LogUnderTest,
    auditor: Auditor,
    kind: transparency_pb2.LogKind.ValueType,
    check: str,
) -> None:
    empty_log.event(kind, DIGEST, recipient=NODE)
    report = auditor.verify(empty_log.parts())
    assert checks(report, 0) == [check]
    assert report.verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": PROVINCE},
        {"recipient": "nobody\n"},
        {"lane": 1},
        {"seq": 1},
        {"ciphertext_hash": DIGEST},
    ],
)
def test_an_event_in_anothers_name_or_shape_is_invalid(
    empty_log: LogUnderTest, auditor: Auditor, changes: dict[str, Any]
) -> None:
    empty_log.event(transparency_pb2.LOG_KIND_REFUSED_REQUEST, DIGEST, **changes)
    report = auditor.verify(empty_log.parts())
    assert checks(report, 0) == ["leaf"]
    assert report.verdict is Verdict.INVALID


def test_certificates_are_matched_with_their_leaves(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    body = NODE_UNDER_TEST.certificates[0].body
    kind = transparency_pb2.LOG_KIND_CERTIFICATE
    empty_log.event(kind, hashlib.sha256(body).digest(), recipient=NODE)
    assert auditor.verify(empty_log.parts()).verdict is Verdict.VALID


def test_entries_of_the_operator_log_are_matched_with_their_leaves(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    words = (b"officer", b"revoke")
    empty_log.event(transparency_pb2.LOG_KIND_OPERATOR, entry_hash(NO_ENTRY, 1, words))
    shown = entry_bytes(NO_ENTRY, 1, words)
    report = auditor.verify(empty_log.parts(operations=[shown]))
    assert report.verdict is Verdict.VALID
    assert report.counts["operations_shown"] == 1
    changed = entry_bytes(NO_ENTRY, 1, (b"officer", b"approve"))
    report = auditor.verify(empty_log.parts(operations=[changed]))
    assert checks(report, 0) == ["operator_missing"]


def test_entries_that_no_leaf_speaks_of_are_named(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    words = (b"officer", b"revoke")
    empty_log.event(transparency_pb2.LOG_KIND_OPERATOR, entry_hash(NO_ENTRY, 1, words))
    shown = entry_bytes(NO_ENTRY, 1, words)
    report = auditor.verify(empty_log.parts(operations=[shown, b""]))
    assert report.verdict is Verdict.INVALID
    assert "belongs to no leaf" in str(report.failures)


def test_a_new_origin_stands_in_the_lost_range_that_it_names(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    for purpose in ("0:2", "0:2", "0:2", "3:3", "", "x:9", "5:4:9"):
        empty_log.event(transparency_pb2.LOG_KIND_ORIGIN, DIGEST, purpose=purpose)
    report = auditor.verify(empty_log.parts())
    found = [checks(report, at) for at in range(7)]
    assert found == [[], [], ["leaf"], [], ["leaf"], ["leaf"], ["leaf"]]


# Retention -----------------------------------------------------------------------------------


def test_an_emptied_envelope_says_why_it_is_not_there(log: LogUnderTest, auditor: Auditor) -> None:
    leaf = transparency_pb2.LogLeaf.FromString(log.leaves[1])
    log.event(
        transparency_pb2.LOG_KIND_EMPTIED,
        leaf.envelope_hash,
        logged_at_ms=NOW_MS + DAY_MS,
        recipient=NODE,
    )
    del log.envelopes[1]
    report = auditor.verify(log.parts())
    assert checks(report, 1) == ["envelope_emptied"]
    assert str(NOW_MS + DAY_MS) in report.exchanges[1].failures[0].detail
    assert checks(report, 6) == []
    assert report.verdict is Verdict.INDETERMINATE


def test_only_what_was_logged_can_be_emptied(log: LogUnderTest, auditor: Auditor) -> None:
    log.event(transparency_pb2.LOG_KIND_EMPTIED, DIGEST)
    assert checks(auditor.verify(log.parts()), 6) == ["leaf"]


# Suite policies ------------------------------------------------------------------------------


def policy(version: int, at_ms: int, *allowed: str, member: str = "", required: str = "") -> bytes:
    made = Policy(
        hub=HUB, member=member, version=version, allowed=allowed, required=required, at_ms=at_ms
    )
    return sign_policy(HUB_UNDER_TEST.signing, made).SerializeToString()


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([policy(2, 1, "INTL-PQ")], []),
        ([policy(2, 1, "INTL")], ["suite_policy"]),
        # Sealed while the older policy held, logged under the newer one.
        ([policy(2, 1, "INTL-PQ"), policy(3, NOW_MS + 5, "INTL")], []),
        ([policy(2, 1, "INTL"), policy(3, NOW_MS + 5, "INTL-PQ")], []),
        ([policy(2, NOW_MS + 20, "INTL")], []),
        (
            [
                policy(2, 1, "INTL-PQ"),
                policy(3, 2, "INTL-PQ", "INTL", member=NODE, required="INTL"),
            ],
            ["suite_policy"],
        ),
        (
            [
                policy(2, 1, "INTL-PQ"),
                policy(3, 2, "INTL-PQ", "INTL", member=NODE, required="INTL"),
                policy(4, 3, "INTL-PQ", member=NODE),
            ],
            [],
        ),
        ([policy(2, 1, "INTL-PQ"), policy(3, 2, "INTL", member=PROVINCE, required="INTL")], []),
    ],
)
def test_a_suite_outside_the_policy_in_force_is_invalid(
    empty_log: LogUnderTest, auditor: Auditor, policies: list[bytes], expected: list[str]
) -> None:
    empty_log.accept(empty_log.next_outgoing(NODE_UNDER_TEST), logged_at_ms=NOW_MS + 10)
    report = auditor.verify(empty_log.parts(policies=policies))
    assert checks(report, 0) == expected
    assert report.failures == ()


@pytest.mark.parametrize("content", [b"\xff", b"", policy(1, 1, "INTL")[:-1]])
def test_a_policy_that_is_none_is_named(
    log: LogUnderTest, auditor: Auditor, content: bytes
) -> None:
    assert checks(auditor.verify(log.parts(policies=[content]))) == ["policy"]
