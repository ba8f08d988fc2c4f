"""A hub under the bureau's own CA, through its jobs and over the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hub.clock import utc_now
from hub.errors import ConfigurationError
from hub.identity_jobs import IdentityJobs
from security.channels import enrolment_channel
from security.exchange.join import join
from security.progress import no_progress
from tests.support.bureau import answer, make_root
from tests.support.hub_city import FIRST, NODE, City, Clock, open_city, serving

if TYPE_CHECKING:
    from pathlib import Path


def run(city: City, name: str, **arguments: str) -> dict[str, object]:
    result = IdentityJobs(parts=city.parts).table()[name](arguments, no_progress)
    assert isinstance(result, dict)
    return result


async def test_a_hub_is_verified_by_its_pin_and_by_the_bureaus_root(tmp_path: Path) -> None:
    clock = Clock(utc_now())
    root = make_root(clock())
    with open_city(tmp_path / "hub", clock) as city:
        pinned = city.parts.identity.anchor_digest
        request = str(run(city, "ca-request")["request"]).encode()
        done = run(city, "ca-import", chain=answer(root, request, clock()).decode())
        assert (done["certificates"], done["root"]) == (2, "CN=bureau")
    with open_city(tmp_path / "hub", clock) as city:
        assert city.parts.identity.anchor_digest == pinned
        async with serving(city.parts):
            address = city.parts.address(city.parts.addresses().enrolment_port)
            token = replace(city.token(NODE, FIRST), enrolment_address=address).encode()
            member = await join(
                tmp_path / "member", token, kind="node", post_quantum=False, now=clock()
            )
            channel = enrolment_channel(address, root.pem)
            answered = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=10
            )
            await channel.close(None)

    assert member.member_id == NODE
    assert answered.status == health_pb2.HealthCheckResponse.SERVING


def test_a_chain_that_ended_is_no_longer_presented(city: City) -> None:
    root = make_root(city.clock())
    request = str(run(city, "ca-request")["request"]).encode()
    chain = answer(root, request, city.clock(), days=10)
    identity = replace(city.parts.identity, ca_chain_pem=chain)

    def count() -> int:
        pem, _ = identity.server_certificate("localhost", city.clock())
        return pem.count(b"BEGIN CERTIFICATE")

    assert count() == 2
    city.clock.advance(days=11)
    assert count() == 1


def test_a_chain_of_another_hub_is_not_imported(city: City, tmp_path: Path) -> None:
    with open_city(tmp_path / "other", level="province", division="330000") as other:
        request = str(run(other, "ca-request")["request"]).encode()
    chain = answer(make_root(city.clock()), request, city.clock()).decode()

    with pytest.raises(ConfigurationError, match="not for this hub's authority"):
        run(city, "ca-import", chain=chain)
    assert not list(city.parts.directory.glob("keys/ca-chain*"))
