"""Who is a device: tokens, certificates, renewals, and everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from edge_devices.enrolling import enrol, load_identity, renew
from edge_devices.errors import NodeRefusedError
from node.device_jobs import DeviceJobs
from node.store.operator_log import LogEntry
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc
from security.channels import enrolment_channel
from security.devices import DeviceAuthority, parse_device_id
from security.devices.joining import renewal_request
from security.errors import JoinRefusedError
from security.progress import no_progress
from security.tls import certificate_pem, csr_der, new_tls_key
from tests.support.edge_node import EdgeNode, edge_node, fails, hello, line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

W3 = "yixin-device://H33030200001/window/w3"
REFUSED = "The node refuses this device"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeNode]:
    with edge_node(tmp_path / "node") as made:
        yield made


async def test_a_revoked_device_is_refused_on_the_line_it_has(
    node: EdgeNode, tmp_path: Path
) -> None:
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
