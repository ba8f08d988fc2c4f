"""A hub keeps the checkpoints of a node's tree, and notices when records were taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import StatementError
from hub.intake.checkpoints import decode_checkpoints
from hub.status import hub_status
from hub.store import checkpoints, quarantine
from hub.store.engine import reading
from protos.yixin.v1 import envelope_pb2, exchange_pb2, ledger_pb2
from security.exchange.receipts import verify_receipt
from tests.support.hub_city import CITY, FIRST, NODE, OTHER, City, Sender, open_city
from tests.support.ledger_trees import LedgerTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hub.domain.checkpoints import HeldCheckpoint

DAYS = (20261028, 20261029, 20261030, 20261031)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "hub") as opened:
        yield opened


@pytest.fixture
def node(city: City, tmp_path: Path) -> Sender:
    return city.enrol(tmp_path / "node", NODE, FIRST)


@pytest.fixture
def tree(node: Sender) -> LedgerTree:
    return LedgerTree(member=NODE, key=node.keys.signing)


def send(node: Sender, payload: bytes, incarnation: int = 1) -> int:
    """Submit a payload; returns the number of its parts that the receipt says were refused."""
    if incarnation > node.head.incarnation and node.head.seq:
        changes = {
            "incarnation": incarnation,
            "seq": 1,
            "previous_hash": node.head.hash,
            "cited_incarnation": node.head.incarnation,
            "cited_seq": node.head.seq,
        }
    else:
        changes = {}
    envelope = node.seal(payload, payload_type="ledger_checkpoints", **changes)
    issued = {int(envelope_pb2.LANE_BULK): incarnation}
    (result,) = node.city.submit(envelope, peer=node.member, issued=issued)
    assert isinstance(result, exchange_pb2.Receipt)
    verified = verify_receipt(result, node.membership.keyring, hub=CITY, sender=node.member)
    body = exchange_pb2.ReceiptBody.FromString(result.body)
    assert verified is not None
    return body.quarantined_parts


def latest(city: City, member: str = NODE) -> HeldCheckpoint | None:
    with reading(city.parts.engine) as connection:
        return checkpoints.latest(connection, member)


def refusals(city: City) -> list[str]:
    with reading(city.parts.engine) as connection:
        faults = [row.fault for row in quarantine.quarantined(connection)]
    return [f"{fault.rule}: {fault.mend}" for fault in faults]


def test_checkpoints_that_continue_each_other_are_kept(
    city: City, node: Sender, tree: LedgerTree
) -> None:
    stated = []
    for day, old_size in zip(DAYS, (0, 3, 6, 9), strict=True):
        tree.grow(3)
        stated.append(tree.state(day, old_size))
    assert send(node, tree.payload(*stated[:2])) == 0
    assert send(node, tree.payload(*stated)) == 0
    held = latest(city)
    assert held is not None
    assert (held.day, held.size) == (20261031, 12)
    status = hub_status(city.parts)["ledger_checkpoints"]
    assert status == {
        "members": 1,
        "checkpoints": 4,
        "begun_anew": 0,
        "lost_leaves": 0,
        "last_day": 20261031,
    }
    with reading(city.parts.engine) as connection:
        notes = tuple(one.note for one in checkpoints.commitments(connection, NODE))
        assert notes == tuple(one.note for one in stated)


def test_trees_of_two_nodes_are_apart(
    city: City, node: Sender, tmp_path: Path, tree: LedgerTree
) -> None:
    other = city.enrol(tmp_path / "other", OTHER)
    others = LedgerTree(member=OTHER, key=other.keys.signing)
    tree.grow(9)
    others.grow(2, "other")
    assert send(node, tree.payload(tree.state(DAYS[0], 0))) == 0
    assert send(other, others.payload(others.state(DAYS[0], 0))) == 0
    assert [getattr(latest(city, member), "size", None) for member in (NODE, OTHER)] == [9, 2]


def test_a_smaller_tree_is_a_rollback(city: City, node: Sender, tree: LedgerTree) -> None:
    tree.grow(9)
    assert send(node, tree.payload(tree.state(DAYS[0], 0))) == 0
    del tree.leaves[5:]
    assert send(node, tree.payload(tree.state(DAYS[1], 0))) == 1
    (refused,) = refusals(city)
    assert refused.startswith(
        "checkpoint: checkpoint of 20261029 with 5 leaves: the tree is smaller than the one"
    )
    held = latest(city)
    assert held is not None
    assert held.size == 9


def test_a_changed_record_is_a_contradiction(city: City, node: Sender, tree: LedgerTree) -> None:
    tree.grow(9)
    assert send(node, tree.payload(tree.state(DAYS[0], 0))) == 0
    tree.leaves[4] = bytes(32)
    assert send(node, tree.payload(tree.state(DAYS[1], 0))) == 1
    assert "another root was stated for this size" in refusals(city)[0]


def test_a_larger_tree_must_prove_that_it_continues(
    city: City, node: Sender, tree: LedgerTree
) -> None:
    tree.grow(9)
    assert send(node, tree.payload(tree.state(DAYS[0], 0))) == 0
    tree.leaves[4] = bytes(32)
    tree.grow(4)
    first, tree_size = tree.state(DAYS[1], 9), len(tree.leaves)
    tree.grow(1)
    assert send(node, tree.payload(first, tree.state(DAYS[2], tree_size))) == 2
    assert send(node, tree.payload(tree.state(DAYS[2], 0))) == 1
    assert send(node, tree.payload(tree.state(DAYS[2], 8))) == 1
    assert all("does not prove that it continues" in mend for mend in refusals(city))
    held = latest(city)
    assert held is not None
    assert held.size == 9


def test_a_restored_node_begins_anew_once_and_what_it_lost_is_told(
    city: City, node: Sender, tree: LedgerTree
) -> None:
    tree.grow(5)
    first = tree.state(DAYS[0], 0)
    tree.grow(4)
    assert send(node, tree.payload(first, tree.state(DAYS[1], 5))) == 0
    # The backup held seven leaves: its last checkpoint has five.
    del tree.leaves[7:]
    tree.grow(1, "again")
    assert send(node, tree.payload(tree.state(DAYS[2], 5))) == 1
    assert send(node, tree.payload(first, tree.state(DAYS[2], 5)), incarnation=2) == 0
    held = latest(city)
    assert held is not None
    assert (held.incarnation, held.size) == (2, 8)
    figures = hub_status(city.parts)["ledger_checkpoints"]
    assert (figures["checkpoints"], figures["begun_anew"], figures["lost_leaves"]) == (2, 1, 4)
    # In the same incarnation there is no second time.
    del tree.leaves[5:]
    tree.grow(9, "thrice")
    assert send(node, tree.payload(tree.state(DAYS[3], 5)), incarnation=2) == 1


def test_the_first_checkpoint_a_hub_hears_may_continue_what_it_does_not_know(
    city: City, node: Sender, tree: LedgerTree
) -> None:
    tree.grow(9)
    assert send(node, tree.payload(tree.state(DAYS[0], 4))) == 0
    held = latest(city)
    assert held is not None
    assert held.size == 9


def test_a_note_of_another_member_or_key_is_refused(
    city: City, node: Sender, tree: LedgerTree, tmp_path: Path
) -> None:
    other = city.enrol(tmp_path / "other", OTHER)
    tree.grow(3)
    for forged in (
        LedgerTree(member=OTHER, key=node.keys.signing, leaves=tree.leaves),
        LedgerTree(member=NODE, key=other.keys.signing, leaves=tree.leaves),
    ):
        assert send(node, forged.payload(forged.state(DAYS[0], 0))) == 1
    borrowed = ledger_pb2.LedgerCheckpoints(
        key_id=other.keys.signing.key_id, checkpoints=[tree.state(DAYS[0], 0)]
    )
    assert send(node, borrowed.SerializeToString()) == 1
    assert all(f"A checkpoint of {NODE} is not signed by it" in mend for mend in refusals(city))
    assert latest(city) is None


def test_payloads_out_of_bounds_are_refused(city: City, tree: LedgerTree) -> None:
    def changed(
        day: int = DAYS[0], old_size: int = 0, note: str | None = None, path: Sequence[bytes] = ()
    ) -> ledger_pb2.LedgerCheckpoint:
        return ledger_pb2.LedgerCheckpoint(
            day=day, note=whole.note if note is None else note, old_size=old_size, path=path
        )

    tree.grow(3)
    whole = tree.state(DAYS[0], 0)
    wrong = {
        b"\xff": "no LedgerCheckpoints",
        tree.payload(): "Found 0 checkpoints, expected 1 to 256",
        tree.payload(*[whole] * 257): "Found 257 checkpoints",
        tree.payload(whole, whole): "not in the order of their sizes",
        tree.payload(changed(day=20261301)): "Found a checkpoint of 20261301, expected a day",
        tree.payload(changed(day=0)): "Found a checkpoint of 0",
        tree.payload(changed(old_size=3)): "of 3 leaves has a proof out of bounds",
        tree.payload(changed(path=[b"short"])): "proof out of bounds",
        tree.payload(changed(path=[bytes(32)] * 65)): "proof out of bounds",
        tree.payload(changed(note="")): "not a signed checkpoint",
        tree.payload(changed(note=whole.note.replace("\n3\n", "\n4\n"))): "is not signed by it",
    }
    keyring = city.parts.keys.keyring
    for payload, words in wrong.items():
        with pytest.raises(StatementError, match=words):
            decode_checkpoints(payload, sender=NODE, keyring=keyring, at_ms=city.clock.ms)


def test_only_nodes_state_checkpoints(city: City, tmp_path: Path) -> None:
    member = "yixin://330302/hub/county"
    county = city.enrol(tmp_path / "county", member)
    tree = LedgerTree(member=member, key=county.keys.signing)
    tree.grow(1)
    assert send(county, tree.payload(tree.state(DAYS[0], 0))) == 1
    assert "A hub may not send 'ledger_checkpoints'" in refusals(city)[0]
