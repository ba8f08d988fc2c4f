"""P13: a bundle of 10,000 exchanges verified offline.

Ours: everything ``yixin audit verify`` does with a zip file, in one process. Reference: the bare
verification of the very signatures that are in it, envelope by envelope and once per commit
group, with keys and messages at hand. One in twenty exchanges is a delivery of the hub, with its
post-quantum half. Cost grows in proportion to the number of exchanges, memory by about a kilobyte
each: envelopes are read one at a time.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.benchmarks.measuring import Bound, Row, alternate
from deploy.errors import BenchmarkError
from protos.yixin.v1 import envelope_pb2, exchange_pb2, transparency_pb2
from security.audit import BundleParts, Manifest, Trust, Verdict, verify_bundle, write_bundle
from security.certificates import SIGNING, issue_key_certificate, make_anchor
from security.chain import GENESIS, ZERO_HASH, ChainPosition
from security.envelope import PAYLOAD_TYPE, OutgoingEnvelope, envelope_hash, parse_header, seal
from security.exchange.receipts import PAYLOAD_TYPE as RECEIPT_TYPE
from security.group_signature import sign_group
from security.keys import EncryptionKey, Signature, SigningKey, VerifyingKey
from security.merkle import Frontier, leaf_hash
from security.transparency import Checkpoint, sign_checkpoint

GROWTH: Final = "linear in the exchanges"
HUB: Final = "yixin://330300/hub/benchmark"
_AT_MS: Final = 1_793_505_600_000
_DAY_MS: Final = 86_400_000
_GROUP: Final = 100
_DELIVERIES: Final = 5
_SENDERS: Final = 4
_PAYLOAD: Final = bytes(range(256)) * 8

_Signed = tuple[VerifyingKey, Signature, str, tuple[bytes, ...]]


@dataclass(slots=True, kw_only=True)
class _World:
    """A hub's log in the making, and every signature in it."""

    hub: SigningKey
    hub_encryption: EncryptionKey
    senders: dict[str, SigningKey]
    recipient: EncryptionKey
    certificates: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    envelopes: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)
    heads: dict[tuple[str, str], ChainPosition] = field(default_factory=dict)
    signed: list[_Signed] = field(default_factory=list)

    def log_group(self) -> None:
        """Log one commit group, and a few deliveries after it."""
        names = list(self.senders)
        bodies = [
            self._receipt(self._log(names[number % _SENDERS], HUB)).SerializeToString()
            for number in range(_GROUP - _DELIVERIES)
        ]
        root, proofs, signature = sign_group(self.hub, RECEIPT_TYPE, bodies)
        size = len(bodies).to_bytes(8)
        self.signed.append((self.hub.verifying, signature, RECEIPT_TYPE, (root, size)))
        for body, proof in zip(bodies, proofs, strict=True):
            receipt = exchange_pb2.Receipt(
                body=body,
                key_id=self.hub.key_id,
                leaf_index=proof.leaf_index,
                group_size=proof.group_size,
                path=proof.path,
                signature=signature.classical,
                pq_signature=signature.post_quantum,
            )
            self.receipts.append(receipt.SerializeToString())
        for number in range(_DELIVERIES):
            self._log(HUB, names[number % _SENDERS])

    def _log(self, sender: str, recipient: str) -> transparency_pb2.LogLeaf:
        is_delivery = sender == HUB
        after = self.heads.get((sender, recipient), GENESIS)
        key = self.hub if is_delivery else self.senders[sender]
        to = self.recipient if is_delivery else self.hub_encryption
        sealed = seal(
            OutgoingEnvelope(
                suite=to.suite.name,
                sender=sender,
                sender_key=key,
                recipient=recipient,
                recipient_key_id=to.key_id,
                recipient_public_key=to.public_bytes,
                purpose="credit_rating" if is_delivery else "supervision",
                data_class="grade" if is_delivery else "aggregate",
                payload_type="grade_statements" if is_delivery else "statements",
                schema_version=1,
                period="2026H1",
                lane=envelope_pb2.LANE_BULK,
                incarnation=1,
                seq=after.seq + 1,
                previous_hash=after.hash,
                created_at_ms=_AT_MS,
                expires_at_ms=_AT_MS + _DAY_MS,
                pack_digest=ZERO_HASH,
                payload=_PAYLOAD,
            )
        )
        header, found = parse_header(sealed), envelope_hash(sealed)
        leaf = transparency_pb2.LogLeaf(
            kind=transparency_pb2.LOG_KIND_DELIVERY
            if is_delivery
            else transparency_pb2.LOG_KIND_ENVELOPE,
            logged_at_ms=_AT_MS,
            envelope_hash=found,
            sender=sender,
            recipient=recipient,
            lane=header.lane,
            incarnation=1,
            seq=header.seq,
            payload_type=header.payload_type,
            purpose=header.purpose,
            period=header.period,
            ciphertext_hash=hashlib.sha256(sealed.ciphertext).digest(),
        )
        self.heads[sender, recipient] = ChainPosition(incarnation=1, seq=header.seq, hash=found)
        self.leaves.append(leaf.SerializeToString(deterministic=True))
        self.envelopes.append(sealed.SerializeToString())
        signature = Signature(classical=sealed.signature, post_quantum=sealed.pq_signature)
        parts = (sealed.header, sealed.ciphertext)
        self.signed.append((key.verifying, signature, PAYLOAD_TYPE, parts))
        return leaf

    def _receipt(self, leaf: transparency_pb2.LogLeaf) -> exchange_pb2.ReceiptBody:
        return exchange_pb2.ReceiptBody(
            format=1,
            hub=HUB,
            sender=leaf.sender,
            lane=leaf.lane,
            incarnation=1,
            seq=leaf.seq,
            envelope_hash=leaf.envelope_hash,
            log_index=len(self.leaves) - 1,
            logged_at_ms=_AT_MS,
            status=exchange_pb2.RECEIPT_STATUS_STORED,
        )


