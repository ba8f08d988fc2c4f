"""Checkpoints go up once each, signed and proved, and a hub takes what a node states."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from hub.status import hub_status
from hub.store import checkpoints as held_checkpoints
from hub.store.engine import reading
from node.store import Commit, NodeStore
from node.sync import checkpoints as sync_checkpoints
from node.sync.checkpoints import state_checkpoints
from node.sync.flow import Link
from protos.yixin.v1 import envelope_pb2, exchange_pb2, ledger_pb2
from security.at_rest import Vault
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.outbox import Outbox
from security.transparency import ledger_origin, open_checkpoint
from tests.support import node_messages as m
from tests.support.hub_city import CITY, FIRST, NODE, City, open_city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from hub.domain.checkpoints import HeldCheckpoint

DAY = datetime(2026, 10, 1, 4, tzinfo=UTC)
BULK = int(envelope_pb2.LANE_BULK)


@dataclass(slots=True)
class Node:
    """A node with its store and outbox, and the hub at the other end."""

    city: City
    link: Link
    store: NodeStore
    sent: list[bytes] = field(default_factory=list)
    incarnation: int = 1

    def day(self, number: int, records: int, word: str = "r") -> None:
        """Close the day before, and take records in."""
        self.store.record_ledger.close_days(DAY + timedelta(days=number))
        table = pa.table(
            {
                "record_id": [f"{word}{number}.{at}" for at in range(records)],
                "institution": [m.HOSPITAL] * records,
                "month": [202610] * records,
                "infno": ["1101"] * records,
                "body": ["{}"] * records,
            },
            schema=self.store.schemas["raw"],
        )
        self.store.commit(Commit(records={"raw": table}))

    def state(self) -> int:
        return state_checkpoints(self.link, self.store.record_ledger)

    def send(self) -> list[int]:
        """Seal and submit what waits; returns the refused parts of each envelope."""
        now_ms = self.city.clock.ms
        with self.link.engine.begin() as connection:
            sealed = self._seal(connection, now_ms)
        envelopes = [envelope_pb2.SealedEnvelope.FromString(raw) for raw in sealed]
        results = self.city.submit(*envelopes, issued={BULK: self.incarnation})
        refused = []
        for result in results:
            assert isinstance(result, exchange_pb2.Receipt)
            body = exchange_pb2.ReceiptBody.FromString(result.body)
            refused.append(body.quarantined_parts)
        self.sent += sealed
        return refused

    def restart(self) -> None:
        """Start the next incarnation of the chain, as a restored node does."""
        with self.link.engine.begin() as connection:
            head = self.link.outbox.heads(connection, CITY)[BULK]
            self.incarnation += 1
            self.link.outbox.start_incarnation(connection, CITY, BULK, self.incarnation, head)

    def held(self) -> HeldCheckpoint | None:
        with reading(self.city.parts.engine) as connection:
            return held_checkpoints.latest(connection, NODE)

    def _seal(self, connection: Connection, now_ms: int) -> list[bytes]:
        context = self.link.membership.sealing_context(now_ms)
        return [row.envelope for row in self.link.outbox.seal_ahead(connection, CITY, context)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with open_city(tmp_path / "hub") as city, m.open_store(tmp_path / "node") as store:
        membership = city.enrol(tmp_path / "member", NODE, FIRST).membership
        vault = Vault.create(tmp_path / "member" / "vault.key")
        engine = open_exchange(tmp_path / "member" / "exchange.db")
        link = Link(membership=membership, engine=engine, outbox=Outbox(vault), inbox=Inbox(vault))
        yield Node(city=city, link=link, store=store)
        engine.dispose()


def test_each_checkpoint_goes_up_once_and_continues_the_one_before(node: Node) -> None:
    assert node.state() == 0
    node.day(0, 5)
    assert node.state() == 0
    node.day(1, 300)
    assert (node.state(), node.state()) == (1, 0)
    for number in (2, 3):
        node.day(number, 2)
    node.store.flush()
    node.day(9, 0)
    assert node.state() == 3
    assert node.send() == [0, 0]
    held = node.held()
    assert held is not None
    assert (held.day, held.size) == (20261004, 309)
    assert held.root == node.store.record_ledger.checkpoints_after(0)[-1].root
    assert hub_status(node.city.parts)["ledger_checkpoints"]["checkpoints"] == 4


def test_notes_are_signed_by_the_member_for_its_own_tree(node: Node) -> None:
    node.day(0, 5)
    node.day(1, 1)
    node.state()
    node.send()
    with reading(node.city.parts.engine) as connection:
        (held,) = held_checkpoints.commitments(connection, NODE)
    key = node.link.membership.signing_key.verifying
    checkpoint = open_checkpoint(held.note, ledger_origin(NODE), key)
    assert (checkpoint.size, checkpoint.origin) == (5, f"{NODE}/records")


def test_long_histories_are_cut_into_payloads(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_checkpoints, "MAX_PER_PAYLOAD", 2)
    for number in range(6):
        node.day(number, 1)
    assert node.state() == 5
    assert node.send() == [0, 0, 0]
    held = node.held()
    assert held is not None
    assert held.size == 5


def test_a_new_incarnation_states_all_again_and_the_hub_skips_what_it_knows(node: Node) -> None:
    for number in range(3):
        node.day(number, 2)
    node.state()
    assert node.send() == [0]
    node.restart()
    node.day(3, 2)
    assert node.state() == 3
    assert node.send() == [0]
    figures = hub_status(node.city.parts)["ledger_checkpoints"]
    assert (figures["checkpoints"], figures["begun_anew"]) == (3, 0)


def test_a_restored_store_is_noticed_and_may_begin_anew(node: Node, tmp_path: Path) -> None:
    node.day(0, 2)
    node.day(1, 2)
    node.store.close()
    shutil.copytree(tmp_path / "node", tmp_path / "backup")
    node.store = m.open_store(tmp_path / "node")
    node.day(2, 5)
    node.day(3, 0)
    assert node.state() == 3
    assert node.send() == [0]
    node.store.close()
    node.store = m.open_store(tmp_path / "backup")
    node.day(3, 4, word="again")
    node.day(4, 0)
    # In the old incarnation the hub notices: the mark's checkpoint is not of this tree.
    assert node.state() == 3
    assert node.send() == [1]
    held = node.held()
    assert held is not None
    assert held.size == 9
    node.restart()
    assert node.state() == 3
    assert node.send() == [0]
    figures = hub_status(node.city.parts)["ledger_checkpoints"]
    assert (figures["begun_anew"], figures["lost_leaves"]) == (1, 5)
    node.day(5, 1)
    node.day(6, 0)
    assert node.state() == 1
    assert node.send() == [0]
    node.store.close()


def test_no_record_goes_up(node: Node) -> None:
    node.day(0, 3, word="secret")
    node.day(1, 0)
    node.state()
    with node.link.engine.begin() as connection:
        sealed = node.link.outbox.pending(connection, CITY)
    assert sealed.payload_bytes < 1_000
    assert {one.name for one in ledger_pb2.LedgerCheckpoint.DESCRIPTOR.fields} == {
        "day",
        "note",
        "old_size",
        "path",
    }
