"""A node on the wire: it joins a served hub, states, synchronises and collects for real."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.store import refusals
from hub.store.engine import reading
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.at_rest import Vault
from security.exchange.downlink import collect
from security.exchange.engine import open_exchange
from security.exchange.heads import sign_heads
from security.exchange.inbox import Inbox
from security.exchange.join import join
from security.exchange.outbox import Outbox
from security.exchange.uplink import sync_up
from tests.support.hub_city import FIRST, NODE, City, Slot, batch, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from security.exchange.membership import Membership


class Node:
    """A member with a real outbox and inbox."""

    def __init__(self, city: City, membership: Membership, directory: Path) -> None:
        self.city = city
        self.membership = membership
        self.engine: Engine = open_exchange(directory / "exchange.db")
        vault = Vault.create(directory / "vault.key")
        self.outbox, self.inbox = Outbox(vault), Inbox(vault)

    def state(self, *slots: Slot) -> None:
        with self.engine.begin() as connection:
            self.outbox.append(
                connection,
                recipient=self.membership.hub_id,
                lane=envelope_pb2.LANE_BULK,
                payload_type="statements",
                schema_version=1,
                purpose="supervision",
                data_class="aggregate",
                period="2026H1",
                payload=batch(*slots),
            )

    async def sync(self, now: Callable[[], datetime] | None = None) -> tuple[int, int]:
        clock = now or self.city.clock
        report = await sync_up(self.membership, self.engine, self.outbox, now=clock)
        return report.receipts, report.quarantined

    async def collect(self) -> int:
        return await collect(self.membership, self.engine, self.inbox, now=self.city.clock)


@asynccontextmanager
async def joined(city: City, directory: Path, member: str = NODE) -> AsyncIterator[Node]:
    """A served hub and a node that joined it over the wire."""
    async with serving(city.parts) as daemon:
        assert daemon.addresses is not None
        token = wire_token(city, member)
        membership = await join(
            directory / "member", token, kind="node", post_quantum=False, now=city.clock()
        )
        node = Node(city, membership, directory)
        yield node
        node.engine.dispose()


def wire_token(city: City, member: str = NODE) -> str:
    address = city.parts.address(city.parts.addresses().enrolment_port)
    return replace(city.token(member, FIRST), enrolment_address=address).encode()


def refused(city: City) -> list[tuple[str, str]]:
    with reading(city.parts.engine) as connection:
        return [(row.method, row.code) for row in refusals.recent(connection)]


def open_frame(city: City, node: Node) -> exchange_pb2.SubmitRequest:
    with node.engine.begin() as connection:
        heads = node.outbox.heads(connection, node.membership.hub_id)
    signed = sign_heads(
        node.membership.signing_key,
        signer=node.membership.member_id,
        peer=node.membership.hub_id,
        heads=heads,
        at_ms=city.clock.ms,
        downlink=False,
    )
    return exchange_pb2.SubmitRequest(open=signed)
