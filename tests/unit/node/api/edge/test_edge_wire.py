"""Devices and their node in one process, over mutual TLS on the loopback."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from edge_devices.enrolling import load_identity
from edge_devices.errors import NodeRefusedError, NodeUnreachableError
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc
from security.channels import MAX_OPEN_CONNECTIONS, enrolment_channel
from security.devices import Place
from security.moments import to_ms
from tests.support.edge_node import (
    MODEL,
    PERSON,
    QUEUE,
    EdgeNode,
    edge_node,
    event,
    fails,
    hello,
    line,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from google.protobuf.message import Message


W3 = "yixin-device://H33030200001/window/w3"
REFUSED = "The node refuses this device"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeNode]:
    with edge_node(tmp_path / "node") as made:
        yield made


def unit(seed: int, size: int = 16) -> bytes:
    """A vector as a model makes it."""
    vector = np.random.default_rng(seed).normal(size=size)  # noqa: TID251 - seeded
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


async def test_a_device_joins_says_hello_and_delivers(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        assert identity == load_identity(tmp_path / "w3")
        assert identity.device == W3
        async with node.client(identity) as client:
            welcome = await client.hello(hello(newest=2, oldest=1))
            assert (welcome.through, welcome.place, welcome.institution) == (
                0,
                "window",
                "H33030200001",
            )
            assert (len(welcome.transform), welcome.transform_epoch) == (32, 1)
            assert welcome.node_ms == node.clock.ms
            signed = [
                client.sign(event(seq, node.clock.ms - 10_000 + 1_000 * seq)) for seq in (1, 2)
            ]
            assert (await client.deliver(signed)).through == 2
            assert (await client.deliver(signed)).through == 2
            assert (await client.hello(hello(newest=2))).through == 2
    assert node.store.counts().records == {"identity_event": 2}
    row = node.store.edge.devices.find(W3)
    assert row is not None
    assert (row.model, row.version, row.health.memory_mib) == (MODEL, "0.1.0", 157)


async def test_a_template_goes_in_and_comes_out(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            welcome = await client.hello(hello())
            asked = edge_pb2.FetchRequest(person=PERSON, purpose=edge_pb2.PRESENCE_PURPOSE_VISIT)
            absent = await client.fetch_template(asked)
            enrolled = await client.enrol(
                edge_pb2.EnrolRequest(
                    person=PERSON,
                    subject="insured",
                    purposes=["visit"],
                    consent="C-2026-17",
                    consent_at_ms=node.clock.ms,
                    model=MODEL,
                    epoch=welcome.transform_epoch,
                    vectors=[unit(7)],
                    operator="li",
                )
            )
            found = await client.fetch_template(asked)
    assert absent.cause == edge_pb2.UNJUDGED_CAUSE_NO_TEMPLATE
    assert (found.template.id, found.template.person) == (enrolled.id, PERSON)
    assert found.template.vector == unit(7)


async def test_what_a_flow_refuses_is_told_to_the_device(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            await client.hello(hello())
            forged = client.sign(event(1, node.clock.ms))
            forged.signature = bytes(64)
            for call, words in (
                (client.enrol(edge_pb2.EnrolRequest(person=PERSON)), "subject"),
                (client.identify(edge_pb2.IdentifyRequest(count=1)), "search is off"),
                (client.fetch_template(edge_pb2.FetchRequest(person=PERSON)), "found purpose 0"),
                (
                    client.fetch_template(
                        edge_pb2.FetchRequest(purpose=edge_pb2.PRESENCE_PURPOSE_VISIT)
                    ),
                    "person of 0 characters, expected 1 to 30 letters and digits$",
                ),
                (client.deliver([]), "0 events"),
                (client.deliver([forged]), "is not signed by the key"),
                (client.deliver([edge_pb2.SignedEvent()]), "is not signed by the key"),
                (client.deliver([edge_pb2.SignedEvent(body=bytes(70_000))] * 16), "fewer at once"),
                (client.hello(hello(queue=b"short")), "a queue of 5 bytes"),
                (client.hello(hello(oldest=3, newest=2)), "ascending stretch"),
                (client.hello(hello(newest=2**63)), "ascending stretch"),
            ):
                with pytest.raises(NodeRefusedError, match=words) as refused:
                    await call
                assert refused.value.code == "failed_precondition"
    assert node.store.counts().records == {}


async def test_a_device_asks_only_where_it_stands(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        window = await node.joined(tmp_path / "w3")
        bed = await node.joined(tmp_path / "b1", "b1", Place.BED)
        async with node.client(window) as client:
            with pytest.raises(NodeRefusedError, match=REFUSED):
                await client.asks()
        async with node.client(bed) as client:
            assert list((await client.asks(4)).asks) == []
            with pytest.raises(NodeRefusedError, match="expected 1 to 64 asks"):
                await client.asks(65)
            with pytest.raises(NodeRefusedError, match=REFUSED):
                await client.enrol(edge_pb2.EnrolRequest(person=PERSON))
            for purpose in (edge_pb2.PRESENCE_PURPOSE_VISIT, edge_pb2.PRESENCE_PURPOSE_DUTY):
                # A face for something that is verified elsewhere is no business of a bed's.
                with pytest.raises(NodeRefusedError, match="expected bed_check"):
                    await client.fetch_template(
                        edge_pb2.FetchRequest(person=PERSON, purpose=purpose)
                    )


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\x05ab", bytes(40_000), bytes(1_400_000)])
async def test_garbage_ends_its_call_and_nothing_else(
    node: EdgeNode, tmp_path: Path, body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with (
            line(identity) as intake,
            enrolment_channel(identity.enrolment_address, identity.ca_certificate_pem) as joins,
        ):
            for channel, method in (
                (intake, "EdgeIntake/Hello"),
                (intake, "EdgeIntake/Deliver"),
                (intake, "EdgeIntake/Reboot"),
                (joins, "EdgeEnrolment/Join"),
                (joins, "EdgeEnrolment/Renew"),
                (joins, "EdgeIntake/Hello"),
            ):
                await fails(
                    channel.unary_unary(f"/yixin.v1.{method}", bytes, bytes)(body, timeout=10)
                )
            await edge_pb2_grpc.EdgeIntakeStub(intake).Hello(hello())
    assert "Traceback" not in capfd.readouterr().err
    assert node.store.counts().records == {}


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("Deliver", edge_pb2.DeliverRequest(events=[edge_pb2.SignedEvent()] * 300_000)),
        ("Hello", edge_pb2.HelloRequest(queue=QUEUE, faults=[""] * 300_000)),
        ("Enrol", edge_pb2.EnrolRequest(purposes=[""] * 300_000)),
        ("Enrol", edge_pb2.EnrolRequest(vectors=[b""] * 300_000)),
    ],
)
async def test_empty_parts_without_number_are_counted_not_looked_at(
    node: EdgeNode, tmp_path: Path, path: str, request_: Message
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with line(identity) as channel:
            call = channel.unary_unary(f"/yixin.v1.EdgeIntake/{path}", bytes, bytes)
            error = await fails(call(request_.SerializeToString(), timeout=30))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "300000" in (error.details() or "")
    assert "expected" in (error.details() or "")


async def test_lines_of_strangers_without_number_keep_no_device_out(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        host, _, port = identity.enrolment_address.rpartition(":")
        intake = int(identity.intake_address.rpartition(":")[2])
        with ExitStack() as held:
            strangers = [
                held.enter_context(socket.create_connection((host, int(port))))
                for _ in range(2 * MAX_OPEN_CONNECTIONS)
            ]
            for _ in range(MAX_OPEN_CONNECTIONS):
                held.enter_context(socket.create_connection((host, intake)))
            await asyncio.to_thread(_wait_until_closed, strangers, MAX_OPEN_CONNECTIONS)
            async with node.client(identity) as client:
                assert (await client.hello(hello())).place == "window"


def _wait_until_closed(lines: list[socket.socket], number: int) -> None:
    """Wait until the server closed so many lines; a line that it keeps says nothing."""
    open_lines = list(lines)
    while len(lines) - len(open_lines) < number:
        said, _, _ = select.select(open_lines, [], [], 10)
        assert said, f"only {len(lines) - len(open_lines)} of {len(lines)} lines were closed"
        open_lines = [one for one in open_lines if one not in said]


async def test_health_and_reflection_are_on(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with line(identity) as channel:
            health = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="yixin.v1.EdgeIntake")
            )
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)

            async def asked() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
                yield reflection_pb2.ServerReflectionRequest(list_services="*")

            (listed,) = [answer async for answer in stub.ServerReflectionInfo(asked())]
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    names = {service.name for service in listed.list_services_response.service}
    assert "yixin.v1.EdgeIntake" in names


async def test_a_node_that_stopped_is_found_again_on_its_ports(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
    async with node.client(identity) as client:
        with pytest.raises(NodeUnreachableError, match="nothing is lost"):
            await client.hello(hello())
        async with node.serving():
            assert (await client.hello(hello())).through == 0
    assert node.said[0] == node.said[-1]


async def test_what_neither_side_has_is_told_as_lost(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            assert (await client.hello(hello(oldest=4, newest=9))).through == 3
            assert (await client.hello(hello(oldest=4, newest=9))).through == 3
            assert (await client.hello(hello(newest=9))).through == 9
            assert (await client.hello(hello(oldest=2, newest=9))).through == 9
    (queue,) = node.store.edge.devices.queues(identity.device)
    assert (queue.queue, queue.through, queue.lost) == (QUEUE, 9, 9)


async def test_a_queue_that_was_not_announced_delivers_nothing(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            with pytest.raises(NodeRefusedError, match=REFUSED):
                await client.deliver([client.sign(event(1, to_ms(node.clock())))])
    assert node.store.counts().records == {}
