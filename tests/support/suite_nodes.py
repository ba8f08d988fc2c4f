"""A member with a real outbox and inbox at a served hub, that joins under any suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.config import SuiteSettings
from hub.store.engine import writing
from protos.yixin.v1 import envelope_pb2
from security.at_rest import Vault
from security.envelope import parse_header
from security.exchange import archive
from security.exchange.downlink import collect
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.join import join
from security.exchange.outbox import Outbox
from security.exchange.uplink import sync_up
from tests.support.hub_city import CITY, FIRST, NODE, City, Slot, batch, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from security.exchange.membership import Membership
    from security.exchange.sealing import SealedRow


ALL = SuiteSettings(allowed="INTL-PQ,INTL,GM")


class Node:
    """A member with a real outbox and inbox, that joins under a suite."""

    def __init__(self, city: City, directory: Path) -> None:
        self.city, self.directory = city, directory
        self.engine = open_exchange(directory / "exchange.db")
        vault = Vault.create(directory / "vault.key")
        self.outbox, self.inbox = Outbox(vault), Inbox(vault)
        self.membership: Membership

    async def join(self, suite: str) -> None:
        address = self.city.parts.address(self.city.parts.addresses().enrolment_port)
        token = replace(self.city.token(NODE, FIRST), enrolment_address=address).encode()
        self.membership = await join(
            self.directory / "member",
            token,
            kind="node",
            post_quantum=False,
            now=self.city.clock(),
            suite=suite,
        )

    def state(self, value: int) -> None:
        with self.engine.begin() as connection:
            self.outbox.append(
                connection,
                recipient=CITY,
                lane=envelope_pb2.LANE_BULK,
                payload_type="statements",
                schema_version=1,
                purpose="supervision",
                data_class="aggregate",
                period="2026H1",
                payload=batch(Slot(version=value, value=value)),
            )

    async def send(self, value: int) -> list[str]:
        """State one slot and synchronise; the suites of what was sealed."""
        self.state(value)
        await self.sync()
        return self.sealed()

    def seal_ahead(self) -> None:
        with self.engine.begin() as connection:
            context = self.membership.sealing_context(self.city.clock.ms)
            assert self.outbox.seal_ahead(connection, CITY, context)

    async def sync(self) -> None:
        await sync_up(self.membership, self.engine, self.outbox, now=self.city.clock)

    def rows(self) -> list[SealedRow]:
        with self.engine.begin() as connection:
            state = self.outbox.heads(connection, CITY)[envelope_pb2.LANE_BULK]
            before = replace(state, seq=0)
            return archive.after(connection, CITY, envelope_pb2.LANE_BULK, before)

    def sealed(self) -> list[str]:
        return [parse_header(row.message()).suite for row in self.rows()]

    async def collect(self) -> int:
        return await collect(self.membership, self.engine, self.inbox, now=self.city.clock)


def queue_for_member(city: City, payload: bytes) -> None:
    with writing(city.parts.engine) as connection:
        city.parts.outbox.append(
            connection,
            recipient=NODE,
            lane=envelope_pb2.LANE_BULK,
            payload_type="grade_statements",
            schema_version=1,
            purpose="credit_rating",
            data_class="grade",
            period="2026H1",
            payload=payload,
        )


@asynccontextmanager
async def served(city: City, tmp_path: Path) -> AsyncIterator[Node]:
    settings = replace(city.parts.settings, suites=ALL)
    city.parts = replace(city.parts, settings=settings)
    async with serving(city.parts):
        node = Node(city, tmp_path)
        yield node
        node.engine.dispose()
