"""Outbox: payloads to send, the envelopes made of them, and what became of those.

Rules:
    1. Every method works inside the caller's transaction; nothing is sent before it ended.
    2. A payload is kept encrypted by the vault; it is sealed late, under current keys, at most
       ``SEAL_AHEAD_LIMIT`` envelopes ahead of the last receipt of its chain.
    3. A sealed envelope is never sealed again at its place: it is sent again, byte for byte.
    4. Envelopes stay in the archive until the recipient has them in a backup.
    5. What the gate does not let through is withdrawn, never sealed: it is asked for every
       envelope at the moment of sealing.
    6. A payload appended with marks is restatable: its flow can state it anew. When a chain
       starts a new incarnation, unreceipted restatable payloads and their marks go, so that
       the flow states the present state again; all other payloads are sealed anew.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from security.chain import GENESIS, LANES, ZERO_HASH, ChainPosition
from security.envelope import envelope_hash, seal
from security.errors import LocalSyncError
from security.exchange import archive
from security.exchange.chains import ChainState, find_chain, list_chains, new_chain, save_chain
from security.exchange.marks import (
    change_marks,
    drop_marks,
    find_mark,
    find_marks,
    forget_marks,
    save_marks,
)
from security.exchange.sealing import SealedRow, check_sealable, next_envelope
from security.exchange.tables import QUEUED, RECEIPTED, SEALED, outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection, Row

    from security.at_rest import Vault
    from security.exchange.receipts import VerifiedReceipt
    from security.exchange.sealing import SealingContext, SealingGate

SEAL_AHEAD_LIMIT: Final = 1_000
MAX_PAYLOAD_BYTES: Final = 960 * 1024
SEAL_ROUND_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a recipient has not receipted yet."""

    queued: int
    """Payloads not sealed yet."""
    sealed: int
    """Envelopes sealed and not receipted."""
    payload_bytes: int
    """Bytes of these payloads."""

    @property
    def total(self) -> int:
        """Payloads without a receipt."""
        return self.queued + self.sealed


