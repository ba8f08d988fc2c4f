"""Downlink: what the hub holds for a member, sealed when the member collects it.

Numbered as applied on every call:

1. The member's signed heads acknowledge what it holds. A new incarnation of the lane starts when
   they are not in the hub's history (the member was restored from an old copy), and when what
   waits can no longer be taken: it was sealed to a key that the member gave up, under a key of the
   hub that has ended, without the SM2 signature of suite GM, or too long ago. It is then sealed
   anew. An earlier epoch of a member's key still opens what was sealed to it.
2. Envelopes sealed before and not acknowledged are given again, byte for byte.
3. Then queued payloads are sealed under the member's current key; every sealed envelope is a
   DELIVERY leaf of the log, in the transaction that seals it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine

from hub.store import envelopes, log, members
from hub.store.engine import writing
from hub.store.identity import HubIdentity
from hub.store.policies import policy_of
from protos.yixin.v1 import envelope_pb2, transparency_pb2
from security.certificates import ENCRYPTION, SIGNING, Keyring
from security.chain import GENESIS, LANES, ChainPosition
from security.countersigning import is_countersigning
from security.errors import UntrustedCertificateError
from security.exchange import archive
from security.exchange.outbox import Outbox
from security.exchange.sealing import SealedRow, SealingContext
from security.headers import parse_header
from security.policy import check_suite

MAX_ENVELOPES: Final = 1_000
ROUND_ENVELOPES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Downlink:
    """Serves collections of members."""

    engine: Engine = field(repr=False)
    """The hub's database."""
    identity: HubIdentity
    """The hub; it signs what it seals."""
    outbox: Outbox = field(repr=False)
    """Payloads for members."""
    keyring: Keyring = field(repr=False)
    """Certified keys of members."""

    def acknowledge(self, member: str, heads: Mapping[int, ChainPosition], now_ms: int) -> int:
        """Take the member's heads (step 1).

        Args:
            member: Who stated them.
            heads: Verified heads by lane.
            now_ms: Present moment, milliseconds since the epoch, UTC.

        Returns:
            How many envelopes are delivered now that were not before.

        Raises:
            UntrustedCertificateError: The member has no valid encryption key.
            HubStoreError: The database failed.
        """
        self.keyring.current(member, ENCRYPTION, now_ms)
        with writing(self.engine) as connection:
            delivered = 0
            own = self.outbox.heads(connection, member)
            for lane in LANES:
                stated = heads.get(lane, GENESIS)
                known = archive.is_known(connection, member, lane, stated)
                if known:
                    delivered += archive.mark_collected(connection, member, lane, stated)
                if lane in own and not (
                    known and self._can_be_taken(connection, member, lane, now_ms)
                ):
                    incarnation = max(own[lane].incarnation, stated.incarnation) + 1
                    self.outbox.start_incarnation(connection, member, lane, incarnation, stated)
            return delivered

    def _can_be_taken(self, connection: Connection, member: str, lane: int, now_ms: int) -> bool:
        """Whether the member still opens and believes what waits on a lane.

        The envelopes of a lane were sealed in its order: when the first one holds, all do.
        """
        first = archive.find_unreceipted(connection, member, lane)
        if first is None:
            return True
        before = ChainPosition(incarnation=first.incarnation, seq=first.seq - 1, hash=GENESIS.hash)
        for row in archive.after(connection, member, lane, before, limit=1):
            header = parse_header(row.message())
            try:
                self.keyring.find(member, header.recipient_key_id, ENCRYPTION, now_ms)
            except UntrustedCertificateError:
                return False
            # Without SM2 it was sealed by an older program: a member of GM takes it no more.
            second = [header.sm2_key_id] if is_countersigning(header.suite) else []
            return now_ms <= header.expires_at_ms and all(
                self._is_own(connection, key_id, now_ms)
                for key_id in (header.sender_key_id, *second)
            )
        return True

    def _is_own(self, connection: Connection, key_id: str, now_ms: int) -> bool:
        """Whether a signing key of the hub is valid now; the identity key does not end."""
        return key_id == self.identity.root.key_id or any(
            row.key_id == key_id
            and row.use == SIGNING
            and row.not_before_ms <= now_ms <= row.not_after_ms
            and row.revoked_at_ms is None
            for row in members.certificates(connection, member_id=self.identity.hub)
        )

    def next_round(
        self, member: str, cursors: dict[int, ChainPosition], limit: int, now_ms: int
    ) -> list[envelope_pb2.SealedEnvelope]:
        """The next envelopes for a member (steps 2 and 3).

        Args:
            member: Who collects.
            cursors: Position per lane behind which the archive is read; moved forward, and
                removed when the archive of a lane is exhausted.
            limit: Most envelopes.
            now_ms: Present moment, milliseconds since the epoch, UTC.

        Returns:
            Envelopes in lane and chain order, durable and logged; empty when there is no more.

        Raises:
            UntrustedCertificateError: The member has no valid encryption key.
            SuitePolicyError: Its encryption key is of a suite outside its policy.
            HubStoreError: The database failed.
        """
        with writing(self.engine) as connection:
            for lane in tuple(cursors):
                rows = archive.after(connection, member, lane, cursors[lane], limit=limit)
                if rows:
                    cursors[lane] = rows[-1].position
                    return [row.message() for row in rows]
                del cursors[lane]
            if log.read_only_reason(connection):
                # What is sealed must be logged; what was sealed before was given above.
                return []
            recipient_key = self.keyring.current(member, ENCRYPTION, now_ms)
            check_suite(policy_of(connection, self.identity.hub, member), recipient_key.suite)
            context = SealingContext(
                sender=self.identity.hub,
                signing_key=self.identity.signing,
                recipient_key=recipient_key,
                sm2_key=self.identity.countersigning(recipient_key.suite, now_ms),
                now_ms=now_ms,
            )
            rows = self.outbox.seal_ahead(connection, member, context, limit=limit)
            if not rows:
                return []
            return self._log(connection, member, rows, now_ms)

    def _log(
        self, connection: Connection, member: str, rows: list[SealedRow], now_ms: int
    ) -> list[envelope_pb2.SealedEnvelope]:
        messages = [row.message() for row in rows]
        leaves = []
        for row, message in zip(rows, messages, strict=True):
            header = parse_header(message)
            leaf = log.envelope_leaf(
                header,
                row.position.hash,
                hashlib.sha256(message.ciphertext).digest(),
                kind=transparency_pb2.LOG_KIND_DELIVERY,
                logged_at_ms=now_ms,
            )
            leaves.append(
                log.NewLeaf(
                    kind=transparency_pb2.LOG_KIND_DELIVERY, leaf=leaf, period=header.period
                )
            )
        first = log.append_leaves(connection, leaves)
        envelopes.add_deliveries(
            connection,
            member,
            [(index, row.envelope) for index, row in enumerate(rows, start=first)],
        )
        return messages


def limits(wanted: int) -> Iterator[int]:
    """Sizes of rounds until the wanted number, or the hub's own bound, is reached.

    >>> list(limits(70))
    [64, 6]
    """
    left = min(wanted or MAX_ENVELOPES, MAX_ENVELOPES)
    while left > 0:
        yield min(left, ROUND_ENVELOPES)
        left -= ROUND_ENVELOPES
