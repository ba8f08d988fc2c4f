"""Topics at a node and, over the wire, at its hub: one set of numbers, persons at the node only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.demo.members import hubs_in, node_in
from deploy.demo.processes import Crew
from deploy.simulation.simulate import Order, simulate
from tests.support.town import Town, audited

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

TRAVELLING = ("T01", "T02", "T03", "T04", "T13")


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


async def test_a_hub_finds_what_its_only_node_finds(tmp_path: Path) -> None:
    city = tmp_path / "city"
    simulate(Order(institutions=8, claims=160, seed=12), city, quiet)
    hub, _ = hubs_in(tmp_path)
    node = node_in(tmp_path, city, custodian="county", division="330324")
    own, theirs = ("--dir", str(node.directory)), ("--dir", str(hub.directory))
    async with Crew(tmp_path / "logs") as crew:
        town = Town(crew=crew, hub=hub, node=node)
        await town.join()
        messages = [str(path) for path in sorted(node.messages.iterdir())]
        await crew.ask("node", "ingest", *messages, *own, accepted=(0, 1))
        await crew.daemon("node", "node", "serve", *own, ready=node.directory / "control.sock")
        # Counting goes on beside the daemon, and the daemon states what was counted.
        here = await crew.ask("node", "topics", "run", "--month", "202604", *own)
        assert here["counted"] > 0
        again = await crew.ask("node", "topics", "run", "--month", "202604", *own)
        assert (again["counted"], again["topics"]) == (0, here["topics"])
        sent = await crew.ask("node", "sync", *own)
        assert sent["receipts_quarantined"] == 0
        there = await crew.ask("hub", "topics", "run", "--month", "202604", *theirs)
    at_node = {one["topic"]: one for one in here["topics"]}
    at_hub = {one["topic"]: one for one in there["topics"]}
    for name in TRAVELLING:
        assert at_hub[name] == at_node[name]
        assert at_node[name]["rows"]
    assert "absent_zh" in at_hub["T08"]
    assert audited(tmp_path, hub) == "valid"
