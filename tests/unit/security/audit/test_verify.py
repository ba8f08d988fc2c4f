from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from protos.yixin.v1 import (
    envelope_pb2,
    exchange_pb2,
    identity_pb2,
    statement_pb2,
    transparency_pb2,
)
from security.audit import AuditReport, BundleParts, Verdict, verify_bundle, write_bundle
from security.chain import GENESIS, ChainPosition
from security.keys import SigningKey
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.logs import LogUnderTest, sample_log
from tests.support.members import (
    DAY_MS,
    HUB,
    NODE,
    NOW_MS,
    OTHER_NODE,
    PROVINCE,
    city,
    make_hub,
    outgoing,
)

if TYPE_CHECKING:
    from pathlib import Path

HUB_UNDER_TEST, NODE_UNDER_TEST = city()


@pytest.fixture
def log() -> LogUnderTest:
    return sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)


@pytest.fixture
def empty_log() -> LogUnderTest:
    return LogUnderTest(hub=HUB_UNDER_TEST)


class Auditor:
    """Writes a bundle and verifies it against the hub's anchor."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def verify(self, parts: BundleParts, suffix: str = "") -> AuditReport:
        self._count += 1
        path = self._directory / f"bundle-{self._count}{suffix}"
        write_bundle(path, parts)
        return verify_bundle(path, HUB_UNDER_TEST.anchor)


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    return Auditor(tmp_path)


def checks(report: AuditReport, index: int | None = None) -> list[str]:
    """Names of the failed checks of one exchange, or of the bundle as a whole."""
    failures = report.failures if index is None else report.exchanges[index].failures
    return [failure.check for failure in failures]


def judged(report: AuditReport) -> list[str]:
    return [str(exchange.verdict) for exchange in report.exchanges]


@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_an_honest_log_is_valid(log: LogUnderTest, auditor: Auditor, suffix: str) -> None:
    report = auditor.verify(log.parts(), suffix)
    assert report.failures == ()
    assert judged(report) == ["valid"] * 6
    assert report.verdict is Verdict.VALID
    assert report.counts["envelopes"] == 5
    assert report.counts["receipts"] == 4
    assert report.counts["publications"] == 1
    assert report.counts["valid"] == 6
    assert report.pack_digests == {"00" * 32: 5}


def test_the_report_is_machine_readable(log: LogUnderTest, auditor: Auditor) -> None:
    log.receipts.pop()
    found = orjson.loads(auditor.verify(log.parts()).to_json())
    assert found["hub"] == HUB
    assert (found["from_index"], found["to_index"]) == (0, 6)
    assert found["verdict"] == "indeterminate"
    assert found["exchanges"][4] == {
        "index": 4,
        "verdict": "indeterminate",
        "failures": [
            {"check": "receipt", "detail": "no receipt is shown", "verdict": "indeterminate"}
        ],
    }


def test_an_empty_range_is_valid(log: LogUnderTest, auditor: Auditor) -> None:
    parts = log.parts(from_index=6, envelopes=[], receipts=[], publications=[])
    assert auditor.verify(parts).verdict is Verdict.VALID


def test_a_range_in_the_middle_of_the_log_is_valid(log: LogUnderTest, auditor: Auditor) -> None:
    parts = log.parts(from_index=2, envelopes=log.envelopes[2:], receipts=log.receipts[2:])
    report = auditor.verify(parts)
    assert report.verdict is Verdict.VALID
    assert [exchange.index for exchange in report.exchanges] == [2, 3, 4, 5]


def test_many_senders_and_commit_groups_are_valid(auditor: Auditor) -> None:
    hub = make_hub()
    nodes = [hub.enrol(member) for member in (NODE, OTHER_NODE)]
    log = LogUnderTest(hub=hub)
    for _ in range(3):
        log.accept(*(log.next_outgoing(node) for node in nodes))
    path = auditor._directory / "bundle"  # noqa: SLF001 - the fixture's own directory
    write_bundle(path, log.parts())
    assert verify_bundle(path, hub.anchor).verdict is Verdict.VALID


# The log itself ------------------------------------------------------------------------------


def test_a_left_out_leaf_shows(log: LogUnderTest, auditor: Auditor) -> None:
    parts = log.parts()
    report = auditor.verify(replace(parts, leaves=log.leaves[:2] + log.leaves[3:]))
    assert report.verdict is Verdict.INVALID
    assert checks(report) == ["leaves", "root", "envelopes.pb", "receipts.pb"]
    assert "chain_gap" in checks(report, 3)


def test_a_moved_leaf_shows(log: LogUnderTest, auditor: Auditor) -> None:
    moved = [log.leaves[at] for at in (1, 0, 2, 3, 4, 5)]
    report = auditor.verify(replace(log.parts(), leaves=moved))
    assert "root" in checks(report)


def test_an_added_leaf_shows(log: LogUnderTest, auditor: Auditor) -> None:
    report = auditor.verify(replace(log.parts(), leaves=[*log.leaves, log.leaves[0]]))
    assert checks(report)[0] == "leaves"
    assert "more than the 6 messages announced" in report.failures[0].detail


def test_a_flipped_bit_in_any_leaf_shows(log: LogUnderTest, auditor: Auditor) -> None:
    for at in range(6):
        leaves = list(log.leaves)
        leaves[at] = leaves[at][:-1] + bytes([leaves[at][-1] ^ 1])
        assert "root" in checks(auditor.verify(replace(log.parts(), leaves=leaves)))


def test_a_leaf_that_is_none_is_judged_alone(log: LogUnderTest, auditor: Auditor) -> None:
    log.leaves[0] = b"\xff"
    report = auditor.verify(log.parts(envelopes=log.envelopes[1:], receipts=log.receipts[1:]))
    assert checks(report, 0) == ["leaf"]
    # The chain's first known place is now seq 2, in a log that is shown from its beginning.
    assert checks(report, 1) == ["chain_gap"]
    assert judged(report)[2:] == ["valid"] * 4


def test_a_rewritten_history_before_the_range_shows(log: LogUnderTest, auditor: Auditor) -> None:
    parts = log.parts(from_index=2, envelopes=log.envelopes[2:], receipts=log.receipts[2:])
    flipped = bytearray(parts.frontier)
    flipped[20] ^= 1
    assert checks(auditor.verify(replace(parts, frontier=bytes(flipped)))) == ["root"]


def test_a_frontier_of_another_place_shows(log: LogUnderTest, auditor: Auditor) -> None:
    parts = log.parts(from_index=2, envelopes=log.envelopes[2:], receipts=log.receipts[2:])
    report = auditor.verify(replace(parts, frontier=log.parts().frontier))
    assert checks(report) == ["frontier", "root"]
    assert checks(auditor.verify(replace(parts, frontier=b"short"))) == ["checkpoint"]


@pytest.mark.parametrize("text", ["", "not a checkpoint", "\ud800"])
def test_a_checkpoint_that_is_none_shows(log: LogUnderTest, tmp_path: Path, text: str) -> None:
    write_bundle(tmp_path / "bundle", log.parts())
    (tmp_path / "bundle" / "checkpoint.txt").write_bytes(text.encode(errors="surrogatepass"))
    report = verify_bundle(tmp_path / "bundle", HUB_UNDER_TEST.anchor)
    assert checks(report) == ["checkpoint"]
    assert report.verdict is Verdict.INVALID


def test_a_checkpoint_signed_by_someone_else_shows(log: LogUnderTest, auditor: Auditor) -> None:
    root = Checkpoint(origin=HUB_UNDER_TEST.anchor.log_origin, size=6, root=bytes(32))
    forged = sign_checkpoint(root, make_hub().signing)
    assert checks(auditor.verify(replace(log.parts(), checkpoint=forged))) == ["checkpoint"]


def test_a_checkpoint_of_another_size_shows(log: LogUnderTest, auditor: Auditor) -> None:
    shorter = LogUnderTest(hub=log.hub, leaves=log.leaves[:5]).parts().checkpoint
    assert checks(auditor.verify(replace(log.parts(), checkpoint=shorter))) == ["root"]


def test_a_bundle_of_another_hub_shows(log: LogUnderTest, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", log.parts())
    report = verify_bundle(tmp_path / "bundle", make_hub(PROVINCE).anchor)
    assert {"hub", "certificate", "checkpoint"} <= set(checks(report))
    assert all("sender_key" in checks(report, at) for at in range(5))


# Certificates --------------------------------------------------------------------------------


def test_missing_certificates_leave_the_sender_unproved(
    log: LogUnderTest, auditor: Auditor
) -> None:
    report = auditor.verify(log.parts(certificates=[]))
    assert report.verdict is Verdict.INVALID
    assert [checks(report, at) for at in range(6)] == [["sender_key"]] * 3 + [[]] + [
        ["sender_key"]
    ] + [[]]


def test_a_forged_certificate_is_named_and_not_trusted(log: LogUnderTest, auditor: Auditor) -> None:
    forged = identity_pb2.KeyCertificate()
    forged.CopyFrom(NODE_UNDER_TEST.certificates[0])
    forged.signature = bytes(64)
    report = auditor.verify(log.parts(certificates=[forged.SerializeToString(), b"\xff"]))
    assert checks(report) == ["certificate", "certificate"]
    assert checks(report, 0) == ["sender_key"]
    assert report.counts["certificates"] == 2


def test_a_key_that_had_expired_when_it_was_logged_shows(auditor: Auditor) -> None:
    hub = make_hub()
    node = replace(NODE_UNDER_TEST, signing=SigningKey.generate(post_quantum=False))
    hub.certify(NODE, node.signing, not_after_ms=NOW_MS)
    log = LogUnderTest(hub=hub)
    log.accept(log.next_outgoing(node))
    log.accept(log.next_outgoing(node), logged_at_ms=NOW_MS + 1)
    path = auditor._directory / "bundle"  # noqa: SLF001 - the fixture's own directory
    write_bundle(path, log.parts())
    report = verify_bundle(path, hub.anchor)
    assert [checks(report, at) for at in (0, 1)] == [[], ["sender_key"]]


# Envelopes -----------------------------------------------------------------------------------


def test_a_missing_envelope_is_indeterminate_not_invalid(
    log: LogUnderTest, auditor: Auditor
) -> None:
    del log.envelopes[1]
    report = auditor.verify(log.parts())
    assert judged(report) == ["valid", "indeterminate", "valid", "valid", "valid", "valid"]
    assert checks(report, 1) == ["envelope_missing"]
    assert report.verdict is Verdict.INDETERMINATE


def test_a_replaced_envelope_is_invalid(log: LogUnderTest, auditor: Auditor) -> None:
    other = sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)
    log.envelopes[1] = other.envelopes[1]
    report = auditor.verify(log.parts())
    assert checks(report, 1) == ["envelope_replaced"]
    assert checks(report) == ["envelopes.pb"]
    assert judged(report)[2:] == ["valid"] * 4


def test_a_flipped_bit_in_any_part_of_an_envelope_is_invalid(
    log: LogUnderTest, auditor: Auditor
) -> None:
    for part in ("header", "ciphertext", "signature"):
        envelope = envelope_pb2.SealedEnvelope.FromString(log.envelopes[1])
        value = getattr(envelope, part)
        setattr(envelope, part, value[:-1] + bytes([value[-1] ^ 1]))
        envelopes = list(log.envelopes)
        envelopes[1] = envelope.SerializeToString()
        report = auditor.verify(log.parts(envelopes=envelopes))
        assert checks(report, 1) == ["envelope_replaced"]


@pytest.mark.parametrize("stranger", [b"\xff", b""])
def test_added_messages_are_counted_as_strangers(
    log: LogUnderTest, auditor: Auditor, stranger: bytes
) -> None:
    parts = log.parts(envelopes=[*log.envelopes, stranger], receipts=[b"\xff", *log.receipts])
    report = auditor.verify(parts)
    assert checks(report) == ["envelopes.pb", "receipts.pb"]
    assert judged(report) == ["valid"] * 6


def test_envelopes_in_another_order_show(log: LogUnderTest, auditor: Auditor) -> None:
    log.envelopes[1], log.envelopes[2] = log.envelopes[2], log.envelopes[1]
    report = auditor.verify(log.parts())
    assert checks(report, 1) == ["envelope_missing"]
    assert checks(report) == ["envelopes.pb"]


def test_an_envelope_logged_after_its_expiry_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST, expires_at_ms=NOW_MS)
    empty_log.accept(sent, logged_at_ms=NOW_MS + 1)
    assert checks(auditor.verify(empty_log.parts()), 0) == ["expired"]


def test_an_envelope_logged_before_it_was_sealed_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST, created_at_ms=NOW_MS + DAY_MS + 1)
    empty_log.accept(sent)
    assert checks(auditor.verify(empty_log.parts()), 0) == ["from_the_future"]


def test_a_signature_that_the_hub_logged_unverified_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    # The hub itself logs an envelope whose signature is not the sender's.
    sent = empty_log.next_outgoing(NODE_UNDER_TEST)
    empty_log.accept(sent)
    envelope = envelope_pb2.SealedEnvelope.FromString(empty_log.envelopes[0])
    envelope.signature = bytes(64)
    relogged = LogUnderTest(hub=HUB_UNDER_TEST)
    header = envelope_pb2.EnvelopeHeader.FromString(envelope.header)
    assert header.seq == 1
    relogged._log(envelope, transparency_pb2.LOG_KIND_ENVELOPE, NOW_MS, {})  # noqa: SLF001 - a hub that cheats
    assert checks(auditor.verify(relogged.parts()), 0) == ["signature", "receipt"]


def test_an_envelope_that_does_not_parse_shows(empty_log: LogUnderTest, auditor: Auditor) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST)
    empty_log.accept(sent)
    leaf = transparency_pb2.LogLeaf.FromString(empty_log.leaves[0])
    broken = envelope_pb2.SealedEnvelope(header=b"\xff", signature=bytes(64))
    from security.envelope import envelope_hash  # noqa: PLC0415 - used here only

    leaf.envelope_hash = envelope_hash(broken)
    empty_log.leaves[0] = leaf.SerializeToString()
    empty_log.envelopes[0] = broken.SerializeToString()
    assert checks(auditor.verify(empty_log.parts()), 0) == ["envelope_format", "receipt_differs"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"purpose": "research"}, ["leaf_differs"]),
        ({"payload_type": "custody"}, ["leaf_differs"]),
        ({"period": "2025H2"}, ["leaf_differs"]),
        ({"ciphertext_hash": bytes(32)}, ["leaf_differs"]),
        ({"lane": envelope_pb2.LANE_URGENT}, ["leaf_differs"]),
        ({"seq": 2}, ["leaf_differs", "chain_gap"]),
        ({"incarnation": 2, "seq": 1}, ["leaf_differs"]),
        ({"sender": OTHER_NODE}, ["leaf_differs"]),
        ({"recipient": PROVINCE}, ["leaf", "leaf_differs", "receipt"]),
    ],
)
def test_a_leaf_that_misstates_its_envelope_shows(
    empty_log: LogUnderTest, auditor: Auditor, changes: dict[str, Any], expected: list[str]
) -> None:
    empty_log.accept(empty_log.next_outgoing(NODE_UNDER_TEST), **changes)
    assert checks(auditor.verify(empty_log.parts()), 0) == expected


def test_a_delivery_in_anothers_name_shows(empty_log: LogUnderTest, auditor: Auditor) -> None:
    sent = empty_log.next_delivery(
        NODE_UNDER_TEST,
        sender=NODE,
        sender_key=NODE_UNDER_TEST.signing,
        recipient=HUB,
        recipient_key_id=HUB_UNDER_TEST.encryption.key_id,
        recipient_public_key=HUB_UNDER_TEST.encryption.public_bytes,
    )
    empty_log.deliver(sent)
    report = auditor.verify(empty_log.parts())
    assert checks(report, 0) == ["leaf"]
    assert "sender is" in report.exchanges[0].failures[0].detail


def test_every_failure_is_listed_not_only_the_first(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST, expires_at_ms=NOW_MS)
    empty_log.accept(sent, logged_at_ms=NOW_MS + 400 * DAY_MS, purpose="research", seq=3)
    empty_log.receipts.clear()
    report = auditor.verify(empty_log.parts())
    assert checks(report, 0) == [
        "leaf_differs",
        "leaf_differs",
        "expired",
        "sender_key",
        "chain_gap",
        "receipt",
    ]


# Chains --------------------------------------------------------------------------------------


def test_a_gap_in_a_chain_shows_once(empty_log: LogUnderTest, auditor: Auditor) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    head = log.heads[NODE, HUB]
    log.heads[NODE, HUB] = replace(head, seq=2)
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    report = auditor.verify(log.parts())
    assert [checks(report, at) for at in range(3)] == [[], ["chain_gap"], []]


def test_a_fork_that_the_hub_logged_shows(log: LogUnderTest, auditor: Auditor) -> None:
    log.accept(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, payload=b"second history"))
    assert checks(auditor.verify(log.parts()), 6) == ["chain_fork"]


def test_another_previous_hash_is_a_fork(empty_log: LogUnderTest, auditor: Auditor) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    log.heads[NODE, HUB] = replace(log.heads[NODE, HUB], hash=bytes([1]) * 32)
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    assert checks(auditor.verify(log.parts()), 1) == ["chain_fork"]


def test_an_envelope_logged_twice_shows(log: LogUnderTest, auditor: Auditor) -> None:
    log.leaves.append(log.leaves[0])
    report = auditor.verify(log.parts())
    assert "logged_twice" in checks(report, 6)


def test_a_chain_that_does_not_begin_at_its_beginning_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    empty_log.heads[NODE, HUB] = ChainPosition(incarnation=1, seq=4, hash=bytes([1]) * 32)
    empty_log.accept(empty_log.next_outgoing(NODE_UNDER_TEST))
    assert checks(auditor.verify(empty_log.parts()), 0) == ["chain_gap"]


def test_a_new_incarnation_that_cites_the_head_is_valid(
    log: LogUnderTest, auditor: Auditor
) -> None:
    head = log.heads[NODE, HUB]
    sent = outgoing(
        HUB_UNDER_TEST,
        NODE_UNDER_TEST,
        after=GENESIS,
        incarnation=2,
        previous_hash=head.hash,
        cited_incarnation=1,
        cited_seq=head.seq,
    )
    log.accept(sent)
    assert auditor.verify(log.parts()).verdict is Verdict.VALID
    log.envelopes.pop()
    report = auditor.verify(log.parts())
    assert checks(report, 6) == ["envelope_missing"]


def test_chains_are_followed_through_envelopes_that_are_not_shown(
    log: LogUnderTest, auditor: Auditor
) -> None:
    report = auditor.verify(log.parts(envelopes=[], receipts=[]))
    expected = [["envelope_missing", "receipt"]] * 3
    assert [checks(report, at) for at in range(3)] == expected
    assert checks(report, 3) == ["envelope_missing"]


def test_a_period_limits_what_is_shown_but_not_the_log(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST, period="2025H2"))
    log.accept(log.next_outgoing(NODE_UNDER_TEST, period="2026H1"))
    parts = log.parts(period="2026H1", envelopes=log.envelopes[1:], receipts=log.receipts[1:])
    report = auditor.verify(parts)
    assert report.verdict is Verdict.VALID
    assert report.counts["not_in_period"] == 1
    assert report.counts["envelopes"] == 1


# Receipts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("logged_at_ms", NOW_MS + 1, ["receipt_differs"]),
        ("envelope_hash", bytes(32), ["receipt_differs"]),
        ("seq", 9, ["receipt_differs"]),
        ("lane", envelope_pb2.LANE_URGENT, ["receipt_differs"]),
        ("sender", OTHER_NODE, ["receipt"]),
        ("hub", PROVINCE, ["receipt"]),
        ("status", 0, ["receipt"]),
    ],
)
def test_a_receipt_that_says_something_else_than_the_log_shows(
    empty_log: LogUnderTest,
    auditor: Auditor,
    name: str,
    value: object,
    expected: list[str],
) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    body = exchange_pb2.ReceiptBody.FromString(
        exchange_pb2.Receipt.FromString(log.receipts[0]).body
    )
    setattr(body, name, value)
    log.receipts = log.sign_receipts([body])
    assert checks(auditor.verify(log.parts()), 0) == expected


def test_a_receipt_of_another_place_is_a_stranger(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    body = exchange_pb2.ReceiptBody.FromString(
        exchange_pb2.Receipt.FromString(log.receipts[0]).body
    )
    body.log_index = 5
    log.receipts = log.sign_receipts([body])
    report = auditor.verify(log.parts())
    assert checks(report, 0) == ["receipt"]
    assert checks(report) == ["receipts.pb"]


def test_a_flipped_bit_in_any_part_of_a_receipt_shows(log: LogUnderTest, auditor: Auditor) -> None:
    for part in ("body", "signature", "pq_signature"):
        receipt = exchange_pb2.Receipt.FromString(log.receipts[0])
        value = getattr(receipt, part)
        setattr(receipt, part, bytes([value[0] ^ 1]) + value[1:])
        receipts = [receipt.SerializeToString(), *log.receipts[1:]]
        report = auditor.verify(log.parts(receipts=receipts))
        assert checks(report, 0) == ["receipt"]


# Publications --------------------------------------------------------------------------------


def changed_statement(log: LogUnderTest, at: int, name: str, value: object) -> list[bytes]:
    _, statements = log.publications[0]
    statement = statement_pb2.SignedGradeStatement.FromString(statements[at])
    if name == "path":
        del statement.path[:]
        statement.path.extend(value)  # type: ignore[arg-type]  # parametrised
    else:
        setattr(statement, name, value)
    return [*statements[:at], statement.SerializeToString(), *statements[at + 1 :]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("body", b"a better grade"),
        ("leaf_index", 2),
        ("group_size", 4),
        ("key_id", "0" * 32),
        ("signature", bytes(64)),
        ("path", [bytes(32)] * 33),
        ("path", []),
    ],
)
def test_a_changed_grade_statement_shows(
    log: LogUnderTest, auditor: Auditor, name: str, value: object
) -> None:
    root, _ = log.publications[0]
    statements = changed_statement(log, 1, name, value)
    report = auditor.verify(log.parts(publications=[(root, statements)]))
    assert checks(report, 5) == ["statement"]
    assert report.verdict is Verdict.INVALID


def test_statements_of_another_publication_or_order_show(
    log: LogUnderTest, auditor: Auditor
) -> None:
    root, statements = log.publications[0]
    log.publish([b"grade 3", b"grade 4", b"grade 5"])
    foreign = log.publications[1][1]
    swapped = [statements[1], statements[0], statements[2]]
    for shown, count in ((foreign, 3), (swapped, 2)):
        parts = log.parts(publications=[(root, shown)])
        assert checks(auditor.verify(parts), 5) == ["statement"] * count


def test_left_out_statements_are_indeterminate(log: LogUnderTest, auditor: Auditor) -> None:
    root, statements = log.publications[0]
    report = auditor.verify(log.parts(publications=[(root, statements[:2])]))
    assert checks(report, 5) == ["statements"]
    assert report.verdict is Verdict.INDETERMINATE


def test_a_publication_need_not_be_shown(log: LogUnderTest, auditor: Auditor) -> None:
    assert auditor.verify(log.parts(publications=[])).verdict is Verdict.VALID


@pytest.mark.parametrize("changes", [{"sender": PROVINCE}, {"recipient": NODE}])
def test_a_publication_in_anothers_name_shows(
    empty_log: LogUnderTest, auditor: Auditor, changes: dict[str, Any]
) -> None:
    empty_log.publish([b"grade 0"], **changes)
    assert "leaf" in checks(auditor.verify(empty_log.parts(publications=[])), 0)


def test_failures_of_a_publication_are_bounded(empty_log: LogUnderTest, auditor: Auditor) -> None:
    empty_log.publish([b"grade 0"])
    root, _ = empty_log.publications[0]
    parts = empty_log.parts(publications=[(root, [b"\xff"] * 2000)])
    assert len(auditor.verify(parts).exchanges[0].failures) == 1000


def test_progress_is_reported(log: LogUnderTest, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", log.parts())
    seen: list[tuple[int, int]] = []
    verify_bundle(
        tmp_path / "bundle",
        HUB_UNDER_TEST.anchor,
        lambda _stage, done, total=0, _unit="": seen.append((done, total)),
    )
    assert seen == [(0, 6), (6, 6)]
