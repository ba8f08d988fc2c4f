"""Inbox: opened payloads that peers addressed to this member.

Rules:
    1. An envelope enters once, at the place its chain gives it; a repetition changes nothing.
    2. Payload and head are written in one transaction, before the head acknowledges them.
    3. Payloads are kept encrypted by the vault until a flow has processed them, and after.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from security.chain import GENESIS, ChainPosition, Step, check_next
from security.envelope import OpenedEnvelope
from security.exchange.tables import heads, inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Row

    from security.at_rest import Vault
    from security.envelope import VerifiedEnvelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One payload of the inbox."""

    inbox_id: int
    """Row of the inbox; rows are numbered in the order of arrival."""
    sender: str
    """Member id of the sender."""
    lane: int
    """Lane of the chain."""
    incarnation: int
    """Incarnation of the chain."""
    seq: int
    """Place in the incarnation."""
    payload_type: str
    """Type of the payload."""
    schema_version: int
    """Version of the payload's schema."""
    purpose: str
    """Declared purpose."""
    period: str
    """Rating period, or empty."""
    pack_digest: bytes
    """SHA-256 of the catalogue the payload was made with."""
    payload: bytes = field(repr=False)
    """The payload, decrypted."""


class Inbox:
    """Payloads that arrived.

    Args:
        vault: Encrypts payloads at rest.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def heads(self, conn: Connection, sender: str) -> dict[int, ChainPosition]:
        """Heads of the chains received from a sender, by lane."""
        query = select(heads).where(heads.c.sender == sender).order_by(heads.c.lane)
        return {
            row.lane: ChainPosition(incarnation=row.incarnation, seq=row.seq, hash=bytes(row.hash))
            for row in conn.execute(query)
        }

    def accept(
        self, conn: Connection, opened: OpenedEnvelope | VerifiedEnvelope, now_ms: int
    ) -> Step:
        """Store an envelope at its place.

        Args:
            conn: Connection in a transaction.
            opened: Envelope that was verified; its sender issues the chain's incarnations.
                When it could not be decrypted, only its place is stored.
            now_ms: Present moment, milliseconds since the epoch, UTC.

        Returns:
            ``NEXT`` when it was stored, ``SAME`` when it was there already.

        Raises:
            ChainGapError: An earlier envelope is missing.
            ChainForkError: Another envelope stands at its place.
        """
        header = opened.header
        query = (
            select(heads)
            .where(heads.c.sender == header.sender, heads.c.lane == header.lane)
            .with_for_update()
        )
        row = conn.execute(query).one_or_none()
        held = (
            GENESIS
            if row is None
            else ChainPosition(incarnation=row.incarnation, seq=row.seq, hash=bytes(row.hash))
        )
        step = check_next(
            held,
            self._known(conn, header.sender, header.lane),
            header,
            opened.hash,
            issued_incarnation=header.incarnation,
        )
        if step is Step.SAME:
            return step
        token = secrets.token_hex(16)
        payload = (
            self._vault.seal(opened.payload, f"x_inbox/{token}")
            if isinstance(opened, OpenedEnvelope)
            else None
        )
        conn.execute(
            insert(inbox).values(
                token=token,
                sender=header.sender,
                lane=header.lane,
                incarnation=header.incarnation,
                seq=header.seq,
                hash=opened.hash,
                payload_type=header.payload_type,
                schema_version=header.schema_version,
                purpose=header.purpose,
                period=header.period,
                pack_digest=header.pack_digest,
                payload=payload,
                received_at_ms=now_ms,
                processed=payload is None,
            )
        )
        conn.execute(
            delete(heads).where(heads.c.sender == header.sender, heads.c.lane == header.lane)
        )
        conn.execute(
            insert(heads).values(
                sender=header.sender,
                lane=header.lane,
                incarnation=header.incarnation,
                seq=header.seq,
                hash=opened.hash,
            )
        )
        return step

    def payloads(
        self,
        conn: Connection,
        payload_type: str,
        *,
        unprocessed: bool = True,
        after_id: int = 0,
        limit: int = 64,
    ) -> list[Received]:
        """Payloads of a type in the order of arrival.

        Args:
            conn: Connection in a transaction.
            payload_type: Type of the payloads.
            unprocessed: Only those that no flow has processed.
            after_id: Only rows after this one.
            limit: Most payloads to return; they are decrypted into memory.

        Raises:
            VaultError: A payload at rest was damaged.
        """
        query = (
            select(inbox)
            .where(
                inbox.c.payload_type == payload_type,
                inbox.c.id > after_id,
                inbox.c.payload.is_not(None),
            )
            .order_by(inbox.c.id)
            .limit(limit)
        )
        if unprocessed:
            query = query.where(inbox.c.processed.is_(False))
        return [self._received(row) for row in conn.execute(query)]

    def mark_processed(self, conn: Connection, inbox_ids: Sequence[int]) -> None:
        """Note that flows have stored what they needed from these payloads."""
        conn.execute(update(inbox).where(inbox.c.id.in_(inbox_ids)).values(processed=True))

    def count(self, conn: Connection, *, unprocessed: bool = False) -> int:
        """How many payloads arrived, or how many of them wait for their flow."""
        query = select(func.count()).select_from(inbox)
        if unprocessed:
            query = query.where(inbox.c.processed.is_(False))
        return int(conn.execute(query).scalar_one())

    def count_unreadable(self, conn: Connection) -> int:
        """How many envelopes were proved but could not be decrypted."""
        query = select(func.count()).select_from(inbox).where(inbox.c.payload.is_(None))
        return int(conn.execute(query).scalar_one())

    def _received(self, row: Row[tuple[object, ...]]) -> Received:
        return Received(
            inbox_id=row.id,
            sender=row.sender,
            lane=row.lane,
            incarnation=row.incarnation,
            seq=row.seq,
            payload_type=row.payload_type,
            schema_version=row.schema_version,
            purpose=row.purpose,
            period=row.period,
            pack_digest=bytes(row.pack_digest),
            payload=self._vault.open(row.payload, f"x_inbox/{row.token}"),
        )

    @staticmethod
    def _known(conn: Connection, sender: str, lane: int) -> Callable[[int, int], bytes | None]:
        def known_hash_at(incarnation: int, seq: int) -> bytes | None:
            query = select(inbox.c.hash).where(
                inbox.c.sender == sender,
                inbox.c.lane == lane,
                inbox.c.incarnation == incarnation,
                inbox.c.seq == seq,
            )
            value = conn.execute(query).scalar_one_or_none()
            return None if value is None else bytes(value)

        return known_hash_at
