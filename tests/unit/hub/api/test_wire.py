"""Both ends of the wire in one process, over mutual TLS on loopback."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hub.store import envelopes
from hub.store.engine import reading, writing
from protos.yixin.v1 import (
    enrolment_pb2,
    enrolment_pb2_grpc,
    envelope_pb2,
    exchange_pb2,
    exchange_pb2_grpc,
)
from security.channels import MAX_OPEN_CONNECTIONS, enrolment_channel, member_channel
from security.errors import HubRefusedError, HubUnreachableError, JoinRefusedError
from security.exchange.join import join
from tests.support.hub_city import NODE, City, Slot, serving
from tests.support.hub_wire import Node, joined, open_frame, refused, wire_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_a_member_joins_submits_and_is_receipted(city: City, tmp_path: Path) -> None:
    async with joined(city, tmp_path) as node:
        node.state(Slot(value=5))
        node.state(Slot(month=202602, value=6))

        assert await node.sync() == (2, 0)
        assert await node.sync() == (0, 0)

    assert city.monthly(202601, 202602)["values"] == [5, 6]
    assert refused(city) == []


async def test_a_wrong_and_a_used_token_are_refused_and_logged(city: City, tmp_path: Path) -> None:
    async with joined(city, tmp_path):
        used = wire_token(city)
        first = await join(
            tmp_path / "again", used, kind="node", post_quantum=False, now=city.clock()
        )
        assert first.member_id == NODE
        await Node(city, first, _fresh(tmp_path)).sync()
        for name in ("third", "fourth"):
            with pytest.raises(JoinRefusedError):
                await join(tmp_path / name, used, kind="node", post_quantum=False, now=city.clock())

    assert refused(city) == [("Join", "enrolment_refused")] * 2


async def test_payloads_come_down_sealed_and_every_delivery_is_logged(
    city: City, tmp_path: Path
) -> None:
    async with joined(city, tmp_path) as node:
        with writing(city.parts.engine) as connection:
            for number in range(3):
                city.parts.outbox.append(
                    connection,
                    recipient=NODE,
                    lane=envelope_pb2.LANE_BULK,
                    payload_type="grade_statements",
                    schema_version=1,
                    purpose="credit_rating",
                    data_class="grade",
                    period="2026H1",
                    payload=b"statement %d" % number,
                )

        assert await node.collect() == 3
        assert await node.collect() == 0
        with node.engine.begin() as connection:
            payloads = node.inbox.payloads(connection, "grade_statements")

    assert [one.payload for one in payloads] == [b"statement 0", b"statement 1", b"statement 2"]
    with reading(city.parts.engine) as connection:
        assert envelopes.count(connection) == (0, 3)
        assert city.parts.outbox.pending(connection, NODE).total == 0


async def test_an_expired_tls_certificate_is_refused_on_an_open_line(
    city: City, tmp_path: Path
) -> None:
    async with joined(city, tmp_path) as node:
        node.state(Slot())
        slow = city.clock()
        city.clock.advance(days=31)

        with pytest.raises(HubRefusedError):
            await node.sync(lambda: slow)

    assert refused(city) == [("Submit", "CertificateEndedError")]
    assert city.monthly(202601)["values"] == []


async def test_an_expired_certificate_ends_a_stream_at_its_next_group(
    city: City, tmp_path: Path
) -> None:
    async with joined(city, tmp_path) as node:
        node.state(Slot())
        first = open_frame(city, node)
        opened = asyncio.Event()
        with node.engine.begin() as connection:
            (row,) = node.outbox.seal_ahead(
                connection, node.membership.hub_id, node.membership.sealing_context(city.clock.ms)
            )
        async with member_channel(node.membership, city.clock()) as channel:

            async def frames() -> AsyncIterator[exchange_pb2.SubmitRequest]:
                yield first
                await opened.wait()
                yield exchange_pb2.SubmitRequest(envelope=row.message())

            answers = []
            async for answer in exchange_pb2_grpc.ExchangeStub(channel).Submit(frames()):
                answers.append(answer)
                if not opened.is_set():
                    city.clock.advance(days=31)
                    opened.set()

    assert [answer.WhichOneof("message") for answer in answers] == ["accepted", "refusal"]
    assert answers[1].refusal.code == exchange_pb2.REFUSAL_CODE_CERTIFICATE
    assert refused(city) == [("Submit", "CertificateEndedError")]
    assert city.monthly(202601)["values"] == []


async def test_a_flipped_bit_a_gap_and_a_frame_out_of_order_end_their_streams(
    city: City, tmp_path: Path
) -> None:
    async with joined(city, tmp_path) as node:
        for month in (202601, 202602, 202603):
            node.state(Slot(month=month))
        opening = open_frame(city, node)
        with node.engine.begin() as connection:
            rows = node.outbox.seal_ahead(
                connection, node.membership.hub_id, node.membership.sealing_context(city.clock.ms)
            )
        sealed = [row.message() for row in rows]
        flipped = envelope_pb2.SealedEnvelope.FromString(sealed[0].SerializeToString())
        flipped.ciphertext = bytes([flipped.ciphertext[0] ^ 1]) + flipped.ciphertext[1:]
        answers = [
            await converse(node, opening, *frames)
            for frames in ([flipped, sealed[1]], [sealed[0], sealed[2]], [])
        ]
        unopened = await converse(node, exchange_pb2.SubmitRequest(envelope=sealed[0]))

    assert [one.refusal.code for one in answers[0][1:]] == [exchange_pb2.REFUSAL_CODE_UNTRUSTED]
    assert answers[1][1].HasField("receipt")
    gap = answers[1][2].refusal
    assert (gap.code, gap.expected.seq, gap.expected.lane) == (
        exchange_pb2.REFUSAL_CODE_GAP,
        1,
        envelope_pb2.LANE_BULK,
    )
    assert len(answers[2]) == 1
    assert unopened == []
    assert sorted(code for _, code in refused(city)) == [
        "ChainGapError",
        "RemoteSyncError",
        "UntrustedEnvelopeError",
    ]


async def converse(
    node: Node, opening: exchange_pb2.SubmitRequest, *sealed: envelope_pb2.SealedEnvelope
) -> list[exchange_pb2.SubmitResponse]:
    """Send an opening and envelopes on one stream; everything the hub answered."""
    answers: list[exchange_pb2.SubmitResponse] = []

    async def frames() -> AsyncIterator[exchange_pb2.SubmitRequest]:
        yield opening
        for envelope in sealed:
            yield exchange_pb2.SubmitRequest(envelope=envelope)

    async with member_channel(node.membership, node.city.clock()) as channel:
        try:
            call = exchange_pb2_grpc.ExchangeStub(channel).Submit(frames())
            answers.extend([answer async for answer in call])
        except grpc.aio.AioRpcError:
            return answers
    return answers


async def test_a_caller_without_a_client_certificate_does_not_get_a_line(
    city: City, tmp_path: Path
) -> None:
    async with joined(city, tmp_path) as node:
        address = node.membership.exchange_address
        async with enrolment_channel(address, node.membership.ca_certificate_pem) as channel:
            call = exchange_pb2_grpc.ExchangeStub(channel).Collect(
                exchange_pb2.CollectRequest(), timeout=10
            )
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call.read()

    assert error.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


async def test_health_and_reflection_are_on(city: City, tmp_path: Path) -> None:
    async with (
        joined(city, tmp_path) as node,
        member_channel(node.membership, city.clock()) as channel,
    ):
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="yixin.v1.Exchange")
        )
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)

        async def asked() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            yield reflection_pb2.ServerReflectionRequest(list_services="*")

        (listed,) = [answer async for answer in stub.ServerReflectionInfo(asked())]

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    names = {service.name for service in listed.list_services_response.service}
    assert "yixin.v1.Exchange" in names


async def test_a_hub_that_stopped_is_found_again_on_its_ports(city: City, tmp_path: Path) -> None:
    async with joined(city, tmp_path) as node:
        before = city.parts.addresses()
    node = Node(city, node.membership, _fresh(tmp_path))
    node.state(Slot(value=2))
    with pytest.raises(HubUnreachableError):
        await node.sync()

    async with serving(city.parts) as daemon:
        assert daemon.addresses == before
        assert await node.sync() == (1, 0)
    assert not (city.parts.directory / "serve.json").exists()


def _fresh(directory: Path) -> Path:
    fresh = directory / "fresh"
    fresh.mkdir()
    return fresh


async def test_enrolment_refuses_garbage_with_one_wording(city: City, tmp_path: Path) -> None:
    async with joined(city, tmp_path) as node:
        address = city.parts.address(city.parts.addresses().enrolment_port)
        async with enrolment_channel(address, node.membership.ca_certificate_pem) as channel:
            stub = enrolment_pb2_grpc.EnrolmentStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await stub.Join(enrolment_pb2.JoinRequest(body=b"\xff"))

    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "the token is unknown, used or expired" in (error.value.details() or "")


async def test_lines_of_strangers_without_number_keep_no_member_out(
    city: City, tmp_path: Path
) -> None:
    async with joined(city, tmp_path) as node:
        ports = city.parts.addresses()
        with ExitStack() as held:
            lines = [
                held.enter_context(socket.create_connection(("localhost", ports.enrolment_port)))
                for _ in range(2 * MAX_OPEN_CONNECTIONS)
            ]
            await asyncio.to_thread(_wait_until_closed, lines, MAX_OPEN_CONNECTIONS)
            node.state(Slot(value=5))

            assert await node.sync() == (1, 0)


def _wait_until_closed(lines: list[socket.socket], number: int) -> None:
    """Wait until the server closed so many lines; a line that it keeps says nothing."""
    open_lines = list(lines)
    while len(lines) - len(open_lines) < number:
        said, _, _ = select.select(open_lines, [], [], 10)
        assert said, f"only {len(lines) - len(open_lines)} of {len(lines)} lines were closed"
        open_lines = [line for line in open_lines if line not in said]
