"""Forwarding (转发): products for a department of the parent hub, which the parent cannot read.

Numbered as applied inside one transaction:

1. The department's key comes from the parent's directory and is certified by the parent's anchor.
2. The product's envelopes are sealed to that key and signed with the key that the parent
   certified for this hub; each is a DELIVERY leaf of this hub's log: this hub is the first hub.
3. Each sealed envelope, byte for byte, becomes the payload of an envelope for the parent, with
   leaf, inclusion path and checkpoint beside it, so that the department judges all times at the
   moment of this log.
4. The inner envelopes count as delivered here: from now on the parent's receipts answer for them.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from hub.errors import AgreementRefusedError
from hub.store import deliveries, envelopes, log
from hub.store.engine import writing
from hub.store.identity import HubIdentity
from protos.yixin.v1 import envelope_pb2, identity_pb2, sharing_pb2, transparency_pb2
from security.at_rest import Vault
from security.certificates import ENCRYPTION, CertifiedKey, Keyring
from security.errors import UntrustedCertificateError
from security.exchange import archive
from security.exchange.downlink import collect
from security.exchange.inbox import Inbox
from security.exchange.membership import Membership
from security.exchange.outbox import Outbox
from security.exchange.sealing import SealedRow, SealingContext
from security.exchange.uplink import sync_up
from security.headers import parse_header
from security.merkle import Frontier, inclusion_path_over
from security.moments import to_ms
from security.progress import ProgressReporter
from security.sharing.coverage import FORWARD
from security.transparency import Checkpoint, numbered_origin, sign_checkpoint

Take = Callable[[Connection, bytes, str], object]
"""Takes one payload of the parent hub: its directory, or what it says of a routed product."""
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarder:
    """Seals past the parent hub."""

    engine: Engine = field(repr=False)
    """The hub's database."""
    identity: HubIdentity = field(repr=False)
    """The hub."""
    outbox: Outbox = field(repr=False)
    """Payloads for the department and for the parent."""
    membership: Membership = field(repr=False)
    """This hub as a member of its parent."""
    vault: Vault = field(repr=False)
    """Encrypts the inbox."""
    now: Callable[[], datetime] = field(repr=False)
    """Tells the present moment, UTC-aware."""

    async def exchange(self, takes: Mapping[str, Take], progress: ProgressReporter) -> int:
        """Send what waits for the parent, collect what it holds, and take it.

        Args:
            takes: Who takes a payload, by payload type; other types wait.
            progress: Takes what was exchanged.

        Returns:
            How many envelopes were sent and collected.

        Raises:
            HubUnreachableError: The line broke; what was stored stays.
            HubRefusedError: The parent refused.
        """
        sent = await sync_up(
            self.membership, self.engine, self.outbox, now=self.now, progress=progress
        )
        inbox = Inbox(self.vault)
        collected = await collect(
            self.membership, self.engine, inbox, now=self.now, progress=progress
        )
        with writing(self.engine) as connection:
            for payload_type, take in takes.items():
                received = inbox.payloads(connection, payload_type)
                for one in received:
                    take(connection, one.payload, one.sender)
                inbox.mark_processed(connection, [one.inbox_id for one in received])
        return sent.sent + sent.resent + collected

    def wrap(self, recipient: str) -> int:
        """Seal what is queued for a department of the parent, and queue it for the parent.

        Args:
            recipient: Member id of the department.

        Returns:
            How many envelopes were wrapped.

        Raises:
            AgreementRefusedError: The parent's directory has no valid key of the department.
            HubStoreError: The database failed; nothing was sealed.
        """
        now_ms = to_ms(self.now())
        wrapped = 0
        with writing(self.engine) as connection:
            # 1. The department's key.
            context = SealingContext(
                sender=self.identity.hub,
                signing_key=self.membership.signing_key,
                recipient_key=self._key_of(connection, recipient, now_ms),
                now_ms=now_ms,
            )
            certificate = self.membership.joined.signing_certificate
            deliveries.keep_carried_key(connection, self.identity.hub, certificate)
            while rows := self.outbox.seal_ahead(connection, recipient, context):
                self._wrap(connection, recipient, rows, now_ms)
                wrapped += len(rows)
        return wrapped

    def _key_of(self, connection: Connection, recipient: str, now_ms: int) -> CertifiedKey:
        held = deliveries.find_directory(connection, self.membership.hub_id)
        keyring = Keyring([self.membership.anchor])
        try:
            listed = identity_pb2.MemberDirectory.FromString(held[1]).keys if held else ()
            for certificate in listed:
                keyring.add(certificate)
            return keyring.current(recipient, ENCRYPTION, now_ms)
        except UntrustedCertificateError as error:
            raise AgreementRefusedError(
                f"recipient: the directory of {self.membership.hub_id} has no valid key of "
                f"{recipient}; ask its officer whether the department has joined, then run "
                "`yixin hub agreements sync`"
            ) from error

    def _wrap(
        self, connection: Connection, recipient: str, rows: list[SealedRow], now_ms: int
    ) -> None:
        # 2. Leaves of this hub's log.
        messages = [row.message() for row in rows]
        leaves = [
            self._leaf(message, row, now_ms) for message, row in zip(messages, rows, strict=True)
        ]
        first = log.append_leaves(connection, leaves)
        envelopes.add_deliveries(
            connection,
            recipient,
            [(index, row.envelope) for index, row in enumerate(rows, start=first)],
        )
        held = log.state(connection)
        checkpoint = Checkpoint(
            origin=numbered_origin(self.identity.anchor.log_origin, held.number),
            size=held.frontier.size,
            root=held.frontier.root(),
        )
        note = sign_checkpoint(checkpoint, self.membership.signing_key)
        # 3. The very bytes as a payload for the parent.
        for index, (message, leaf) in enumerate(zip(messages, leaves, strict=True), start=first):
            header = parse_header(message)
            forward = sharing_pb2.Forward(
                format=_FORMAT,
                inner=message,
                leaf=leaf.leaf,
                log_index=index,
                path=inclusion_path_over(
                    lambda low, high: _subtree(connection, low, high), index, checkpoint.size
                ),
                checkpoint=note,
            )
            self.outbox.append(
                connection,
                recipient=self.membership.hub_id,
                lane=envelope_pb2.LANE_BULK,
                payload_type=FORWARD,
                schema_version=1,
                purpose=header.purpose,
                data_class=header.data_class,
                period=header.period,
                payload=forward.SerializeToString(deterministic=True),
                pack_digest=header.pack_digest,
                agreement=header.agreement,
            )
        # 4. Delivered, as far as this chain is concerned.
        for row in rows:
            archive.mark_collected(connection, recipient, row.lane, row.position)

    @staticmethod
    def _leaf(message: envelope_pb2.SealedEnvelope, row: SealedRow, now_ms: int) -> log.NewLeaf:
        header = parse_header(message)
        leaf = log.envelope_leaf(
            header,
            row.position.hash,
            hashlib.sha256(message.ciphertext).digest(),
            kind=transparency_pb2.LOG_KIND_DELIVERY,
            logged_at_ms=now_ms,
        )
        return log.NewLeaf(kind=transparency_pb2.LOG_KIND_DELIVERY, leaf=leaf, period=header.period)


def _subtree(connection: Connection, low: int, high: int) -> bytes:
    """RFC 6962 root over the leaves from one index up to another."""
    return log.extend_frontier(connection, Frontier().to_bytes(), low, high).root()
