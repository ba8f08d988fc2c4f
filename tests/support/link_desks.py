"""Desks in this process, and what a node needs to ask them."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.api.linking import LinkDeskServicer
from hub.api.servers import ServerKeys, start_link_desk
from hub.desk import config, register
from hub.desk.evaluating import DeskCaller, LinkDesk
from hub.desk.register import AllowedNode
from hub.desk.tables import open_desk_database
from hub.store.engine import writing
from security.at_rest import Vault
from security.linking import DeskCard, PeriodKeys, key_fingerprint, make_desk_certificate
from security.tls import new_tls_key, tls_digest
from tests.support.hub_city import CITY, NOW, Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.support.hub_city import Sender

PROVINCE = "yixin://330000/hub/province"
HEALTH = "yixin://330300/department/health"
PERIOD = "2026H1"
RETENTION_DAYS = 184


def caller(member: str, key: str) -> DeskCaller:
    """Who calls with a key, one hexadecimal digit 64 times, and a certificate of its own."""
    return DeskCaller(
        member=member,
        fingerprint=key * 64,
        hub=CITY,
        tls_sha256=hashlib.sha256(key.encode()).digest(),
    )


def caller_of(node: Sender) -> DeskCaller:
    """A node of a city as a desk sees it."""
    certificate = node.membership.tls_certificate_pem
    return DeskCaller(
        member=node.member,
        fingerprint=key_fingerprint(certificate),
        hub=node.membership.hub_id,
        tls_sha256=tls_digest(certificate),
    )


@dataclass(kw_only=True)
class HeldDesk:
    """A desk over a directory, without its server."""

    directory: Path
    member: str = PROVINCE
    clock: Clock = field(default_factory=lambda: Clock(NOW))
    retention_days: int = RETENTION_DAYS

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        key = self.directory / config.VAULT_KEY
        self.vault = Vault.load(key) if key.exists() else Vault.create(key)
        self.engine: Engine = open_desk_database(self.directory / config.DATABASE_FILE)
        self.keys = PeriodKeys(self.directory / config.KEYS, self.vault)
        self.desk = LinkDesk(
            member=self.member,
            engine=self.engine,
            keys=self.keys,
            retention_days=self.retention_days,
            now=self.clock,
        )

    def allow(self, caller: DeskCaller, quota: int = 1_000) -> None:
        node = AllowedNode(member=caller.member, fingerprint=caller.fingerprint, quota=quota)
        with writing(self.engine) as connection:
            register.allow(connection, node, self.clock.ms)


@asynccontextmanager
async def served(
    desk: HeldDesk, roots: Mapping[str, bytes], port: int = 0
) -> AsyncIterator[DeskCard]:
    """Serve a desk over mutual TLS on loopback."""
    key = new_tls_key()
    certificate = make_desk_certificate(key, desk.member, desk.clock())
    with ThreadPoolExecutor(2) as executor:
        servicer = LinkDeskServicer(desk=desk.desk, roots=roots, executor=executor, now=desk.clock)
        keys = ServerKeys(
            key_pem=key, certificate_pem=certificate, ca_certificate_pem=b"".join(roots.values())
        )
        server = await start_link_desk(servicer, keys, "127.0.0.1", port)
        try:
            yield DeskCard(
                desk=desk.member,
                address=f"localhost:{server.port}",
                certificate_pem=certificate,
            )
        finally:
            await asyncio.shield(server.stop(0))