def measure_audit(work: Path, *, exchanges: int, repeats: int) -> tuple[Row, ...]:
    """Measure the audit of a bundle against its bare signature verifications.

    Args:
        work: Empty directory for the bundle.
        exchanges: Exchanges of the bundle; rounded up to whole commit groups.
        repeats: Runs of each side.

    Returns:
        One row, seconds.

    Raises:
        BenchmarkError: The bundle did not verify.
    """
    world = _found_world()
    for _ in range(-(-exchanges // _GROUP)):
        world.log_group()
    bundle = work / "bundle.zip"
    trust = _write(bundle, world)

    def audit(_run: int) -> float:
        begun = time.process_time()
        report = verify_bundle(bundle, trust)
        spent = time.process_time() - begun
        if report.verdict is not Verdict.VALID:
            raise BenchmarkError(f"the bundle is {report.verdict}: {report.failures[:1]}")
        return spent

    def bare(_run: int) -> float:
        begun = time.process_time()
        for key, signature, payload_type, parts in world.signed:
            key.verify(signature, payload_type, *parts)
        return time.process_time() - begun

    ours, reference = alternate(audit, bare, repeats=repeats)
    return (
        Row(
            name=f"P13 audit of {len(world.leaves):,} exchanges vs bare signatures",
            unit="s",
            ours=ours,
            reference=reference,
            ratio=ours / reference,
            bound=Bound.AT_MOST,
            target=2.0,
            growth=GROWTH,
        ),
    )


def _found_world() -> _World:
    world = _World(
        hub=SigningKey.generate(post_quantum=True),
        hub_encryption=EncryptionKey.generate("INTL-PQ"),
        senders={
            f"yixin://330302/node/H3303020{number:04d}": SigningKey.generate(post_quantum=False)
            for number in range(1, _SENDERS + 1)
        },
        recipient=EncryptionKey.generate("INTL-PQ"),
    )
    for serial, (member, key) in enumerate(world.senders.items(), start=1):
        certificate = issue_key_certificate(
            world.hub,
            issuer=HUB,
            member=member,
            kind="node",
            use=SIGNING,
            suite="INTL-PQ",
            public_key=key.verifying.public_key,
            pq_public_key=b"",
            not_before_ms=_AT_MS - _DAY_MS,
            not_after_ms=_AT_MS + _DAY_MS,
            serial=serial,
        )
        world.certificates.append(certificate.SerializeToString())
    return world


def _write(bundle: Path, world: _World) -> Trust:
    """Write the bundle; the trust that judges it."""
    anchor = make_anchor(HUB, world.hub, b"no TLS is spoken here", f"{HUB[8:]}/log1")
    whole = Frontier()
    for leaf in _hashes(world.leaves):
        whole.append(leaf)
    checkpoint = Checkpoint(origin=anchor.log_origin, size=whole.size, root=whole.root())
    write_bundle(
        bundle,
        BundleParts(
            manifest=Manifest(
                hub=HUB, from_index=0, to_index=whole.size, created="2026-11-01T04:00:00+00:00"
            ),
            frontier=Frontier().to_bytes(),
            checkpoint=sign_checkpoint(checkpoint, world.hub),
            certificates=world.certificates,
            leaves=world.leaves,
            envelopes=world.envelopes,
            receipts=world.receipts,
        ),
    )
    return Trust.of(anchor)


def _hashes(leaves: Sequence[bytes]) -> Iterator[bytes]:
    return (leaf_hash(leaf) for leaf in leaves)
