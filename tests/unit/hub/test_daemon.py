from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub import daemon as daemon_module
from hub.app import HubApp
from hub.config import IntakeSettings, NetworkSettings
from hub.daemon import Daemon
from hub.errors import ConfigurationError
from hub.parts import ADDRESSES_FILE, Addresses, find_addresses, save_addresses
from hub.store.engine import reading
from protos.yixin.v1 import envelope_pb2
from security.at_rest import Vault
from security.exchange.engine import open_exchange
from security.exchange.join import join
from security.exchange.outbox import Outbox
from security.exchange.uplink import sync_up
from tests.support.hub_city import FIRST, NODE, City, Slot, batch, serving

if TYPE_CHECKING:
    from pathlib import Path


async def send(city: City, directory: Path, *slots: Slot) -> int:
    """Join a served hub and send one envelope per slot."""
    address = city.parts.address(city.parts.addresses().enrolment_port)
    token = replace(city.token(NODE, FIRST), enrolment_address=address).encode()
    membership = await join(
        directory / "member", token, kind="node", post_quantum=False, now=city.clock()
    )
    engine = open_exchange(directory / "exchange.db")
    outbox = Outbox(Vault.create(directory / "vault.key"))
    with engine.begin() as connection:
        for slot in slots:
            outbox.append(
                connection,
                recipient=membership.hub_id,
                lane=envelope_pb2.LANE_BULK,
                payload_type="statements",
                schema_version=1,
                purpose="supervision",
                data_class="aggregate",
                period="2026H1",
                payload=batch(slot),
            )
    report = await sync_up(membership, engine, outbox, now=city.clock)
    engine.dispose()
    return report.receipts


async def test_staged_rows_are_flushed_while_the_hub_serves(city: City, tmp_path: Path) -> None:
    settings = replace(city.parts.settings, intake=IntakeSettings(flush_mib=1))
    parts = replace(city.parts, settings=settings)
    parts.statements.staged_bytes = 2**20

    async with serving(parts):
        assert await send(city, tmp_path, Slot(value=3)) == 1

    assert len(list((parts.directory / "objects").glob("*.parquet"))) == 1
    with reading(parts.engine) as connection:
        assert parts.statements.staged_size(connection).envelopes == 0
    assert city.monthly(202601)["values"] == [3]


async def test_rows_stay_staged_when_a_flush_fails(
    city: City, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    city.parts.statements.staged_bytes = 2**30
    objects = city.parts.directory / "objects"
    objects.rmdir()

    async with serving(city.parts):
        assert await send(city, tmp_path, Slot(value=3)) == 1

    assert "could not be written" in caplog.text
    assert city.monthly(202601)["values"] == [3]


async def test_the_servers_restart_on_their_ports_to_renew_the_certificate(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    wait = daemon_module._wait  # noqa: SLF001 - the point where time would pass

    renewed = asyncio.Event()

    async def once(stop: asyncio.Event, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            renewed.set()
        await wait(stop, 0.01 if len(waits) == 1 else seconds)

    monkeypatch.setattr(daemon_module, "_wait", once)
    async with serving(city.parts):
        before = city.parts.addresses()
        await renewed.wait()
        assert await send(city, tmp_path, Slot()) == 1
        assert city.parts.addresses() == before
    assert waits[0] == pytest.approx(45 * 86_400, abs=2 * 86_400)


async def test_a_port_of_the_last_run_that_is_taken_is_given_up(city: City) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        save_addresses(city.parts.directory, Addresses(exchange_port=port, enrolment_port=port))
        async with serving(city.parts):
            found = find_addresses(city.parts.directory)
    assert found is not None
    assert port not in {found.exchange_port, found.enrolment_port}


async def test_a_configured_port_that_is_taken_ends_the_run(city: City) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("exchange_port", "enrolment_port"):
            network = replace(NetworkSettings(), **{name: port})
            parts = replace(city.parts, settings=replace(city.parts.settings, network=network))
            with pytest.raises(ConfigurationError, match=str(port)):
                await Daemon(parts=parts, say=lambda _text: None).run()
    assert not (city.parts.directory / "control.sock").exists()


def test_broken_addresses_count_as_unknown(city: City) -> None:
    (city.parts.directory / ADDRESSES_FILE).write_text("{}")
    assert find_addresses(city.parts.directory) is None
    with pytest.raises(ConfigurationError, match="hub serve"):
        city.parts.addresses()


def test_a_reader_opens_a_hub_beside_its_writer(city: City) -> None:
    with HubApp(city.parts.directory, city.clock).opened(writer=False) as parts:
        assert parts.identity.hub == city.parts.identity.hub
