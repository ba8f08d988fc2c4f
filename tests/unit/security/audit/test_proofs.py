from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import envelope_pb2, exchange_pb2, identity_pb2
from security.audit import Trust, Verdict
from security.audit.proofs import ProofReport, verify_proofs
from security.certificates.revocations import Revoked, sign_revocations
from security.chain import GENESIS, ChainPosition
from security.countersigning import countersign_group
from security.envelope import envelope_hash, seal
from security.errors import AuditInputError
from security.exchange.heads import sign_heads
from security.keys import SigningKey
from security.proof_files import (
    DeliveredProof,
    ForkProof,
    HeadsProof,
    Proof,
    ProofHead,
    ProofKind,
    ReceiptProof,
    write_proofs,
)
from security.signatures import SignatureScheme
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST
from tests.support.logs import LogUnderTest
from tests.support.members import DAY_MS, HUB, NODE, NOW_MS, PROVINCE, make_hub, outgoing
from tests.support.national import without_tongsuopy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.members import HubUnderTest

BULK = envelope_pb2.LANE_BULK


class Prover:
    """Writes a proof file and has it judged."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "proofs.jsonl"

    def judge(self, kind: ProofKind, proofs: Iterable[Proof], **changes: Any) -> ProofReport:  # noqa: ANN401
        head = ProofHead(
            kind=kind,
            hub=HUB,
            member=NODE,
            made_at_ms=NOW_MS,
            certificates=tuple(one.SerializeToString() for one in NODE_UNDER_TEST.certificates),
        )
        write_proofs(self._path, replace(head, **changes), proofs)
        return verify_proofs(self._path, Trust.of(HUB_UNDER_TEST.anchor), frozenset({kind}))


@pytest.fixture
def prover(tmp_path: Path) -> Prover:
    return Prover(tmp_path)


def found(report: ProofReport, at: int = 0) -> list[str]:
    return [failure.check for failure in report.findings.exchanges[at].failures]


# Receipts ------------------------------------------------------------------------------------


@pytest.fixture
def receipts() -> list[ReceiptProof]:
    log = LogUnderTest(hub=HUB_UNDER_TEST)
    for _ in range(2):
        log.accept(log.next_outgoing(NODE_UNDER_TEST))
    pairs = zip(log.receipts, log.envelopes, strict=True)
    return [ReceiptProof(receipt=receipt, envelope=envelope) for receipt, envelope in pairs]


def test_receipts_prove_that_the_hub_holds_what_was_sent(
    prover: Prover, receipts: list[ReceiptProof]
) -> None:
    report = prover.judge(ProofKind.RECEIPTS, receipts)
    assert (report.verdict, report.findings.failures) == (Verdict.VALID, [])
    assert report.findings.counts["valid"] == 2


def test_a_receipt_without_its_envelope_is_valid(
    prover: Prover, receipts: list[ReceiptProof]
) -> None:
    bare = replace(receipts[0], envelope=None)
    assert prover.judge(ProofKind.RECEIPTS, [bare]).verdict is Verdict.VALID


def test_a_receipt_that_is_signed_with_sm2_too_is_valid_without_the_extra_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, sm2 = make_hub(), SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3)
    certificate = hub.certify(HUB, sm2, suite="GM").SerializeToString()
    log = LogUnderTest(hub=hub)
    log.accept(log.next_outgoing(hub.enrol(NODE)))
    body = exchange_pb2.ReceiptBody.FromString(
        exchange_pb2.Receipt.FromString(log.receipts[0]).body
    )
    body.sm2_key_id = sm2.key_id
    (raw,) = log.sign_receipts([body])
    receipt = exchange_pb2.Receipt.FromString(raw)
    receipt.sm2_signature = countersign_group(sm2, "yixin/receipt-group/v1", [receipt.body])
    proof = ReceiptProof(receipt=receipt.SerializeToString(), envelope=None)
    head = ProofHead(
        kind=ProofKind.RECEIPTS,
        hub=HUB,
        member=NODE,
        made_at_ms=NOW_MS,
        certificates=(certificate,),
    )
    path = tmp_path / "proofs.jsonl"
    write_proofs(path, head, [proof])

    def judge() -> ProofReport:
        return verify_proofs(path, Trust.of(hub.anchor), frozenset({ProofKind.RECEIPTS}))

    assert (judge().verdict, judge().findings.failures) == (Verdict.VALID, [])
    with without_tongsuopy(monkeypatch):
        report = judge()
    assert report.verdict is Verdict.VALID
    assert [one.check for one in report.findings.failures] == ["sm2_unchecked"]
    assert "pip install" in report.findings.failures[0].detail


def test_a_receipt_for_another_envelope_is_invalid(
    prover: Prover, receipts: list[ReceiptProof]
) -> None:
    swapped = replace(receipts[0], envelope=receipts[1].envelope)
    report = prover.judge(ProofKind.RECEIPTS, [swapped])
    assert found(report) == ["receipt_differs"]


@pytest.mark.parametrize("part", ["body", "signature", "pq_signature"])
def test_a_changed_receipt_is_invalid(
    prover: Prover, receipts: list[ReceiptProof], part: str
) -> None:
    receipt = exchange_pb2.Receipt.FromString(receipts[0].receipt)
    value = getattr(receipt, part)
    setattr(receipt, part, value[:-1] + bytes([value[-1] ^ 1]))
    changed = replace(receipts[0], receipt=receipt.SerializeToString())
    assert found(prover.judge(ProofKind.RECEIPTS, [changed])) == ["receipt"]


def test_a_changed_envelope_is_invalid(prover: Prover, receipts: list[ReceiptProof]) -> None:
    envelope = envelope_pb2.SealedEnvelope.FromString(receipts[0].envelope or b"")
    envelope.signature = bytes(64)
    changed = replace(receipts[0], envelope=envelope.SerializeToString())
    assert found(prover.judge(ProofKind.RECEIPTS, [changed])) == ["receipt_differs", "signature"]
    broken = replace(receipts[0], envelope=b"\xff")
    assert found(prover.judge(ProofKind.RECEIPTS, [broken])) == ["envelope_format"]


def test_a_file_of_another_hub_or_without_proofs_is_not_valid(
    prover: Prover, receipts: list[ReceiptProof]
) -> None:
    report = prover.judge(ProofKind.RECEIPTS, receipts, hub=PROVINCE)
    assert [failure.check for failure in report.findings.failures] == ["hub"]
    assert report.verdict is Verdict.INVALID
    empty = prover.judge(ProofKind.RECEIPTS, [])
    assert empty.verdict is Verdict.INDETERMINATE
    forged = make_hub().certify(NODE, NODE_UNDER_TEST.signing).SerializeToString()
    report = prover.judge(ProofKind.RECEIPTS, receipts, certificates=(forged, b"\xff"))
    assert [failure.check for failure in report.findings.failures] == ["certificate"] * 2


def test_a_file_of_another_kind_is_refused(prover: Prover, tmp_path: Path) -> None:
    prover.judge(ProofKind.RECEIPTS, [])
    with pytest.raises(AuditInputError, match="proves receipts; a file of forks is expected"):
        verify_proofs(
            tmp_path / "proofs.jsonl",
            Trust.of(HUB_UNDER_TEST.anchor),
            frozenset({ProofKind.FORKS}),
        )


# Deliveries ----------------------------------------------------------------------------------


def delivered(count: int = 3) -> list[HeadsProof | DeliveredProof]:
    """Signed heads over the last of some deliveries, then these, newest first."""
    log = LogUnderTest(hub=HUB_UNDER_TEST)
    for _ in range(count):
        log.deliver(log.next_delivery(NODE_UNDER_TEST))
    head = log.heads[HUB, NODE]
    return [heads(head), *(shown(one) for one in reversed(log.envelopes))]


def heads(head: ChainPosition, **changes: Any) -> HeadsProof:  # noqa: ANN401 - parts of any type
    parts: dict[str, Any] = {
        "signer": NODE,
        "peer": HUB,
        "heads": {BULK: head},
        "at_ms": NOW_MS,
        "downlink": True,
    }
    signed = sign_heads(NODE_UNDER_TEST.signing, **(parts | changes))
    return HeadsProof(heads=signed.SerializeToString(), lane=BULK)


def shown(envelope: bytes) -> DeliveredProof:
    parsed = envelope_pb2.SealedEnvelope.FromString(envelope)
    return DeliveredProof(hash=envelope_hash(parsed), envelope=envelope)


def test_signed_heads_prove_every_envelope_before_them(prover: Prover) -> None:
    report = prover.judge(ProofKind.DELIVERIES, delivered())
    assert (report.verdict, report.findings.counts["valid"]) == (Verdict.VALID, 4)


def test_an_envelope_that_is_gone_leaves_those_before_it_open(prover: Prover) -> None:
    proofs = delivered()
    gone = proofs[2]
    assert isinstance(gone, DeliveredProof)
    report = prover.judge(
        ProofKind.DELIVERIES, [*proofs[:2], replace(gone, envelope=None), proofs[3], *delivered(1)]
    )
    verdicts = [one.verdict.value for one in report.findings.exchanges]
    assert verdicts == ["valid", "valid", "indeterminate", "indeterminate", "valid", "valid"]


def test_an_envelope_that_no_head_leads_to_is_not_proved(prover: Prover) -> None:
    proofs = delivered()
    assert found(prover.judge(ProofKind.DELIVERIES, proofs[1:])) == ["delivery"]
    foreign = delivered(1)[1]
    report = prover.judge(ProofKind.DELIVERIES, [proofs[0], foreign])
    assert found(report, 1) == ["delivery"]
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("changes", [{"peer": PROVINCE}, {"downlink": False}, {"signer": PROVINCE}])
def test_heads_that_say_something_else_prove_nothing(
    prover: Prover, changes: dict[str, Any]
) -> None:
    first = delivered(1)[1]
    stated = heads(ChainPosition(incarnation=1, seq=1, hash=bytes(32)), **changes)
    report = prover.judge(ProofKind.DELIVERIES, [stated, first])
    assert [found(report, at) for at in range(2)] == [["heads"], ["delivery"]]


# Forks ---------------------------------------------------------------------------------------


def sent(after: ChainPosition = GENESIS, **changes: Any) -> tuple[bytes, ChainPosition]:  # noqa: ANN401
    sealed = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, after=after, **changes))
    place = ChainPosition(incarnation=1, seq=after.seq + 1, hash=envelope_hash(sealed))
    return sealed.SerializeToString(), place


def fork(first: bytes, second: bytes) -> ForkProof:
    return ForkProof(first=first, second=second, refused_at_ms=NOW_MS)


def test_two_envelopes_at_one_place_are_a_fork(prover: Prover) -> None:
    proof = fork(sent()[0], sent()[0])
    assert prover.judge(ProofKind.FORKS, [proof]).verdict is Verdict.VALID


def test_an_envelope_after_another_history_is_a_fork(prover: Prover) -> None:
    first, _ = sent()
    _, other = sent()
    second, _ = sent(other)
    assert prover.judge(ProofKind.FORKS, [fork(first, second)]).verdict is Verdict.VALID


def test_what_can_be_of_one_chain_is_no_fork(prover: Prover) -> None:
    first, place = sent()
    following, _ = sent(place)
    other_lane, _ = sent(lane=envelope_pb2.LANE_URGENT)
    for second in (first, following, other_lane):
        report = prover.judge(ProofKind.FORKS, [fork(first, second)])
        assert found(report) == ["fork"]
        assert report.verdict is Verdict.INVALID


def test_a_hub_cannot_forge_a_members_fork(prover: Prover) -> None:
    other = make_hub()
    forged = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, sender_key=other.signing))
    report = prover.judge(ProofKind.FORKS, [fork(sent()[0], forged.SerializeToString())])
    assert found(report) == ["signature"]
    report = prover.judge(ProofKind.FORKS, [fork(sent()[0], b"\xff")])
    assert found(report) == ["envelope_format"]
    member = prover.judge(ProofKind.FORKS, [fork(sent()[0], sent()[0])], member=PROVINCE)
    assert found(member) == ["fork", "fork"]


# Revocation ----------------------------------------------------------------------------------


def revoked(hub: HubUnderTest, since_ms: int) -> bytes:
    """The hub's list, which names the node's signing certificate."""
    body = identity_pb2.KeyCertificateBody.FromString(NODE_UNDER_TEST.certificates[0].body)
    return sign_revocations(
        hub.signing,
        hub=hub.hub_id,
        version=1,
        at_ms=since_ms,
        next_ms=since_ms + DAY_MS,
        rows=[Revoked(member=NODE, since_ms=since_ms, serial=body.serial)],
    ).SerializeToString()


@pytest.mark.parametrize(("since_ms", "checks"), [(NOW_MS, ["signature"]), (NOW_MS + 1, [])])
def test_what_a_revoked_key_signed_counts_up_to_its_revocation(
    prover: Prover, receipts: list[ReceiptProof], since_ms: int, checks: list[str]
) -> None:
    report = prover.judge(
        ProofKind.RECEIPTS, receipts[:1], revocations=revoked(HUB_UNDER_TEST, since_ms)
    )
    assert found(report) == checks
    assert report.findings.counts["revocation_lists"] == 1


def test_a_fork_by_a_revoked_key_accuses_nobody(prover: Prover) -> None:
    proof = fork(sent()[0], sent()[0])
    report = prover.judge(
        ProofKind.FORKS, [proof], revocations=revoked(HUB_UNDER_TEST, NOW_MS - DAY_MS)
    )
    assert found(report) == ["signature", "signature"]


@pytest.mark.parametrize(
    "shown", [b"\xff", revoked(make_hub(), NOW_MS), revoked(make_hub(PROVINCE), NOW_MS)]
)
def test_a_list_that_the_hub_did_not_sign_is_told(
    prover: Prover, receipts: list[ReceiptProof], shown: bytes
) -> None:
    report = prover.judge(ProofKind.RECEIPTS, receipts[:1], revocations=shown)
    assert [one.check for one in report.findings.failures] == ["revocations"]
    assert report.verdict is Verdict.INVALID
