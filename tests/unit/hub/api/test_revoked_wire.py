"""Members that are revoked, joined again, wait or are late, over mutual TLS on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.exchange.renewing import GRACE_MS
from hub.exchange.requests import approve
from hub.exchange.revoking import revoke_member
from hub.store import members
from hub.store.engine import writing
from protos.yixin.v1 import exchange_pb2, exchange_pb2_grpc
from security.channels import member_channel
from security.errors import HubRefusedError, JoinPendingError, JoinRefusedError
from security.exchange.join import join
from security.exchange.renew import renew
from tests.support.hub_city import FIRST, NODE, City, Slot, serving
from tests.support.hub_wire import joined, open_frame, refused, wire_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_a_revoked_member_is_refused_at_the_door(city: City, tmp_path: Path) -> None:
    async with joined(city, tmp_path) as node:
        with writing(city.parts.engine) as connection:
            members.revoke(connection, NODE, "theft", city.clock.ms)
        node.state(Slot())

        with pytest.raises(HubRefusedError, match="is revoked"):
            await node.sync()
        with pytest.raises(HubRefusedError):
            await node.collect()

    assert [code for _, code in refused(city)] == ["RevokedError"] * 2


async def test_an_old_tls_certificate_is_refused_after_a_join(city: City, tmp_path: Path) -> None:
    async with joined(city, tmp_path) as thief:
        thief.state(Slot(value=666))
        membership = await join(
            tmp_path / "again", wire_token(city), kind="node", post_quantum=False, now=city.clock()
        )
        assert membership.keys.signing.key_id != thief.membership.keys.signing.key_id

        with pytest.raises(HubRefusedError, match="a later join took its place"):
            await thief.sync()
        with pytest.raises(HubRefusedError, match="a later join took its place"):
            await thief.collect()

    assert refused(city) == [("Collect", "RevokedError"), ("Submit", "RevokedError")]
    assert city.monthly(202601)["values"] == []


@pytest.mark.parametrize("how", ["revoked", "joined again"])
async def test_a_stream_that_is_open_when_its_certificate_is_revoked_ends(
    city: City, tmp_path: Path, how: str
) -> None:
    async with joined(city, tmp_path) as node:
        node.state(Slot(value=666))
        first = open_frame(city, node)
        with node.engine.begin() as connection:
            (row,) = node.outbox.seal_ahead(
                connection, node.membership.hub_id, node.membership.sealing_context(city.clock.ms)
            )
        opened = asyncio.Event()

        async def frames() -> AsyncIterator[exchange_pb2.SubmitRequest]:
            yield first
            await opened.wait()
            yield exchange_pb2.SubmitRequest(envelope=row.message())

        async with member_channel(node.membership, city.clock()) as channel:
            answers = []
            async for answer in exchange_pb2_grpc.ExchangeStub(channel).Submit(frames()):
                answers.append(answer.WhichOneof("message"))
                if how == "revoked" and not opened.is_set():
                    with writing(city.parts.engine) as connection:
                        revoke_member(connection, city.parts.identity, NODE, "theft", city.clock.ms)
                elif not opened.is_set():
                    again = tmp_path / "again"
                    await join(
                        again, wire_token(city), kind="node", post_quantum=False, now=city.clock()
                    )
                opened.set()

    assert answers == ["accepted", "refusal"]
    assert refused(city) == [("Submit", "RevokedError")]
    assert city.monthly(202601)["values"] == []


async def test_a_join_waits_on_the_wire_until_the_officer_approved(
    city: City, tmp_path: Path
) -> None:
    async with serving(city.parts):
        address = city.parts.address(city.parts.addresses().enrolment_port)
        unapproved = city.token(NODE, FIRST, approved=False)
        token = replace(unapproved, enrolment_address=address).encode()

        async def ask() -> str:
            made = await join(
                tmp_path / "member", token, kind="node", post_quantum=False, now=city.clock()
            )
            return made.member_id

        with pytest.raises(JoinPendingError) as pending:
            await ask()
        with pytest.raises(JoinPendingError) as again:
            await ask()
        with writing(city.parts.engine) as connection:
            found = approve(connection, pending.value.request, city.clock.ms)

        assert found is not None
        assert found.fingerprint == pending.value.fingerprint == again.value.fingerprint
        assert await ask() == NODE
    assert refused(city) == []


async def test_a_member_whose_certificate_ended_is_told_so_and_renews(
    city: City, tmp_path: Path
) -> None:
    async with joined(city, tmp_path) as node:
        city.clock.advance(days=31)
        # The line is judged by this machine's clock, the call by the hub's.
        async with member_channel(node.membership, node.membership.tls_not_after) as channel:
            stub = exchange_pb2_grpc.ExchangeStub(channel)
            call = stub.Collect(exchange_pb2.CollectRequest())
            with pytest.raises(Exception, match="TLS certificate of this member has ended"):
                async for _ in call:
                    pass

        renewed = await renew(node.membership, now=city.clock(), new_epoch=True)
        assert (renewed.tls_not_after - city.clock()).days == 30
        assert renewed.keys.signing.key_id != node.membership.keys.signing.key_id
    assert [row[1] for row in refused(city)] == ["CertificateEndedError"]


async def test_a_revoked_member_renews_nothing_on_the_wire(city: City, tmp_path: Path) -> None:
    async with joined(city, tmp_path) as node:
        with writing(city.parts.engine) as connection:
            revoke_member(connection, city.parts.identity, NODE, "theft", city.clock.ms)

        with pytest.raises(JoinRefusedError, match="is revoked"):
            await renew(node.membership, now=city.clock(), new_epoch=True)
        city.clock.advance(milliseconds=GRACE_MS)
        with pytest.raises(JoinRefusedError, match="is revoked"):
            await renew(node.membership, now=city.clock(), new_epoch=False)
    assert set(refused(city)) == {("Renew", "revoked")}
