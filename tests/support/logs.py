"""A hub's log with envelopes, deliveries, receipts and a publication, and its audit bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from protos.yixin.v1 import envelope_pb2, exchange_pb2, statement_pb2, transparency_pb2
from security.audit import BundleParts, Manifest
from security.chain import GENESIS, ChainPosition
from security.envelope import OutgoingEnvelope, envelope_hash, parse_header, seal
from security.group_signature import sign_group
from security.merkle import Frontier, leaf_hash
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.members import NOW_MS, HubUnderTest, MemberUnderTest, outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(kw_only=True)
class LogUnderTest:
    """A hub's log as its intake would write it; every list can be tampered with."""

    hub: HubUnderTest
    leaves: list[bytes] = field(default_factory=list)
    envelopes: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)
    publications: list[tuple[bytes, list[bytes]]] = field(default_factory=list)
    heads: dict[tuple[str, str], ChainPosition] = field(default_factory=dict)

    def next_outgoing(
        self,
        node: MemberUnderTest,
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> OutgoingEnvelope:
        """The node's next statement to the hub."""
        after = self.heads.get((node.member_id, self.hub.hub_id), GENESIS)
        return outgoing(self.hub, node, after=after, **changes)

    def next_delivery(
        self,
        node: MemberUnderTest,
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> OutgoingEnvelope:
        """The hub's next envelope to the node."""
        after = self.heads.get((self.hub.hub_id, node.member_id), GENESIS)
        down = outgoing(self.hub, node, after=after, payload_type="grade_statements")
        parts: dict[str, Any] = {
            "sender": self.hub.hub_id,
            "sender_key": self.hub.signing,
            "recipient": node.member_id,
            "suite": node.encryption.suite.name,
            "recipient_key_id": node.encryption.key_id,
            "recipient_public_key": node.encryption.public_bytes,
        }
        return replace(down, **(parts | changes))

    def accept(
        self,
        *outgoings: OutgoingEnvelope,
        logged_at_ms: int = NOW_MS,
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> None:
        """Log envelopes as one commit group with receipts; ``changes`` falsify the leaves."""
        bodies = []
        for sealed in map(seal, outgoings):
            leaf = self._log(sealed, transparency_pb2.LOG_KIND_ENVELOPE, logged_at_ms, changes)
            bodies.append(self._receipt_body(leaf))
        self.receipts += self.sign_receipts(bodies)

    def deliver(
        self,
        sent: OutgoingEnvelope,
        *,
        logged_at_ms: int = NOW_MS,
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> None:
        """Log an envelope that the hub sealed for a member."""
        self._log(seal(sent), transparency_pb2.LOG_KIND_DELIVERY, logged_at_ms, changes)

    def publish(
        self,
        bodies: Sequence[bytes],
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> None:
        """Log a publication of grade statements; ``changes`` falsify its leaf."""
        root, proofs, signature = sign_group(self.hub.signing, "yixin/publication/v1", bodies)
        leaf: dict[str, Any] = {
            "kind": transparency_pb2.LOG_KIND_PUBLICATION,
            "logged_at_ms": NOW_MS,
            "envelope_hash": root,
            "sender": self.hub.hub_id,
            "payload_type": "publication",
            "period": "2026H1",
        }
        self.append(transparency_pb2.LogLeaf(**(leaf | changes)))
        statements = [
            statement_pb2.SignedGradeStatement(
                body=body,
                key_id=self.hub.signing.key_id,
                leaf_index=proof.leaf_index,
                group_size=proof.group_size,
                path=proof.path,
                signature=signature.classical,
                pq_signature=signature.post_quantum,
            ).SerializeToString()
            for body, proof in zip(bodies, proofs, strict=True)
        ]
        self.publications.append((root, statements))

    def event(
        self,
        kind: transparency_pb2.LogKind.ValueType,
        digest: bytes,
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> None:
        """Log what is no envelope, in the hub's name; ``changes`` falsify its leaf."""
        leaf: dict[str, Any] = {
            "kind": kind,
            "logged_at_ms": NOW_MS,
            "envelope_hash": digest,
            "sender": self.hub.hub_id,
            "payload_type": "event",
        }
        self.append(transparency_pb2.LogLeaf(**(leaf | changes)))

    def append(self, leaf: transparency_pb2.LogLeaf) -> None:
        self.leaves.append(leaf.SerializeToString(deterministic=True))

    def sign_receipts(self, bodies: Sequence[exchange_pb2.ReceiptBody]) -> list[bytes]:
        """Sign receipts as one commit group."""
        serialised = [body.SerializeToString() for body in bodies]
        _, proofs, signature = sign_group(self.hub.signing, "yixin/receipt-group/v1", serialised)
        return [
            exchange_pb2.Receipt(
                body=body,
                key_id=self.hub.signing.key_id,
                leaf_index=proof.leaf_index,
                group_size=proof.group_size,
                path=proof.path,
                signature=signature.classical,
                pq_signature=signature.post_quantum,
            ).SerializeToString()
            for body, proof in zip(serialised, proofs, strict=True)
        ]

    def parts(
        self,
        *,
        from_index: int = 0,
        period: str = "",
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> BundleParts:
        """The bundle of the leaves from an index on; ``changes`` override parts."""
        before, whole = Frontier(), Frontier()
        for index, leaf in enumerate(self.leaves):
            whole.append(leaf_hash(leaf))
            if index < from_index:
                before.append(leaf_hash(leaf))
        checkpoint = Checkpoint(
            origin=self.hub.anchor.log_origin, size=whole.size, root=whole.root()
        )
        parts = BundleParts(
            manifest=Manifest(
                hub=self.hub.hub_id,
                from_index=from_index,
                to_index=len(self.leaves),
                period=period,
                created="2026-11-01T04:00:00Z",
            ),
            frontier=before.to_bytes(),
            checkpoint=sign_checkpoint(checkpoint, self.hub.signing),
            certificates=[found.SerializeToString() for found in self.hub.certificates],
            leaves=self.leaves[from_index:],
            envelopes=self.envelopes,
            receipts=self.receipts,
            publications=self.publications,
        )
        return replace(parts, **changes)

    def _log(
        self,
        sealed: envelope_pb2.SealedEnvelope,
        kind: transparency_pb2.LogKind.ValueType,
        logged_at_ms: int,
        changes: dict[str, Any],
    ) -> transparency_pb2.LogLeaf:
        header, found = parse_header(sealed), envelope_hash(sealed)
        leaf: dict[str, Any] = {
            "kind": kind,
            "logged_at_ms": logged_at_ms,
            "envelope_hash": found,
            "ciphertext_hash": hashlib.sha256(sealed.ciphertext).digest(),
        } | {
            name: getattr(header, name)
            for name in (
                "sender",
                "recipient",
                "lane",
                "incarnation",
                "seq",
                "payload_type",
                "purpose",
                "period",
                "agreement",
            )
        }
        logged = transparency_pb2.LogLeaf(**(leaf | changes))
        self.append(logged)
        self.envelopes.append(sealed.SerializeToString())
        self.heads[header.sender, header.recipient] = ChainPosition(
            incarnation=header.incarnation, seq=header.seq, hash=found
        )
        return logged

    def _receipt_body(self, leaf: transparency_pb2.LogLeaf) -> exchange_pb2.ReceiptBody:
        return exchange_pb2.ReceiptBody(
            format=1,
            hub=self.hub.hub_id,
            sender=leaf.sender,
            lane=leaf.lane,
            incarnation=leaf.incarnation,
            seq=leaf.seq,
            envelope_hash=leaf.envelope_hash,
            log_index=len(self.leaves) - 1,
            logged_at_ms=leaf.logged_at_ms,
            status=exchange_pb2.RECEIPT_STATUS_STORED,
        )


def sample_log(hub: HubUnderTest, node: MemberUnderTest) -> LogUnderTest:
    """Leaves 0 to 2 statements, 3 a delivery, 4 a statement, 5 a publication of three grades."""
    log = LogUnderTest(hub=hub)
    for _ in range(3):
        log.accept(log.next_outgoing(node))
    log.deliver(log.next_delivery(node))
    log.accept(log.next_outgoing(node))
    log.publish([b"grade 0", b"grade 1", b"grade 2"])
    return log
