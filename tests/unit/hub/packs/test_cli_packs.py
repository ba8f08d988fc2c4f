"""`yixin hub packs …`: a roll-out that stopped, as an operator sees it and ends it."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.clock import utc_now
from hub.domain.packs import DecodedPackReport, PackState
from hub.store import packs
from hub.store.database import open_database
from hub.store.engine import writing
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.packs import feature_schema
from security.packs.archive import write_archive
from tests.support.hub_city import NODE, OTHER, Clock, open_city
from tests.support.pack_repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

PACK_EXIT = 46


def pack(version: str) -> bytes:
    schema = feature_schema(load_catalog()).hex()
    card = {"version": version, "catalog": "0" * 64, "feature_schema": schema}
    return write_archive({"pack.json": json.dumps(card).encode()})


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    """A hub with two nodes and a repository of two packs; the first went well at both."""
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    repository = Repository(tmp_path / "packs", utc_now())
    for version in ("2026.12.1", "2026.12.2"):
        repository.publish(version, pack(version))
    with (directory / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[packs]\nrepository = "{repository.directory}"\n')
    with open_city(directory, Clock()) as city:
        for member in (NODE, OTHER):
            city.enrol(tmp_path / member[-12:], member)
    call(directory, "fetch")
    placed = ("--set", f"{NODE}=pilot", "--set", f"{OTHER}=rest")
    call(directory, "groups", "--order", "pilot,rest", *placed)
    for order, (group, member) in enumerate((("pilot", NODE), ("rest", OTHER)), start=1):
        call(directory, "order", "--group", group, "--version", "2026.12.1")
        say(directory, member, "2026.12.1", order)
    return directory


def call(hub: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["packs", *arguments, "--dir", str(hub)])
    assert result.exit_code == code, result.output
    return result.output


def say(hub: Path, member: str, version: str, order: int, **changes: Any) -> None:  # noqa: ANN401
    """What a node says became of an order."""
    said: dict[str, Any] = {
        "digest": hashlib.sha256(pack(version)).digest(),
        "version": order,
        "passed": True,
        "vectors": 34,
        "failures": (),
        "state": PackState.IN_FORCE,
        "at_ms": 1_790_000_000_000,
    }
    engine = open_database(f"sqlite:///{hub / 'hub.db'}")
    with writing(engine) as connection:
        packs.add_report(connection, member, DecodedPackReport(**(said | changes)), 0)
    engine.dispose()


def test_a_stopped_roll_out_is_told_and_taken_back(hub: Path) -> None:
    assert "Stopped" not in call(hub, "status")
    call(hub, "order", "--group", "pilot")
    say(hub, NODE, "2026.12.2", 3)
    call(hub, "order", "--group", "rest")
    failed = {"passed": False, "state": PackState.REFUSED, "failures": ("scores-employer onnx",)}
    say(hub, OTHER, "2026.12.2", 4, **failed)

    told = call(hub, "status")
    for word in (
        "Stopped for good: packs/2026.12.2.zip, in group rest",
        "scores-employer onnx",
        "1 members keep it",
    ):
        assert word in told
    assert "yixin hub packs withdraw --version 2026.12.2 --reason TEXT" in told
    refused = call(hub, "order", "--group", "rest", "--version", "2026.12.2", code=PACK_EXIT)
    assert "its roll-out stopped at" in refused

    back = call(hub, "withdraw", "--version", "2026.12.2", "--reason", "wrong fees")
    assert "The roll-out of packs/2026.12.2.zip is stopped." in back
    assert "packs/2026.12.1.zip" in back
    told = call(hub, "status")
    assert "members keep it" not in told
    (stop,) = json.loads(call(hub, "status", "--json"))["stops"]
    assert (stop["group"], stop["reason"]) == ("rest", "scores-employer onnx")
    assert (stop["in_force"], stop["ordered_back"]) == ([NODE], [NODE, OTHER])


def test_a_withdrawal_says_why_and_of_what(hub: Path) -> None:
    assert "why the pack is withdrawn" in call(hub, "withdraw", "--reason", " ", code=PACK_EXIT)
    unknown = call(hub, "withdraw", "--version", "9.9", "--reason", "x", code=PACK_EXIT)
    assert "9.9" in unknown
    assert "was not ordered here" in unknown
    first = call(hub, "withdraw", "--version", "2026.12.1", "--reason", "x")
    assert first.count("1 members keep it") == 2
    assert "was ordered no other pack" in first
