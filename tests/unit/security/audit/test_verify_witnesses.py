from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import transparency_pb2
from security.audit import Trust, Verdict
from security.keys import SigningKey
from security.merkle import Frontier, consistency_path, leaf_hash
from security.tlog.cosigning import cosign
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks, witness
from tests.support.logs import LogUnderTest, sample_log
from tests.support.members import HUB, NOW_MS, make_hub

if TYPE_CHECKING:
    from security.tlog.witness_policy import Witness

KEYS = {name: SigningKey.generate(post_quantum=True) for name in ("province", "health", "other")}
WITNESSES = tuple(witness(name, key) for name, key in KEYS.items())
AT_S = NOW_MS // 1000


def trusting(*witnesses: Witness, quorum: int = 0, required: bool = False) -> Trust:
    trust = Trust.of(HUB_UNDER_TEST.anchor)
    return replace(trust, witnesses=witnesses, quorum=quorum, requires_witnesses=required)


def cosigned(note: str, *names: str) -> str:
    body = note.partition("\n\n")[0] + "\n"
    return note + "".join(cosign(body, name, KEYS[name], AT_S) for name in names)


def checkpoint(log: LogUnderTest, size: int) -> Checkpoint:
    grown = Frontier()
    for leaf in log.leaves[:size]:
        grown.append(leaf_hash(leaf))
    return Checkpoint(origin=HUB_UNDER_TEST.anchor.log_origin, size=size, root=grown.root())


def other(log: LogUnderTest, end: int, size: int, *names: str) -> bytes:
    """A checkpoint of another size, with the proof that it and the bundle's are of one log."""
    note = sign_checkpoint(checkpoint(log, size), HUB_UNDER_TEST.signing)
    old, new = sorted((size, end))
    path = consistency_path([leaf_hash(leaf) for leaf in log.leaves[:new]], old)
    return transparency_pb2.Proof(path=path, checkpoint=cosigned(note, *names)).SerializeToString()


# Quorum --------------------------------------------------------------------------------------


def test_a_quorum_of_trusted_witnesses_confirms_the_log(
    log: LogUnderTest, auditor: Auditor
) -> None:
    parts = log.parts()
    parts = replace(parts, checkpoint=cosigned(parts.checkpoint, "province", "health", "other"))
    report = auditor.verify(parts, trust=trusting(*WITNESSES[:2], quorum=2))
    assert report.verdict is Verdict.VALID
    assert report.cosigned_by == ("province", "health")
    assert report.counts["witnesses"] == 2


@pytest.mark.parametrize("verdict", [Verdict.INDETERMINATE, Verdict.INVALID])
def test_a_missing_quorum_is_named(log: LogUnderTest, auditor: Auditor, verdict: Verdict) -> None:
    required = verdict is Verdict.INVALID
    parts = log.parts()
    parts = replace(parts, checkpoint=cosigned(parts.checkpoint, "province"))
    report = auditor.verify(parts, trust=trusting(*WITNESSES, quorum=2, required=required))
    assert checks(report) == ["witnesses"]
    assert report.verdict is verdict


def test_who_insists_needs_a_witness_though_the_files_ask_for_none(
    log: LogUnderTest, auditor: Auditor
) -> None:
    parts = log.parts()
    insisting = trusting(WITNESSES[0], quorum=0, required=True)
    report = auditor.verify(parts, trust=insisting)
    assert checks(report) == ["witnesses"]
    assert report.verdict is Verdict.INVALID
    parts = replace(parts, checkpoint=cosigned(parts.checkpoint, "province"))
    assert auditor.verify(parts, trust=insisting).verdict is Verdict.VALID


def test_a_witness_counts_once_however_often_it_signs(log: LogUnderTest, auditor: Auditor) -> None:
    parts = log.parts()
    parts = replace(parts, checkpoint=cosigned(parts.checkpoint, "province", "province"))
    report = auditor.verify(parts, trust=trusting(*WITNESSES[:2], quorum=2))
    assert "witnesses" in checks(report)


def test_a_witness_by_another_key_is_named_and_does_not_count(
    log: LogUnderTest, auditor: Auditor
) -> None:
    parts = log.parts()
    body = parts.checkpoint.partition("\n\n")[0] + "\n"
    forged = cosign(body, "province", SigningKey.generate(post_quantum=True), AT_S)
    report = auditor.verify(
        replace(parts, checkpoint=parts.checkpoint + forged),
        trust=trusting(WITNESSES[0], quorum=1),
    )
    assert "witnesses" in checks(report)
    assert report.verdict is not Verdict.VALID


def test_a_cosignature_of_another_checkpoint_is_invalid(
    log: LogUnderTest, auditor: Auditor
) -> None:
    shorter = cosigned(LogUnderTest(hub=log.hub, leaves=log.leaves[:5]).parts().checkpoint, "other")
    lines = "".join(line for line in shorter.splitlines(keepends=True) if " other " in line)
    parts = log.parts()
    report = auditor.verify(
        replace(parts, checkpoint=parts.checkpoint + lines), trust=trusting(WITNESSES[2], quorum=1)
    )
    assert checks(report) == ["cosignature", "witnesses"]
    assert report.verdict is Verdict.INVALID


