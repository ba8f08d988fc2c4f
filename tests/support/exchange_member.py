"""A member under test: its directory, its exchange database, and short ways to use both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from security.at_rest import Vault
from security.exchange.downlink import collect
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.outbox import Outbox, Pending
from security.exchange.uplink import UplinkReport, sync_up
from security.moments import to_ms
from tests.support.members import HUB, NOW

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from security.exchange.membership import Membership
    from security.exchange.sealing import SealedRow
    from tests.support.exchange_hub import ExchangeHub

BULK = 3


@dataclass(kw_only=True)
class ExchangeMember:
    """A member with its outbox and inbox."""

    directory: Path
    membership: Membership
    engine: Engine
    outbox: Outbox
    inbox: Inbox
    at: datetime = NOW

    def append(self, *payloads: bytes, lane: int = BULK, **parts: Any) -> None:  # noqa: ANN401
        fields: dict[str, Any] = {
            "recipient": HUB,
            "payload_type": "statements",
            "schema_version": 1,
            "purpose": "supervision",
            "data_class": "aggregate",
            "period": "",
        }
        with self.engine.begin() as conn:
            for payload in payloads:
                self.outbox.append(conn, payload=payload, lane=lane, **(fields | parts))

    def seal(self, limit: int = 1_000) -> list[SealedRow]:
        """Seal without sending, as if the process died right after."""
        with self.engine.begin() as conn:
            context = self.membership.sealing_context(to_ms(self.at))
            return self.outbox.seal_ahead(conn, HUB, context, limit)

    def pending(self) -> Pending:
        with self.engine.begin() as conn:
            return self.outbox.pending(conn, HUB)

    async def sync(self, **options: Any) -> UplinkReport:  # noqa: ANN401
        return await sync_up(
            self.membership, self.engine, self.outbox, now=lambda: self.at, **options
        )

    async def collect(self, **options: Any) -> int:  # noqa: ANN401
        return await collect(
            self.membership, self.engine, self.inbox, now=lambda: self.at, **options
        )


def make_member(directory: Path, hub: ExchangeHub) -> ExchangeMember:
    """Enrol a node with a hub under test."""
    membership = hub.enrol(directory / "member")
    return open_member(directory, membership)


def open_member(directory: Path, membership: Membership) -> ExchangeMember:
    """Open a member's databases, as a process does that starts."""
    key = directory / "vault.key"
    vault = Vault.load(key) if key.exists() else Vault.create(key)
    return ExchangeMember(
        directory=directory,
        membership=membership,
        engine=open_exchange(directory / "exchange.db"),
        outbox=Outbox(vault),
        inbox=Inbox(vault),
    )


def reopened(member: ExchangeMember) -> ExchangeMember:
    """The member as a new process finds it."""
    member.engine.dispose()
    return open_member(member.directory, member.membership)


def numbers(count: int, start: int = 0) -> list[bytes]:
    return [b"payload %d" % number for number in range(start, start + count)]
