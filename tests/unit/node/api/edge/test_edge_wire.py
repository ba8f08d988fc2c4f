"""Devices and their node in one process, over mutual TLS on the loopback."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from edge_devices.enrolling import enrol, load_identity, renew
from edge_devices.errors import NodeRefusedError, NodeUnreachableError
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc
from security.channels import MAX_OPEN_CONNECTIONS, device_channel, enrolment_channel
from security.devices import DeviceAuthority, Place, parse_device_id
from security.devices.joining import renewal_request
from security.errors import JoinRefusedError
from security.moments import to_ms
from security.tls import certificate_pem, csr_der, new_tls_key
from tests.support.edge_node import MODEL, PERSON, QUEUE, EdgeNode, edge_node, event, hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from google.protobuf.message import Message

    from edge_devices.enrolling import DeviceIdentity

W3 = "yixin-device://H33030200001/window/w3"
REFUSED = "The node refuses this device"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeNode]:
    with edge_node(tmp_path / "node") as made:
        yield made


def line(
    identity: DeviceIdentity, *, key: bytes = b"", certificate: bytes = b""
) -> grpc.aio.Channel:
    """A channel of a device, or of somebody with another key and certificate."""
    return device_channel(
        identity.intake_address,
        ca_certificate_pem=identity.ca_certificate_pem,
        tls_key_pem=key or identity.keys.tls_key_pem,
        tls_certificate_pem=certificate or identity.certificate_pem,
    )


async def fails(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


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
            for call, words in (
                (client.enrol(edge_pb2.EnrolRequest(person=PERSON)), "subject"),
                (client.identify(edge_pb2.IdentifyRequest(count=1)), "search is off"),
                (client.fetch_template(edge_pb2.FetchRequest(person=PERSON)), "purpose 0 found"),
                (
                    client.fetch_template(
                        edge_pb2.FetchRequest(purpose=edge_pb2.PRESENCE_PURPOSE_VISIT)
                    ),
                    "person",
                ),
                (client.deliver([]), "0 events"),
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


async def test_a_revoked_device_is_refused_on_the_line_it_has(
    node: EdgeNode, tmp_path: Path
) -> None:
    from node.device_jobs import DeviceJobs  # noqa: PLC0415
    from security.progress import no_progress  # noqa: PLC0415

    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            await client.hello(hello())
            jobs = DeviceJobs(directory=tmp_path, store=node.store, now=node.clock).table()
            jobs["device_revoke"](
                {"device": "w3", "reason": "stolen", "operator": "li"}, no_progress
            )
            with pytest.raises(NodeRefusedError, match=REFUSED) as refused:
                await client.hello(hello())
            with pytest.raises(JoinRefusedError):
                await renew(identity, node.clock())
    assert refused.value.code == "permission_denied"
    assert "revoked" not in str(refused.value).partition("Ask its operator")[0]
    assert any(f"{W3} Hello: {W3} is revoked, expected active" in said for said in node.said)


async def test_a_token_is_used_once_and_by_one_pair_of_keys(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        token = node.token()
        first = await enrol(tmp_path / "a", token, node.clock())
        again = await enrol(tmp_path / "a", token, node.clock())
        assert again == first
        with pytest.raises(JoinRefusedError, match="unknown, used or expired"):
            await enrol(tmp_path / "b", token, node.clock())
        async with node.client(first) as client:
            await client.hello(hello())
        with pytest.raises(JoinRefusedError, match="unknown, used or expired"):
            await enrol(tmp_path / "a", token, node.clock())
    causes = "\n".join(node.said)
    assert "was used by other keys" in causes
    assert "is used up" in causes


async def test_an_expired_and_a_superseded_token_are_refused(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        superseded, token = node.token(), node.token()
        made_at = node.clock()
        node.clock.advance(minutes=61)
        for one, directory in ((superseded, "a"), (token, "b")):
            with pytest.raises(JoinRefusedError, match="unknown, used or expired"):
                await enrol(tmp_path / directory, one, made_at)
    assert any("has expired" in said for said in node.said)
    assert any("the device token is unknown" in said for said in node.said)


async def test_a_device_that_joins_again_shuts_its_earlier_keys_out(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        old = await node.joined(tmp_path / "old")
        async with node.client(old) as stolen:
            await stolen.hello(hello())
            new = await node.joined(tmp_path / "new")
            with pytest.raises(NodeRefusedError, match=REFUSED):
                await stolen.hello(hello())
            async with node.client(new) as client:
                await client.hello(hello(queue=bytes(16)))


async def test_revoked_keys_do_not_come_back_by_a_new_token(node: EdgeNode, tmp_path: Path) -> None:
    from node.store.operator_log import LogEntry  # noqa: PLC0415

    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        entry = LogEntry(at="now", operator="li", action="device_revoke", subject=W3)
        node.store.edge.devices.revoke(identity.device, node.clock(), entry)
        with pytest.raises(JoinRefusedError):
            await node.joined(tmp_path / "w3")
        await node.joined(tmp_path / "fresh")


async def test_a_certificate_is_renewed_at_half_of_its_time(node: EdgeNode, tmp_path: Path) -> None:
    node.clock.advance(days=-20)
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            await client.hello(hello())
            node.clock.advance(days=14)
            assert not await client.renew_if_due()
            node.clock.advance(days=2)
            assert await client.renew_if_due()
            assert not await client.renew_if_due()
            assert client.identity.certificate_ends > identity.certificate_ends
            assert client.identity == load_identity(tmp_path / "w3")
            await client.hello(hello())
        async with node.client(identity) as whose_answer_was_lost:
            await whose_answer_was_lost.hello(hello())


@pytest.mark.parametrize(("days", "is_renewed"), [(31, True), (119, True), (121, False)])
async def test_an_ended_certificate_is_renewed_for_ninety_days(
    node: EdgeNode, tmp_path: Path, days: int, *, is_renewed: bool
) -> None:
    node.clock.advance(days=-days)
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        node.clock.advance(days=days)
        async with node.client(identity) as client:
            if is_renewed:
                await client.hello(hello())
                return
            with pytest.raises(NodeRefusedError) as refused:
                await client.hello(hello())
    assert refused.value.code == "permission_denied"
    assert any("it needs a new token" in said for said in node.said)


async def test_a_renewal_by_somebody_else_is_refused(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        w3 = await node.joined(tmp_path / "w3")
        w4 = await node.joined(tmp_path / "w4", "w4")
        forged = [
            renewal_request(w3.device, w4.keys, node.clock.ms),
            renewal_request(w3.device, w3.keys, node.clock.ms - 2 * 24 * 3600 * 1000),
            edge_pb2.DeviceRenewRequest(body=b"\xff"),
        ]
        async with enrolment_channel(w3.enrolment_address, w3.ca_certificate_pem) as channel:
            stub = edge_pb2_grpc.EdgeEnrolmentStub(channel)
            refused = [await fails(stub.Renew(one)) for one in forged]
    assert {one.code() for one in refused} == {grpc.StatusCode.PERMISSION_DENIED}
    assert len({one.details() for one in refused}) == 1


async def test_an_ended_certificate_is_refused_on_an_open_line(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with line(identity) as channel:
            stub = edge_pb2_grpc.EdgeIntakeStub(channel)
            await stub.Hello(hello())
            node.clock.advance(days=31)
            error = await fails(stub.Hello(hello()))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_strangers_and_certificates_of_others_get_no_line(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        other = DeviceAuthority.create(node.clock())
        key = new_tls_key()
        forged = other.issue(csr_der(key), parse_device_id(W3), node.clock())
        lines = (
            line(identity, key=key, certificate=certificate_pem(forged)),
            enrolment_channel(identity.intake_address, identity.ca_certificate_pem),
        )
        for channel in lines:
            error = await fails(edge_pb2_grpc.EdgeIntakeStub(channel).Hello(hello(), timeout=10))
            assert error.code() in {
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            }
            await channel.close(None)


async def test_a_certified_device_that_never_joined_is_refused(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        authority = node.store.edge.devices.authority(node.clock(), [])
        key = new_tls_key()
        for name in (W3, "yixin-device://H33030200001/window/w9"):
            issued = authority.issue(csr_der(key), parse_device_id(name), node.clock())
            async with line(identity, key=key, certificate=certificate_pem(issued)) as channel:
                error = await fails(edge_pb2_grpc.EdgeIntakeStub(channel).Hello(hello()))
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    causes = "\n".join(node.said)
    assert "joined again with another key" in causes
    assert "is not in the register" in causes


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
