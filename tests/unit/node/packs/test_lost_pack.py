"""A node whose pack is lost: it begins, stores, says that it is not scored, and how to mend it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from node.cli import app
from node.packs.holding import holding_of
from security.packs.in_force import Current
from tests.support import node_messages as m
from tests.support.hub_city import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

PACK_EXIT = 46


@pytest.fixture(params=["gone", "changed", "current", "state"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    directory = tmp_path / "node"
    run(directory, "init", "--institution", m.HOSPITAL)
    holding = holding_of(directory)
    holding.pin(b"{}")
    holding.files.mkdir()
    holding.switch(
        Current(
            order=1,
            target="packs/2026.12.1.zip",
            digest="ab" * 32,
            catalog="c0",
            to_day=0,
            grace_days=30,
            since=NOW.isoformat(),
        )
    )
    if request.param == "changed":
        (holding.files / f"{'ab' * 32}.zip").write_bytes(b"PK")
    if request.param == "current":
        (holding.directory / "current").write_bytes(b"{")
    if request.param == "state":
        (holding.directory / "state.json").write_bytes(b"")
    return directory


def run(home: Path, *arguments: str, expect: int = 0) -> Result:
    done = CliRunner().invoke(app, [*arguments, "--dir", str(home)])
    assert done.exit_code == expect, done.output
    return done


def test_it_stores_and_is_not_scored(home: Path, tmp_path: Path) -> None:
    messages = m.write_lines(tmp_path / "messages.jsonl", [m.settlement(1)])
    run(home, "ingest", str(messages))

    found = json.loads(run(home, "status", "--json").stdout)

    assert found["messages"] == 1
    assert (found["packs"]["phase"], found["packs"]["is_scored"]) == ("not_loaded", False)
    assert found["packs"]["problem"]
    told = run(home, "status").output
    assert "NOT SCORED; records are stored" in told
    assert "yixin node packs status" in told
    told = run(home, "packs", "status").output
    assert "NOT SCORED" in told
    assert "yixin node packs fetch" in told
    assert "Problem: " in told
    refused = run(home, "prescore", "--period", "2026H1", expect=PACK_EXIT).output
    assert "not scored: this process began without" in refused
    assert "--from a USB folder" in refused
