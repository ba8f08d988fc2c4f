"""A node lost to a fire: restored from its backup it goes on as if nothing had happened."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from deploy.demo.members import hubs_in, node_in
from deploy.demo.processes import Crew, number
from deploy.simulation.simulate import Order, simulate
from tests.e2e.conftest import processes_naming
from tests.support.town import Town, audited, held_at_hub, measured_at_node

pytestmark = pytest.mark.e2e

PASSPHRASE: Final = "correct horse battery staple"  # noqa: S105  # Protects this test's backup only.


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


async def test_a_restored_node_opens_new_chains_and_states_what_the_hub_holds(
    tmp_path: Path, passphrase_file: Path
) -> None:
    city = tmp_path / "city"
    simulate(Order(institutions=8, claims=160, seed=12), city, quiet)
    hub, _ = hubs_in(tmp_path)
    node = node_in(tmp_path, city, custodian="county", division="330324")
    lines = [
        line for path in sorted(node.messages.iterdir()) for line in path.open("rb").readlines()
    ]
    halves = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for half, path in enumerate(halves):
        path.write_bytes(b"".join(lines[half::2]))
    own = ("--dir", str(node.directory))
    vault = ("--passphrase-file", str(passphrase_file))
    copies = tmp_path / "copies"
    async with Crew(tmp_path / "logs") as crew:
        town = Town(crew=crew, hub=hub, node=node)
        await town.join()
        await crew.ask("node", "ingest", str(halves[0]), *own, accepted=(0, 1))
        await crew.ask("node", "sync", *own)
        daemon = await crew.daemon(
            "node", "node", "serve", *own, ready=node.directory / "control.sock"
        )
        first = await crew.ask("node", "backup", "--to", str(copies), *vault, *own)
        assert first["verified"] is True
        again = await crew.ask("node", "backup", "--to", str(copies), *vault, *own)
        assert again["added_bytes"] < first["added_bytes"]
        # After the snapshot: more messages, and the hub hears of them.
        await crew.ask("node", "ingest", str(halves[1]), *own, accepted=(0, 1))
        await crew.ask("node", "sync", *own)
        before = measured_at_node_copy(tmp_path, node.directory)
        await crew.kill(daemon)
        shutil.rmtree(node.directory)

        restored = tmp_path / "restored"
        new = ("--dir", str(restored))
        done = await crew.ask("node", "restore", "--from", str(copies), *vault, *new)
        assert done["snapshot"] == again["snapshot"]
        assert done["records"] == again["records"]
        assert done["receipts"]
        await crew.ask("node", "sync", *new)
        await crew.ask("node", "ingest", str(halves[1]), *new, accepted=(0, 1))
        await crew.ask("node", "sync", *new)
        state = await crew.ask("node", "status", *new)
        assert number(state, "outbox") == 0
        assert state["restored"]["chains_opened"] is True
        held = await crew.ask("hub", "status", "--dir", str(hub.directory))
        assert number(held, "quarantined") == 0
    assert processes_naming(str(tmp_path)) == []
    measured = measured_at_node(replace(node, directory=restored).directory)
    assert measured == before
    assert held_at_hub(hub.directory) == measured
    assert audited(tmp_path, hub) == "valid"


def measured_at_node_copy(work: Path, directory: Path) -> object:
    """What a node measures, read from a copy: its daemon holds the directory."""
    copy = work / "copy"
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("*.sock", "*.lock", ".backup-*"))
    return measured_at_node(copy)