class Outbox:
    """Payloads on their way to other members.

    Args:
        vault: Encrypts payloads at rest.
        gate: Asked before every sealing (rule 5); without one everything may be sealed.
    """

    def __init__(self, vault: Vault, gate: SealingGate | None = None) -> None:
        self._vault = vault
        self._gate = gate

    def append(
        self,
        conn: Connection,
        *,
        recipient: str,
        lane: int,
        payload_type: str,
        schema_version: int,
        purpose: str,
        data_class: str,
        period: str,
        payload: bytes,
        marks: Mapping[str, bytes] | None = None,
        pack_digest: bytes = b"",
        agreement: str = "",
    ) -> int:
        """Queue a payload, and write its marks in the same transaction.

        Args:
            conn: Connection in a transaction.
            recipient: Member id of the recipient.
            lane: Lane; payloads of a lane arrive in the order they were appended.
            payload_type: Type of the payload, for example ``"statements"``.
            schema_version: Version of the payload's schema, from 1.
            purpose: Declared purpose.
            data_class: Data class.
            period: Rating period, or empty.
            payload: Payload, at most ``MAX_PAYLOAD_BYTES`` bytes.
            marks: What was stated, by key; given, the payload is restatable (rule 6).
            pack_digest: SHA-256 of the catalogue the payload was made with, or empty.
            agreement: Sharing agreement ``id@version`` it is made under, or empty.

        Returns:
            Number of the outbox row.

        Raises:
            ValueError: The payload is too large for an envelope, or a field would make a
                header that every receiver refuses.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(
                f"a payload of {len(payload)} bytes ({payload_type}), at most "
                f"{MAX_PAYLOAD_BYTES} fit into an envelope: cut it into parts"
            )
        check_sealable(
            (payload_type, purpose, data_class),
            period,
            schema_version,
            pack_digest,
            lane=lane,
            agreement=agreement,
        )
        token = secrets.token_hex(16)
        result = conn.execute(
            insert(outbox).values(
                token=token,
                recipient=recipient,
                lane=lane,
                state=QUEUED,
                payload_type=payload_type,
                schema_version=schema_version,
                purpose=purpose,
                data_class=data_class,
                period=period,
                pack_digest=pack_digest,
                agreement=agreement,
                restatable=bool(marks),
                payload=self._vault.seal(payload, f"x_outbox/{token}"),
                payload_bytes=len(payload),
            )
        )
        save_marks(conn, recipient, lane, marks or {})
        (row_id,) = result.inserted_primary_key or (0,)
        return int(row_id)

    def get_mark(self, conn: Connection, key: str) -> bytes | None:
        """What was stated last under a key, or None when it must be stated (again)."""
        return find_mark(conn, key)

    def get_marks(self, conn: Connection, prefix: str) -> dict[str, bytes]:
        """All marks whose key starts with a prefix, by key."""
        return find_marks(conn, prefix)

    def restate(self, conn: Connection, prefix: str, value_of: Callable[[bytes], bytes]) -> int:
        """Change marks in place, so that what they stand for is stated again; how many."""
        return change_marks(conn, prefix, value_of)

    def drop_marks(self, conn: Connection, keys: Iterable[str]) -> None:
        """Forget what was stated under some keys: the recipient keeps it no longer."""
        drop_marks(conn, keys)

    def pending(self, conn: Connection, recipient: str) -> Pending:
        """Count what a recipient has not receipted yet."""
        query = (
            select(outbox.c.state, func.count(), func.sum(outbox.c.payload_bytes))
            .where(outbox.c.recipient == recipient, outbox.c.state != RECEIPTED)
            .group_by(outbox.c.state)
        )
        found = {row[0]: (int(row[1]), int(row[2])) for row in conn.execute(query)}
        queued, sealed = found.get(QUEUED, (0, 0)), found.get(SEALED, (0, 0))
        return Pending(queued=queued[0], sealed=sealed[0], payload_bytes=queued[1] + sealed[1])

    def heads(self, conn: Connection, recipient: str) -> dict[int, ChainPosition]:
        """Heads of what was sealed for a recipient, by lane."""
        return {state.lane: state.head for state in list_chains(conn, recipient)}

    def seal_ahead(
        self,
        conn: Connection,
        recipient: str,
        context: SealingContext,
        limit: int = SEAL_AHEAD_LIMIT,
        max_bytes: int = SEAL_ROUND_BYTES,
    ) -> list[SealedRow]:
        """Seal queued payloads, control lane first, each lane in its order.

        The rows may be sent when the transaction has ended, not before.

        Args:
            conn: Connection in a transaction.
            recipient: Member id of the recipient.
            context: Keys and moment; its ``recipient_key`` belongs to the recipient.
            limit: Most envelopes to seal now.
            max_bytes: Payload bytes after which to stop; one payload is always taken.

        Returns:
            What was sealed, in lane order and chain order; empty when nothing is queued or
            every chain is ``SEAL_AHEAD_LIMIT`` ahead.

        Raises:
            ValueError: The context's key belongs to another member.
            VaultError: A payload at rest was damaged.
        """
        if context.recipient_key.member != recipient:
            raise ValueError(
                f"the key of {context.recipient_key.member} cannot seal for {recipient}"
            )
        sealed: list[SealedRow] = []
        for lane in LANES:
            room = min(limit - len(sealed), SEAL_AHEAD_LIMIT - self._ahead(conn, recipient, lane))
            if room <= 0 or max_bytes <= 0:
                continue
            while rows := self._queued(conn, recipient, lane, room, max_bytes):
                made = self._seal(conn, recipient, lane, rows, context)
                sealed += made
                if made:
                    max_bytes -= sum(row.payload_bytes for row in rows)
                    break
        return sealed

    def settle(self, conn: Connection, verified: Iterable[VerifiedReceipt]) -> int:
        """Store verified receipts; see ``archive.settle``."""
        return archive.settle(conn, verified)

    def acknowledge(
        self, conn: Connection, recipient: str, stated: Mapping[int, ChainPosition]
    ) -> tuple[int, ...]:
        """Take a recipient's verified heads as the acknowledgement of its downlink.

        This side issues the incarnations: a recipient that is ahead of the outbox, because the
        outbox was restored from an old copy, gets a new one that cites its head.

        Args:
            conn: Connection in a transaction.
            recipient: Member id of the recipient.
            stated: Heads the recipient holds, by lane; verified (``heads.open_heads``).

        Returns:
            Lanes that started a new incarnation; restatable payloads must be appended again.
        """
        restarted: list[int] = []
        lanes = {state.lane: state for state in list_chains(conn, recipient)}
        for lane in sorted({*lanes, *stated}):
            held = stated.get(lane, GENESIS)
            held = held if held.seq else GENESIS
            if archive.is_known(conn, recipient, lane, held):
                archive.mark_collected(conn, recipient, lane, held)
                continue
            used = lanes[lane].head.incarnation if lane in lanes else 0
            issued = max(used, held.incarnation) + 1
            self.start_incarnation(conn, recipient, lane, issued, held)
            restarted.append(lane)
        return tuple(restarted)

    def start_incarnation(
        self,
        conn: Connection,
        recipient: str,
        lane: int,
        incarnation: int,
        base: ChainPosition,
    ) -> None:
        """Leave the present incarnation of a chain and start an issued one (rule 6).

        Args:
            conn: Connection in a transaction.
            recipient: Member id of the recipient.
            lane: Lane of the chain.
            incarnation: Incarnation that the hub issued.
            base: Position that the first envelope cites: the head the recipient holds.

        Raises:
            LocalSyncError: Receipted envelopes already stand in that incarnation.
        """
        of_chain = (outbox.c.recipient == recipient) & (outbox.c.lane == lane)
        taken = select(func.count()).where(
            of_chain, outbox.c.incarnation >= incarnation, outbox.c.state == RECEIPTED
        )
        if conn.execute(taken).scalar_one():
            raise LocalSyncError(
                f"incarnation {incarnation} of lane {lane} to {recipient} already carries "
                "receipted envelopes; a new incarnation must be higher than every used one"
            )
        conn.execute(
            delete(outbox).where(of_chain, outbox.c.state != RECEIPTED, outbox.c.restatable)
        )
        forget_marks(conn, recipient, lane)
        conn.execute(
            update(outbox)
            .where(of_chain, outbox.c.state == SEALED)
            .values(
                state=QUEUED,
                incarnation=None,
                seq=None,
                hash=None,
                envelope=None,
                envelope_bytes=None,
                expires_at_ms=None,
            )
        )
        head = ChainPosition(incarnation=incarnation, seq=0, hash=ZERO_HASH)
        save_chain(conn, ChainState(recipient=recipient, lane=lane, head=head, base=base))

    def _ahead(self, conn: Connection, recipient: str, lane: int) -> int:
        query = select(func.count()).where(
            outbox.c.recipient == recipient, outbox.c.lane == lane, outbox.c.state == SEALED
        )
        return int(conn.execute(query).scalar_one())

    def _queued(
        self, conn: Connection, recipient: str, lane: int, room: int, max_bytes: int
    ) -> list[Row[tuple[object, ...]]]:
        """Next payloads of a lane: at most ``room``, and one or ``max_bytes`` bytes."""
        query = (
            select(outbox)
            .where(outbox.c.recipient == recipient, outbox.c.lane == lane, outbox.c.state == QUEUED)
            .order_by(outbox.c.id)
            .limit(room)
        )
        rows: list[Row[tuple[object, ...]]] = []
        size = 0
        with conn.execute(query.execution_options(yield_per=32)) as result:
            for row in result:
                size += row.payload_bytes
                if rows and size > max_bytes:
                    break
                rows.append(row)
        return rows

    def _seal(
        self,
        conn: Connection,
        recipient: str,
        lane: int,
        rows: list[Row[tuple[object, ...]]],
        context: SealingContext,
    ) -> list[SealedRow]:
        """Give each payload its place in the chain and seal it."""
        state = find_chain(conn, recipient, lane) or new_chain(recipient, lane)
        sealed: list[SealedRow] = []
        updates: list[dict[str, object]] = []
        withdrawn: list[int] = []
        for row in rows:
            payload = self._vault.open(row.payload, f"x_outbox/{row.token}")
            outgoing = next_envelope(state, context, row, payload)
            if self._gate is not None and not self._gate.permits(conn, outgoing):
                withdrawn.append(row.id)
                continue
            envelope = seal(outgoing)
            raw = envelope.SerializeToString(deterministic=True)
            head = ChainPosition(
                incarnation=outgoing.incarnation,
                seq=outgoing.seq,
                hash=envelope_hash(envelope),
            )
            state = ChainState(recipient=recipient, lane=lane, head=head, base=state.base)
            sealed.append(SealedRow(outbox_id=row.id, lane=lane, position=head, envelope=raw))
            updates.append(
                {
                    "row_id": row.id,
                    "at_incarnation": head.incarnation,
                    "at_seq": head.seq,
                    "with_hash": head.hash,
                    "raw": raw,
                    "raw_bytes": len(raw),
                }
            )
        if withdrawn:
            conn.execute(delete(outbox).where(outbox.c.id.in_(withdrawn)))
        if not sealed:
            return []
        conn.execute(
            update(outbox)
            .where(outbox.c.id == bindparam("row_id"))
            .values(
                state=SEALED,
                incarnation=bindparam("at_incarnation"),
                seq=bindparam("at_seq"),
                hash=bindparam("with_hash"),
                envelope=bindparam("raw"),
                envelope_bytes=bindparam("raw_bytes"),
                expires_at_ms=context.now_ms + context.lifetime_ms,
            ),
            updates,
        )
        save_chain(conn, state)
        return sealed
