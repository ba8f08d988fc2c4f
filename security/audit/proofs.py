"""Proof files judged offline: receipts, deliveries and forks, as one party hands them over.

Rules: everything starts at the anchor of the file's hub, which the auditor holds; certificates
count when that anchor signed them. Where a file holds the hub's revocation list, a key counts for
what stands before its certificate was revoked: receipts stand at the moment that the hub logged,
other envelopes at the one that their sender states. Who has a newer list has a bundle of the log,
which shows it. What each kind must show is said in
``deploy/docs/exchange-proofs.md``; steps below carry its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from protos.yixin.v1 import envelope_pb2, exchange_pb2, identity_pb2
from security.audit.exchange import unchecked
from security.audit.report import SM2_UNCHECKED, Failure, Findings, Verdict
from security.certificates import SIGNING, Keyring
from security.certificates.revocations import read_revocations
from security.chain import ChainPosition
from security.countersigning import UNCHECKED, can_check
from security.encoding import parse_exactly
from security.envelope import envelope_hash, parse_envelope, parse_header, verify_envelope
from security.errors import AuditInputError, SecurityError, UnknownSuiteError, cause_of
from security.exchange.heads import open_heads
from security.exchange.receipts import verify_receipt
from security.proof_files import (
    DeliveredProof,
    ForkProof,
    HeadsProof,
    ProofHead,
    ProofKind,
    ReceiptProof,
    read_proofs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from security.audit.trust import Trust

MAX_CERTIFICATE_BYTES: Final = 16 * 1024
MAX_RECEIPT_BYTES: Final = 16 * 1024
MAX_HEADS_BYTES: Final = 64 * 1024
PROOF: Final = "proof"
"""Name of a proof among the kinds of exchanges in reports."""
Faults: TypeAlias = list[Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofReport:
    """What a proof file proves."""

    head: ProofHead
    """What the file says of itself."""
    findings: Findings
    """A verdict per proof, numbered from 0 in the order of the file."""

    @property
    def verdict(self) -> Verdict:
        """The worst of everything found."""
        return self.findings.verdict


def verify_proofs(path: Path, trust: Trust, kinds: frozenset[ProofKind]) -> ProofReport:
    """Judge a proof file.

    Args:
        path: The file.
        trust: Anchors of the auditor's own.
        kinds: Kinds that are expected.

    Returns:
        A verdict for every proof, with every failure.

    Raises:
        AuditInputError: No proof file, of another kind, damaged or cut off.
    """
    head, proofs = read_proofs(path)
    if head.kind not in kinds:
        expected = " or ".join(sorted(kinds))
        raise AuditInputError(f"{path} proves {head.kind}; a file of {expected} is expected")
    findings = Findings()
    keyring = _keyring(head, trust, findings)
    _revoke(head, trust, keyring, findings)
    judge = _Judge(head, keyring)
    for number, proof in enumerate(proofs):
        findings.judge(number, PROOF, judge.judge(proof))
    if judge.is_sm2_unchecked:
        findings.fail(SM2_UNCHECKED, UNCHECKED, Verdict.VALID)
    if not findings.exchanges:
        findings.fail("empty", "the file holds no proof", Verdict.INDETERMINATE)
    return ProofReport(head=head, findings=findings)


def _keyring(head: ProofHead, trust: Trust, findings: Findings) -> Keyring:
    keyring = Keyring(trust.anchors.values())
    if head.hub not in trust.anchors:
        held = ", ".join(trust.anchors)
        findings.fail(
            "hub",
            f"the file is of {head.hub}, the trust file holds anchors of: {held}; give the trust "
            "file of that hub, from its officer",
        )
    for number, data in enumerate(head.certificates):
        try:
            keyring.add(parse_exactly(identity_pb2.KeyCertificate, data, MAX_CERTIFICATE_BYTES))
        except (ValueError, SecurityError) as error:
            findings.fail("certificate", f"certificate {number}: {cause_of(error)}")
    return keyring


def _revoke(head: ProofHead, trust: Trust, keyring: Keyring, findings: Findings) -> None:
    """Stop trusting what the hub revoked, as far as the file shows."""
    if not head.revocations:
        return
    findings.counts["revocation_lists"] += 1
    try:
        found = read_revocations(head.revocations, trust.anchors)
        if found.hub != head.hub:
            raise AuditInputError(f"of {found.hub}, the file is of {head.hub}")
    except SecurityError as error:
        findings.fail("revocations", f"the list in the head: {cause_of(error)}")
        return
    found.apply(keyring)


class _Judge:
    """Judges the proofs of one file, in order."""

    def __init__(self, head: ProofHead, keyring: Keyring) -> None:
        self._head = head
        self._keyring = keyring
        self._next: ChainPosition | None = None
        self._lane = 0
        self._can_check_sm2 = can_check()
        self.is_sm2_unchecked = False
        """Whether a hub signed with SM2 too, which does not work here."""

    def judge(self, proof: ReceiptProof | HeadsProof | DeliveredProof | ForkProof) -> Faults:
        """Judge the next proof of the file."""
        if isinstance(proof, ReceiptProof):
            return self._judge_receipt(proof)
        if isinstance(proof, HeadsProof):
            return self._judge_heads(proof)
        if isinstance(proof, DeliveredProof):
            return self._judge_delivered(proof)
        return self._judge_fork(proof)

    # Receipts -----------------------------------------------------------------------------------

    def _judge_receipt(self, proof: ReceiptProof) -> Faults:
        head = self._head
        # 1 and 2. The hub's promise, to this member.
        try:
            receipt = parse_exactly(exchange_pb2.Receipt, proof.receipt, MAX_RECEIPT_BYTES)
            found = verify_receipt(receipt, self._keyring, hub=head.hub, sender=head.member)
            self._note_sm2(receipt)
        except (ValueError, SecurityError) as error:
            return [Failure(check="receipt", detail=cause_of(error))]
        if proof.envelope is None:
            return []
        # 3. The envelope it is about.
        try:
            envelope = parse_envelope(proof.envelope)
            header = parse_header(envelope)
        except SecurityError as error:
            return [Failure(check="envelope_format", detail=cause_of(error))]
        position = ChainPosition(
            incarnation=header.incarnation, seq=header.seq, hash=envelope_hash(envelope)
        )
        differences = {
            "sender": header.sender != head.member,
            "recipient": header.recipient != head.hub,
            "lane": header.lane != found.lane,
            "place in the chain or hash": position != found.position,
        }
        faults = [
            Failure(check="receipt_differs", detail=f"{name} of receipt and envelope differ")
            for name, differs in differences.items()
            if differs
        ]
        return faults + self._signature_faults(envelope, header, found.logged_at_ms)

    # Deliveries ---------------------------------------------------------------------------------

    def _judge_heads(self, proof: HeadsProof) -> Faults:
        """Step 1: the member stated where it stands; the next envelope must stand there."""
        self._next = None
        try:
            signed = parse_exactly(exchange_pb2.SignedHeads, proof.heads, MAX_HEADS_BYTES)
            body = parse_exactly(exchange_pb2.HeadsBody, signed.body, MAX_HEADS_BYTES)
            heads = open_heads(
                signed,
                self._keyring,
                signer=self._head.member,
                peer=self._head.hub,
                downlink=True,
                now_ms=body.at_ms,
            )
        except UnknownSuiteError as error:
            return [unchecked(error)]
        except (ValueError, SecurityError) as error:
            return [Failure(check="heads", detail=cause_of(error))]
        stated = heads.get(proof.lane)
        if stated is None:
            return [Failure(check="heads", detail=f"nothing is stated of lane {proof.lane}")]
        self._next, self._lane = stated, proof.lane
        return []

    def _judge_delivered(self, proof: DeliveredProof) -> Faults:
        """Steps 2 to 4: the envelope stands where the head, or the one after it, says."""
        expected, self._next = self._next, None
        if expected is None:
            detail = "no proved head or envelope leads to it"
            return [_open("delivery", detail)]
        if proof.hash != expected.hash:
            return [Failure(check="delivery", detail="its hash is not the one that was stated")]
        if proof.envelope is None:
            detail = "the member holds an envelope of this hash; it is not shown any more"
            return [_open("envelope_missing", detail)]
        try:
            envelope = parse_envelope(proof.envelope)
            header = parse_header(envelope)
        except SecurityError as error:
            return [Failure(check="envelope_format", detail=cause_of(error))]
        head = self._head
        differences = {
            "hash": envelope_hash(envelope) != proof.hash,
            "sender": header.sender != head.hub,
            "recipient": header.recipient != head.member,
            "lane": header.lane != self._lane,
            "place in the chain": (header.incarnation, header.seq)
            != (expected.incarnation, expected.seq),
        }
        faults = [
            Failure(check="delivery", detail=f"{name} is not the one that was stated")
            for name, differs in differences.items()
            if differs
        ]
        if not faults:
            self._next = _before(header)
        return faults + self._signature_faults(envelope, header, header.created_at_ms)

    # Forks --------------------------------------------------------------------------------------

    def _judge_fork(self, proof: ForkProof) -> Faults:
        faults: Faults = []
        headers: list[envelope_pb2.EnvelopeHeader] = []
        hashes: list[bytes] = []
        for name, data in (("first", proof.first), ("second", proof.second)):
            try:
                envelope = parse_envelope(data)
                header = parse_header(envelope)
            except SecurityError as error:
                faults.append(Failure(check="envelope_format", detail=f"{name}: {cause_of(error)}"))
                continue
            if header.sender != self._head.member:
                detail = f"{name} is by {header.sender}, expected {self._head.member}"
                faults.append(Failure(check="fork", detail=detail))
            faults += self._signature_faults(envelope, header, header.created_at_ms)
            headers.append(header)
            hashes.append(envelope_hash(envelope))
        if len(headers) == 2 and not _contradict(headers, hashes):
            detail = "both envelopes can be of one chain: they prove no fork"
            faults.append(Failure(check="fork", detail=detail))
        return faults

    def _signature_faults(
        self,
        envelope: envelope_pb2.SealedEnvelope,
        header: envelope_pb2.EnvelopeHeader,
        at_ms: int,
    ) -> Faults:
        try:
            key = self._keyring.find(header.sender, header.sender_key_id, SIGNING, at_ms)
            verify_envelope(envelope, header, key, keyring=self._keyring, at_ms=at_ms)
            self._note_sm2(envelope)
        except UnknownSuiteError as error:
            return [unchecked(error)]
        except SecurityError as error:
            return [Failure(check="signature", detail=cause_of(error))]
        return []

    def _note_sm2(self, signed: envelope_pb2.SealedEnvelope | exchange_pb2.Receipt) -> None:
        if signed.sm2_signature and not self._can_check_sm2:
            self.is_sm2_unchecked = True


def _before(header: envelope_pb2.EnvelopeHeader) -> ChainPosition | None:
    """Where the envelope before one stands; None at the beginning of the chain."""
    if header.seq > 1:
        place = (header.incarnation, header.seq - 1)
    elif header.cited_incarnation:
        place = (header.cited_incarnation, header.cited_seq)
    else:
        return None
    return ChainPosition(incarnation=place[0], seq=place[1], hash=header.previous_hash)


def _contradict(headers: list[envelope_pb2.EnvelopeHeader], hashes: list[bytes]) -> bool:
    """Whether two envelopes cannot both be of one chain."""
    first, second = headers
    if (first.recipient, first.lane) != (second.recipient, second.lane):
        return False
    here, there = (first.incarnation, first.seq), (second.incarnation, second.seq)
    if here == there:
        return hashes[0] != hashes[1]
    before = _before(second)
    follows = before is not None and (before.incarnation, before.seq) == here
    return follows and second.previous_hash != hashes[0]


def _open(check: str, detail: str) -> Failure:
    return Failure(check=check, detail=detail, verdict=Verdict.INDETERMINATE)
