"""A device joins: what it keeps, what it refuses, what an interrupted try costs (nothing)."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from edge_devices.enrolling import (
    IDENTITY_FILE,
    REQUEST_FILE,
    enrol,
    is_enrolled,
    load_identity,
    renewal_due,
)
from edge_devices.errors import DeviceConfigurationError, NodeUnreachableError
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc
from security.channels import enrolment_channel
from security.devices import DeviceToken
from security.errors import KeyFileError, TokenError
from security.private_files import write_private
from security.tls import certificate_pem
from tests.support.edge_node import EdgeNode, edge_node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeNode]:
    with edge_node(tmp_path / "node") as made:
        yield made


async def test_what_is_kept_is_for_the_owner_alone(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
    kept = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "w3").iterdir()}
    assert kept == dict.fromkeys(
        ("signing.key", "tls.key", "identity.pb", "enrolment-address"), 0o600
    )
    assert stat.S_IMODE((tmp_path / "w3").stat().st_mode) == 0o700
    assert "PRIVATE" not in repr(identity)
    assert not renewal_due(identity, node.clock())


async def test_a_try_that_found_no_node_is_repeated_with_the_same_request(
    node: EdgeNode, tmp_path: Path
) -> None:
    home = tmp_path / "w3"
    async with node.serving():
        token = node.token()
    with pytest.raises(NodeUnreachableError, match="nothing is lost"):
        await enrol(home, token, node.clock(), call_timeout_s=5.0)
    request = (home / REQUEST_FILE).read_bytes()
    assert not is_enrolled(home)
    async with node.serving():
        identity = await enrol(home, token, node.clock() + timedelta(minutes=30))
    assert not (home / REQUEST_FILE).exists()
    assert identity.keys.signing.verifying.public_key in request


async def test_an_answer_that_was_lost_comes_again(node: EdgeNode, tmp_path: Path) -> None:
    home = tmp_path / "w3"
    async with node.serving():
        token = node.token()
    with pytest.raises(NodeUnreachableError):
        await enrol(home, token, node.clock(), call_timeout_s=5.0)
    request = edge_pb2.DeviceJoinRequest.FromString((home / REQUEST_FILE).read_bytes())
    async with node.serving():
        address = DeviceToken.decode(token).enrolment_address
        pinned = certificate_pem(DeviceToken.decode(token).ca_certificate_der)
        async with enrolment_channel(address, pinned) as channel:
            lost = await edge_pb2_grpc.EdgeEnrolmentStub(channel).Join(request)
        identity = await enrol(home, token, node.clock())
    assert identity.certificate_pem == certificate_pem(lost.tls_certificate_der)


async def test_a_damaged_request_of_an_earlier_try_is_made_anew(
    node: EdgeNode, tmp_path: Path
) -> None:
    home = tmp_path / "w3"
    home.mkdir(mode=0o700)
    write_private(home / REQUEST_FILE, b"\xff damaged")
    async with node.serving():
        await node.joined(home)
    assert is_enrolled(home)


async def test_a_directory_stays_one_device(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        await node.joined(tmp_path / "w3")
        before = (tmp_path / "w3" / IDENTITY_FILE).read_bytes()
        with pytest.raises(DeviceConfigurationError, match="Nothing was changed"):
            await node.joined(tmp_path / "w3", "w4")
    assert (tmp_path / "w3" / IDENTITY_FILE).read_bytes() == before


async def test_the_secret_is_shown_to_the_pinned_node_alone(node: EdgeNode, tmp_path: Path) -> None:
    with edge_node(tmp_path / "another") as another:
        async with node.serving(), another.serving():
            meant = DeviceToken.decode(node.token())
            led_astray = replace(
                meant, enrolment_address=DeviceToken.decode(another.token()).enrolment_address
            )
            with pytest.raises(NodeUnreachableError):
                await enrol(tmp_path / "w3", led_astray.encode(), node.clock(), call_timeout_s=5.0)
        assert not any("refused" in said for said in another.said)
    assert not is_enrolled(tmp_path / "w3")


async def test_a_token_that_expired_is_not_sent(node: EdgeNode, tmp_path: Path) -> None:
    async with node.serving():
        token = node.token()
        with pytest.raises(TokenError, match="expired"):
            await enrol(tmp_path / "w3", token, node.clock() + timedelta(hours=2))
    assert node.said[1:] == []


def test_a_directory_without_a_device_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DeviceConfigurationError, match="yixin device enrol --token TOKEN"):
        load_identity(tmp_path)


@pytest.mark.parametrize("length", [0, 1, 100, 400])
async def test_a_truncated_identity_is_told(node: EdgeNode, tmp_path: Path, length: int) -> None:
    async with node.serving():
        await node.joined(tmp_path / "w3")
    path = tmp_path / "w3" / IDENTITY_FILE
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DeviceConfigurationError, match="is damaged"):
        load_identity(tmp_path / "w3")


@pytest.mark.parametrize("name", ["tls.key", "signing.key", IDENTITY_FILE])
async def test_a_file_open_to_others_is_refused(node: EdgeNode, tmp_path: Path, name: str) -> None:
    async with node.serving():
        await node.joined(tmp_path / "w3")
    (tmp_path / "w3" / name).chmod(0o644)
    with pytest.raises(KeyFileError, match="open to other"):
        load_identity(tmp_path / "w3")
