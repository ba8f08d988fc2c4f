"""A spot check of a hub whose log a witness confirms, by the commands of hub and inspector."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from hub.errors import AuditExportError
from hub.exchange.spot_file import make_spot_file
from hub.log.witnessing import take_cosignature
from security.audit.trust import load_trust, save_trust
from security.errors import SpotCheckError
from security.spot.spot_file import open_spot_file
from security.transparency import verify_checkpoint
from tests.support.hub_city import NODE, open_city
from tests.support.inspected import MONTH, Inspected, inspected
from tests.support.witnesses import asked_for, befriend, cosigned, peer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.log.hub_log import HubLog


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubLog]:
    directory = tmp_path_factory.mktemp("above") / "province"
    with open_city(directory, level="province", division="330000") as opened:
        yield opened.parts.log


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, province: HubLog) -> Iterator[Inspected]:
    """A node, and its hub, whose log the province confirmed; the hub then went on."""
    with inspected(tmp_path_factory.mktemp("spot")) as found:
        log = found.city.parts.log
        befriend(log, province)
        found.city.clock.at = province.now()
        confirm(log, province)
        yield found


def confirm(log: HubLog, by: HubLog) -> None:
    note = asked_for(log).note
    answer = cosigned(log, by)
    assert take_cosignature(
        log, peer_of(by), verify_checkpoint(note, log.anchor), note + answer.lines
    )


def cli(*line: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in line])


def made(world: Inspected, out: Path) -> tuple[Path, Path]:
    """Spot file and trust file, as the hub's officer writes them."""
    directory = world.city.parts.directory
    for line in (
        ("hub", "spot-file", NODE, "--month", MONTH, "--out", out / "month.spot"),
        ("hub", "export-trust", out / "city.trust"),
    ):
        done = cli(*line, "--dir", directory)
        assert done.exit_code == 0, done.output
    return out / "month.spot", out / "city.trust"


def check(world: Inspected, spot: Path, trust: Path) -> Result:
    return cli("audit", "spot-check", spot, "--node", world.directory, "--trust", trust, "--json")


def test_a_quorum_that_the_inspector_asks_for_is_met(world: Inspected, tmp_path: Path) -> None:
    spot, trust = made(world, tmp_path)
    save_trust(trust, replace(load_trust([trust]), quorum=1))
    done = check(world, spot, trust)
    assert done.exit_code == 0, done.output
    report = orjson.loads(done.stdout)
    assert report["verdict"] == "agrees"
    assert len(report["cosigned_by"]) == 1
    assert report["cosigned_by"][0].startswith("yixin/330000/hub/province")
    shown = cli("audit", "spot-check", spot, "--node", world.directory, "--trust", trust)
    assert "confirmed by" in shown.output


def test_a_quorum_that_is_not_met_ends_with_two(world: Inspected, tmp_path: Path) -> None:
    spot, trust = made(world, tmp_path)
    held = load_trust([trust])
    # The hub's own key is in its trust file too, and never counts for its own log.
    assert len(held.witnesses) == 2
    save_trust(trust, replace(held, quorum=2))
    done = check(world, spot, trust)
    assert (done.exit_code, "asks for 2" in done.output) == (2, True)
    assert "yixin hub log status" in done.output


def test_a_witness_of_another_key_does_not_count(
    world: Inspected, province: HubLog, tmp_path: Path
) -> None:
    spot, trust = made(world, tmp_path)
    held = load_trust([trust])
    stranger = replace(peer_of(province).witness, key=world.city.parts.log.witness().key)
    with pytest.raises(SpotCheckError):
        open_spot_file(spot.read_bytes(), held.anchors, witnesses=[stranger], quorum=1)


def test_a_hub_that_asks_for_a_quorum_shows_what_was_confirmed_alone(
    world: Inspected, province: HubLog
) -> None:
    parts = world.city.parts

    def spot_file(quorum: int) -> int:
        made = make_spot_file(
            parts.engine,
            parts.identity,
            parts.log,
            member=NODE,
            month=MONTH,
            now_ms=world.city.clock.ms,
            quorum=quorum,
        )
        return made.size

    before = spot_file(1)
    with pytest.raises(AuditExportError, match="as 2 witnesses confirmed"):
        spot_file(2)
    world.keep([700])
    world.end_day()
    asked_for(parts.log)
    assert (spot_file(1), spot_file(0)) == (before, before + 1)
    confirm(parts.log, province)
    assert spot_file(1) == before + 1
