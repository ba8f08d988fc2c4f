from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from protos.yixin.v1 import (
    identity_pb2,
)
from security.audit import Trust, Verdict, verify_bundle, write_bundle
from security.keys import SigningKey
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks, judged
from tests.support.logs import LogUnderTest
from tests.support.members import (
    HUB,
    NODE,
    NOW_MS,
    OTHER_NODE,
    PROVINCE,
    make_hub,
)

if TYPE_CHECKING:
    from pathlib import Path


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
        "kind": "envelope",
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
    assert verify_bundle(path, Trust.of(hub.anchor)).verdict is Verdict.VALID


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
    assert checks(auditor.verify(replace(parts, frontier=b"short"))) == ["frontier"]


@pytest.mark.parametrize("text", ["", "not a checkpoint", "\ud800"])
def test_a_checkpoint_that_is_none_shows(log: LogUnderTest, tmp_path: Path, text: str) -> None:
    write_bundle(tmp_path / "bundle", log.parts())
    (tmp_path / "bundle" / "checkpoint.txt").write_bytes(text.encode(errors="surrogatepass"))
    report = verify_bundle(tmp_path / "bundle", Trust.of(HUB_UNDER_TEST.anchor))
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
    report = verify_bundle(tmp_path / "bundle", Trust.of(make_hub(PROVINCE).anchor))
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
    report = verify_bundle(path, Trust.of(hub.anchor))
    assert [checks(report, at) for at in (0, 1)] == [[], ["sender_key"]]
