"""kill -9 between commit and receipt: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hub.app import HubApp, init_hub
from hub.clock import utc_now
from hub.store import envelopes, log
from hub.store.engine import reading
from protos.yixin.v1 import envelope_pb2, transparency_pb2
from security.at_rest import Vault
from security.errors import HubUnreachableError
from security.exchange.archive import count_receipts
from security.exchange.engine import open_exchange
from security.exchange.join import join
from security.exchange.outbox import Outbox
from security.exchange.uplink import sync_up
from security.local_channel import call_daemon
from tests.support.hub_city import FIRST, JOIN_LEAVES, OWN_LEAVES, Slot, batch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVELOPES = 6


class Process:
    """The hub's daemon in a process of its own."""

    def __init__(self, directory: Path, fatal_group: int) -> None:
        (directory / "serve.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "tests.support.killed_hub", str(directory), str(fatal_group)]
        )
        while not (directory / "serve.json").exists():
            if self.process.poll() is not None:
                raise AssertionError(f"the hub ended with {self.process.returncode}")
            time.sleep(0.02)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    running: list[Process] = []
    yield running
    for one in running:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("fatal_group", [1, 2])
async def test_a_hub_killed_between_commit_and_receipt_loses_and_doubles_nothing(
    tmp_path: Path, processes: list[Process], fatal_group: int
) -> None:
    directory = tmp_path / "hub"
    init_hub(directory, level="city", division="330300", name="温州市")
    processes.append(Process(directory, fatal_group))
    arguments = {"kind": "node", "division": "330302", "code": "n1", "from_month": 200001}
    token = call_daemon(directory / "control.sock", "token-approved", arguments | {"codes": FIRST})
    membership = await join(
        tmp_path / "member", token["token"], kind="node", post_quantum=False, now=utc_now()
    )
    engine = open_exchange(tmp_path / "exchange.db")
    outbox = Outbox(Vault.create(tmp_path / "vault.key"))
    with engine.begin() as connection:
        for month in range(ENVELOPES):
            outbox.append(
                connection,
                recipient=membership.hub_id,
                lane=envelope_pb2.LANE_BULK,
                payload_type="statements",
                schema_version=1,
                purpose="supervision",
                data_class="aggregate",
                period="2026H1",
                payload=batch(Slot(month=202601 + month, value=month + 1)),
            )

    # A window of one byte lets one envelope fly at a time: as many groups as envelopes.
    with pytest.raises(HubUnreachableError):
        await sync_up(membership, engine, outbox, now=utc_now, window_bytes=1)
    assert processes[0].process.wait(30) == -signal.SIGKILL
    with engine.begin() as connection:
        assert count_receipts(connection, membership.hub_id) == fatal_group - 1

    processes.append(Process(directory, 0))
    await sync_up(membership, engine, outbox, now=utc_now)
    assert processes[1].end() == 0

    with engine.begin() as connection:
        assert count_receipts(connection, membership.hub_id) == ENVELOPES
        assert outbox.pending(connection, membership.hub_id).total == 0
    engine.dispose()
    with HubApp(directory).opened() as parts, reading(parts.engine) as connection:
        assert envelopes.count(connection)[0] == ENVELOPES
        kinds = [leaf.kind for leaf in log.leaves(connection, 0, log.size(connection))]
        assert kinds.count(transparency_pb2.LOG_KIND_ENVELOPE) == ENVELOPES
        assert kinds.count(transparency_pb2.LOG_KIND_CERTIFICATE) == OWN_LEAVES + JOIN_LEAVES
        months = [202601 + month for month in range(ENVELOPES)]
        monthly = parts.statements.monthly(connection, "settlement", months)
        assert monthly.columns["settlements"].tolist() == list(range(1, ENVELOPES + 1))