def test_a_hub_is_no_witness_of_its_own_log(log: LogUnderTest, auditor: Auditor) -> None:
    own = f"yixin/{HUB.removeprefix('yixin://')}/witness"
    parts = log.parts()
    body = parts.checkpoint.partition("\n\n")[0] + "\n"
    lines = cosign(body, own, KEYS["other"], AT_S)
    report = auditor.verify(
        replace(parts, checkpoint=parts.checkpoint + lines),
        trust=trusting(witness(own, KEYS["other"]), quorum=1),
    )
    assert checks(report) == ["witnesses"]
    assert report.cosigned_by == ()


def test_a_later_cosigned_checkpoint_confirms_an_earlier_range(
    log: LogUnderTest, auditor: Auditor
) -> None:
    shorter = LogUnderTest(
        hub=log.hub, leaves=log.leaves[:4], envelopes=log.envelopes[:4], receipts=log.receipts[:3]
    )
    later = other(log, 4, 6, "province")
    report = auditor.verify(
        shorter.parts(publications=[], earlier=[later]), trust=trusting(WITNESSES[0], quorum=1)
    )
    assert (report.verdict, report.failures) == (Verdict.VALID, ())
    assert report.cosigned_by == ("province",)


def test_an_earlier_cosigned_checkpoint_leaves_the_rest_open(
    log: LogUnderTest, auditor: Auditor
) -> None:
    report = auditor.verify(
        log.parts(earlier=[other(log, 6, 4, "province")]),
        trust=trusting(WITNESSES[0], quorum=1),
    )
    assert checks(report) == ["witnesses"]
    assert "confirmed up to 4 leaves: have it exported up to there (--to 4)" in (
        report.failures[0].detail
    )
    assert report.verdict is Verdict.INDETERMINATE


def test_another_history_cannot_be_passed_off_as_the_cosigned_one(
    log: LogUnderTest, auditor: Auditor
) -> None:
    foreign = sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)
    report = auditor.verify(
        log.parts(earlier=[other(foreign, 6, 4, "province")]),
        trust=trusting(WITNESSES[0], quorum=1),
    )
    assert checks(report) == ["other_checkpoint", "witnesses"]
    assert report.verdict is Verdict.INVALID


# Checkpoints that the auditor saw ------------------------------------------------------------


def seeing(*seen: Checkpoint) -> Trust:
    return replace(Trust.of(HUB_UNDER_TEST.anchor), seen=seen)


@pytest.mark.parametrize("size", [0, 1, 4, 6])
def test_a_log_that_continues_what_was_seen_is_valid(
    log: LogUnderTest, auditor: Auditor, size: int
) -> None:
    report = auditor.verify(log.parts(), trust=seeing(checkpoint(log, size)))
    assert report.verdict is Verdict.VALID
    assert report.counts["seen_checkpoints_continued"] == 1


@pytest.mark.parametrize("size", [1, 4, 6])
def test_a_rewritten_history_convicts_the_hub(
    log: LogUnderTest, auditor: Auditor, size: int
) -> None:
    seen = checkpoint(sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST), size)
    report = auditor.verify(log.parts(), trust=seeing(seen))
    assert checks(report) == ["seen_checkpoint"]
    assert report.verdict is Verdict.INVALID


def test_a_checkpoint_before_the_range_needs_a_proof(log: LogUnderTest, auditor: Auditor) -> None:
    trust = seeing(checkpoint(log, 1))
    parts = log.parts(from_index=2, envelopes=log.envelopes[2:], receipts=log.receipts[2:])
    report = auditor.verify(parts, trust=trust)
    assert checks(report) == ["seen_checkpoint"]
    assert "--prove-from 1" in report.failures[0].detail
    assert report.verdict is Verdict.INDETERMINATE
    proved = replace(parts, earlier=[other(log, 6, 1)])
    assert auditor.verify(proved, trust=trust).verdict is Verdict.VALID


def test_a_checkpoint_later_than_the_bundle_leaves_the_question_open(
    log: LogUnderTest, auditor: Auditor
) -> None:
    shorter = LogUnderTest(
        hub=log.hub, leaves=log.leaves[:4], envelopes=log.envelopes[:4], receipts=log.receipts[:3]
    )
    report = auditor.verify(shorter.parts(publications=[]), trust=seeing(checkpoint(log, 6)))
    assert checks(report) == ["seen_checkpoint"]
    assert report.verdict is Verdict.INDETERMINATE


def test_a_checkpoint_of_another_log_is_not_compared(log: LogUnderTest, auditor: Auditor) -> None:
    foreign = Checkpoint(origin="elsewhere/log", size=3, root=bytes(32))
    report = auditor.verify(log.parts(), trust=seeing(foreign))
    assert report.verdict is Verdict.VALID
    assert report.counts["seen_checkpoints"] == 0


@pytest.mark.parametrize("content", [b"\xff", b"", b"\x12\x04note"])
def test_a_checkpoint_that_is_none_is_named(
    log: LogUnderTest, auditor: Auditor, content: bytes
) -> None:
    assert checks(auditor.verify(log.parts(earlier=[content]))) == ["other_checkpoint"]


def test_a_checkpoint_that_another_hub_signed_is_named(log: LogUnderTest, auditor: Auditor) -> None:
    note = sign_checkpoint(checkpoint(log, 4), make_hub().signing)
    proof = transparency_pb2.Proof(checkpoint=note).SerializeToString()
    assert checks(auditor.verify(log.parts(earlier=[proof]))) == ["other_checkpoint"]
