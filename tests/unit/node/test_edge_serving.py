"""What the daemon serves of devices: ports, what is in force, what is off."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.errors import NodeRefusedError
from node.device_enrolment import PORTS_SETTING
from node.domain.institutions import Institution
from node.edge_settings import EdgeSettings
from node.errors import ConfigurationError
from node.store.calibrations import CalibrationUse
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.calibration import Calibration
from tests.support.edge_node import PERSON, EdgeNode, edge_node, event, hello
from tests.support.face_templates import CLERK, MODEL, calibration
from tests.support.node_messages import PHARMACY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeNode]:
    with edge_node(tmp_path / "node", identify=True) as made:
        yield made


def unit(seed: int) -> bytes:
    vector = np.random.default_rng(seed).normal(size=64)  # noqa: TID251 - seeded
    return bytes((vector / np.linalg.norm(vector)).astype("<f4").tobytes())


def greeting() -> edge_pb2.HelloRequest:
    said = hello()
    said.model = MODEL
    return said


def enrolment(welcome: edge_pb2.HelloResponse, person: str, seed: int) -> edge_pb2.EnrolRequest:
    return edge_pb2.EnrolRequest(
        person=person,
        subject="insured",
        purposes=["visit"],
        consent="C-2026-17",
        consent_at_ms=welcome.node_ms,
        model=MODEL,
        epoch=welcome.transform_epoch,
        vectors=[unit(seed)],
        operator="li",
    )


async def test_a_device_hears_the_calibration_of_its_model_at_its_place(
    node: EdgeNode, tmp_path: Path
) -> None:
    made = calibration(4_700)
    node.store.edge.calibrations.put(made, CalibrationUse.VERIFY, CLERK)
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            welcome = await client.hello(greeting())
            other = await client.hello(hello())
    assert Calibration.from_json(welcome.calibration) == made
    assert (welcome.threshold_e4, other.calibration) == (4_700, b"")
    assert not other.HasField("threshold_e4")
    assert (welcome.identify, welcome.retries, welcome.cache_hours) == (True, 2, 24)


@pytest.mark.parametrize(("uncalibrated", "threshold"), [("manifest", 5_100), ("refuse", None)])
async def test_a_device_hears_what_counts_without_a_calibration(
    tmp_path: Path, uncalibrated: str, threshold: int | None
) -> None:
    said = hello()
    said.model = bytes.fromhex("8cba0c9041fefd5a8bcc74b5756856a4fdc7fd4a4b3b330a1adb436ca39c7c8e")
    with edge_node(tmp_path / "node", uncalibrated=uncalibrated) as node:
        async with node.serving():
            identity = await node.joined(tmp_path / "w3")
            async with node.client(identity) as client:
                welcome = await client.hello(said)
    found = welcome.threshold_e4 if welcome.HasField("threshold_e4") else None
    assert (found, welcome.calibration) == (threshold, b"")


async def test_a_search_answers_with_candidates_and_is_logged(
    node: EdgeNode, tmp_path: Path
) -> None:
    node.store.edge.calibrations.put(calibration(), CalibrationUse.IDENTIFY, CLERK)
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            welcome = await client.hello(greeting())
            for seed in (1, 2, 3):
                await client.enrol(enrolment(welcome, f"{PERSON[:-1]}{seed}", seed))
            found = await client.identify(
                edge_pb2.IdentifyRequest(
                    model=MODEL,
                    epoch=welcome.transform_epoch,
                    vector=unit(2),
                    count=3,
                    purpose="entrance",
                )
            )
    assert found.searched == 3
    assert [one.person for one in found.candidates] == [f"{PERSON[:-1]}2"]
    assert found.candidates[0].score_e4 >= 9_999
    searches = [one for one in node.store.desk.entries() if one.action == "identify"]
    assert len(searches) == 4  # Three enrolments look for a double.
    assert identity.device in searches[0].detail


async def test_a_device_of_an_institution_that_left_is_refused(
    node: EdgeNode, tmp_path: Path
) -> None:
    async with node.serving():
        identity = await node.joined(tmp_path / "w3")
        async with node.client(identity) as client:
            await client.hello(hello())
            node.store.set_institutions([Institution(code=PHARMACY)])
            with pytest.raises(NodeRefusedError) as refused:
                await client.hello(hello())
            with pytest.raises(NodeRefusedError):
                await client.deliver([client.sign(event(1, node.clock.ms))])
    assert refused.value.code == "permission_denied"
    assert any("is not in this node's custody" in said for said in node.said)
    assert node.store.counts().records == {}


async def test_what_is_off_listens_nowhere(node: EdgeNode) -> None:
    node.settings = replace(node.settings, edge=EdgeSettings())
    async with node.serving():
        assert node.said == []
    assert node.store.setting(PORTS_SETTING) is None


async def test_a_port_that_is_taken_says_which_setting(node: EdgeNode) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        for edge in (
            EdgeSettings(enabled=True, port=port, enrolment_port=0),
            EdgeSettings(enabled=True, port=0, enrolment_port=port),
        ):
            node.settings = replace(node.settings, edge=edge)
            with pytest.raises(ConfigurationError, match=r"Correct \[edge\] in node\.toml"):
                async with node.serving():
                    pytest.fail("it serves")


async def test_ports_of_the_last_run_that_are_taken_are_given_up(node: EdgeNode) -> None:
    async with node.serving():
        first = node.store.setting(PORTS_SETTING)
    assert first is not None
    with closing(socket.create_server(("127.0.0.1", int(first.split()[0])))):
        async with node.serving():
            second = node.store.setting(PORTS_SETTING)
    assert second is not None
    assert first.split()[0] != second.split()[0]
    assert first.split()[1] == second.split()[1]


async def test_a_node_that_listens_everywhere_must_say_how_it_is_reached(node: EdgeNode) -> None:
    everywhere = EdgeSettings(enabled=True, host="0.0.0.0", port=0, enrolment_port=0)  # noqa: S104
    node.settings = replace(node.settings, edge=everywhere)
    with pytest.raises(ConfigurationError, match="which is no address to go to"):
        async with node.serving():
            pytest.fail("it serves")
    named = replace(everywhere, address="localhost")
    node.settings = replace(node.settings, edge=named)
    async with node.serving():
        assert "Devices deliver at localhost:" in node.said[0]
