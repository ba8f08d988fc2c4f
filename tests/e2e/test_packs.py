"""A pack from two signatures to force at hub and node: real daemons, which start again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.processes import Crew
from hub.clock import utc_now
from tests.e2e.conftest import ask, processes_naming, yixin
from tests.support.pack_repository import Repository
from tests.support.packs import edited_pack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

MEMBER = "yixin://330302/node/H33030200001"
NOT_SCORED = 46
LONGEST_WAIT_S = 400.0
"""The vectors run at the lowest share of a machine that others use too."""


async def test_an_ordered_pack_reaches_the_daemon_of_a_node(tmp_path: Path) -> None:
    content, catalog = edited_pack("units.yaml", b"# edited\n", b"none")
    repository = Repository(tmp_path / "packs", utc_now())
    repository.publish("2026.1.3", content)
    hub, node = tmp_path / "hub", tmp_path / "node"
    own, at = ("--dir", str(node)), ("--dir", str(hub))
    yixin("hub", "init", str(hub), "--level", "city", "--division", "330300", "--name", "温州市")
    with (hub / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[packs]\nrepository = "{repository.directory}"\n')
    yixin("node", "init", *own, "--institution", "H33030200001")
    (node / "node.toml").write_text("[sync]\ninterval_s = 5\n", encoding="utf-8")
    async with Crew(tmp_path / "logs") as crew:
        hub_pid = await crew.daemon("hub", "hub", "serve", *at, ready=hub / "serve.json")
        await asyncio.to_thread(ask, "hub", "packs", "fetch", *at)
        invited = ask(
            *("hub", "token", *at, "--kind", "node", "--division", "330302"),
            *("--code", "H33030200001", "--institutions", "H33030200001", "--approved"),
        )
        yixin("node", "join", *own, "--token", invited["token"])
        refused = ask("node", "prescore", *own, "--period", "2026H1", accepted=(NOT_SCORED,))
        assert "not scored: no verified pack has come yet" in refused["message"]

        pid = await crew.daemon("node", "node", "serve", *own, ready=node / "control.sock")
        assert ask("hub", "packs", "use", *at)["restart"]
        graded: dict[str, Any] = {}
        begun = time.monotonic()
        while graded.get("catalog") != catalog:
            assert time.monotonic() - begun < LONGEST_WAIT_S, graded
            await asyncio.sleep(0.5)
            if (hub / "serve.json").exists():
                graded = (await asyncio.to_thread(ask, "hub", "packs", "status", *at))["grading"]
        assert (graded["phase"], graded["pack"]) == ("in_force", "packs/2026.1.3.zip")
        assert hub_pid in processes_naming(str(hub)), "the hub's daemon is the same process"
        ask("hub", "packs", "groups", *at, "--order", "pilot,rest", "--set", f"{MEMBER}=pilot")
        ordered = ask("hub", "packs", "order", *at, "--group", "pilot", "--from", "2026-01-01")
        assert ordered["target"] == "packs/2026.1.3.zip"
        ask("hub", "packs", "order", *at, "--group", "rest", accepted=(NOT_SCORED,))

        shown: dict[str, Any] = {}
        begun = time.monotonic()
        while shown.get("catalog") != catalog:
            assert time.monotonic() - begun < LONGEST_WAIT_S, shown
            shown = await asyncio.to_thread(ask, "node", "packs", "status", *own)
            await asyncio.sleep(0.5)
        assert shown["standing"]["phase"] == "in_force"
        assert pid in processes_naming(str(node)), "the daemon is the same process"

        reported: dict[str, Any] = {"in_force": 0}
        while reported["in_force"] == 0:
            assert time.monotonic() - begun < LONGEST_WAIT_S, reported
            reported = (await asyncio.to_thread(ask, "hub", "packs", "status", *at))["orders"][0]
            await asyncio.sleep(0.5)
        assert (reported["passed"], reported["refused"], reported["stopped"]) == (1, 0, None)
        again = ask("node", "packs", "fetch", *own, "--from", str(repository.directory))
        assert (again["switched"], again["problem"]) == (None, "")
        await lose_and_find_again(crew, pid, node, content)
    assert processes_naming(str(node)) == []


async def lose_and_find_again(crew: Crew, pid: int, node: Path, content: bytes) -> None:
    """The pack's file is lost: the daemon begins without it, and fetches it again from the hub."""
    own = ("--dir", str(node))
    assert ask("node", "status", *own)["packs"]["is_scored"]
    await crew.kill(pid)
    (node / "control.sock").unlink()
    (held,) = (node / "packs" / "held").glob("*.zip")
    held.write_bytes(b"PK")
    left = ask("node", "status", *own)["packs"]
    assert (left["phase"], left["is_scored"]) == ("not_loaded", False)
    await crew.daemon("lost", "node", "serve", *own, ready=node / "control.sock")
    begun = time.monotonic()
    while not left["is_scored"]:
        assert time.monotonic() - begun < LONGEST_WAIT_S, left
        left = (await asyncio.to_thread(ask, "node", "status", *own))["packs"]
        await asyncio.sleep(0.5)
    said = (node.parent / "logs" / "lost.log").read_text(encoding="utf-8")
    assert "NOT SCORED (not_loaded)" in said
    assert "Starting again with the pack that is in force" in said
    assert held.read_bytes() == content
