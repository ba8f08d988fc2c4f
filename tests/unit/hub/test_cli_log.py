"""`yixin hub log …` as an operator types it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hub.audit_jobs import AuditJobs
from hub.cli import app
from hub.log.sequencer import publish
from security.progress import no_progress
from tests.support.hub_city import CITY, open_city
from tests.support.hub_logs import append
from tests.support.witnesses import befriend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City

PROVINCE = "yixin://330000/hub/province"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["log", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def closed(made_hub: Path, tmp_path: Path) -> Path:
    shutil.copytree(made_hub, tmp_path / "closed")
    return tmp_path / "closed"


def test_status_tells_mode_witnesses_and_warns(closed: Path) -> None:
    code, output = run("status", "--dir", str(closed), "--json")
    assert code == 0
    status = json.loads(output)
    assert (status["mode"], status["witnesses"]) == ("read-write", [])
    assert "No witness is named" in status["warnings"][0]
    code, output = run("status", "--dir", str(closed))
    assert code == 0
    assert "Warning" in output


def test_verify_reads_all_and_repairs_tiles(closed: Path) -> None:
    with open_city(closed) as city:
        total = append(city.parts.log, 2)
        publish(city.parts.log)
    for path in (closed / "log").rglob("*"):
        if path.parent.name.endswith(".p"):
            path.write_bytes(b"damaged")
    code, output = run("verify", "--dir", str(closed))
    assert code == 19
    assert "--repair" in output
    code, output = run("verify", "--repair", "--dir", str(closed), "--json")
    assert code == 0, output
    # What the commands did is in the log as well.
    assert json.loads(output)["leaves"] > total


def test_a_witness_is_named_by_its_trust_file_alone(
    closed: Path, province: City, tmp_path: Path
) -> None:
    file = tmp_path / "province.trust"
    _export(province, file)
    code, output = run("witness", "add", str(file), "--dir", str(closed))
    assert code == 3
    assert "neither the parent of this hub nor a member" in output
    own = tmp_path / "own.trust"
    with open_city(closed) as city:
        _export(city, own)
    code, output = run("witness", "add", str(own), "--dir", str(closed))
    assert code == 3
    assert f"{CITY} is this hub" in output
    code, output = run("witness", "add", str(tmp_path / "absent"), "--dir", str(closed))
    assert code != 0
    code, output = run("witness", "remove", PROVINCE, "--dir", str(closed))
    assert code == 3
    assert "is no witness" in output


def test_witnesses_are_listed(closed: Path, province: City) -> None:
    with open_city(closed) as city:
        befriend(city.parts.log, province.parts.log)
    code, output = run("witness", "list", "--dir", str(closed), "--json")
    assert code == 0
    assert [row["hub"] for row in json.loads(output)["witnesses"]] == [PROVINCE]
    code, _ = run("witness", "remove", PROVINCE, "--dir", str(closed))
    assert code == 0


@pytest.mark.parametrize("lost", ["", "1", "a:b", "1:", "-1:2", "1:2:3", "9" * 60])
def test_a_malformed_range_is_refused(closed: Path, lost: str) -> None:
    code, output = run("new-origin", "--lost", lost, "--dir", str(closed))
    assert code in {2, 3}
    assert "900:1000" in output or code == 2


def test_recover_and_new_origin_refuse_a_log_that_is_whole(closed: Path) -> None:
    code, output = run("recover", "--dir", str(closed))
    assert code == 44
    assert "new-origin" in output
    absent = str(closed / "absent.jsonl")
    code, output = run("recover", "--lists", absent, "--dir", str(closed))
    assert code not in {0, 1}
    assert "cannot be read" in output
    code, output = run("new-origin", "--lost", "0:5", "--dir", str(closed))
    assert code == 3
    assert "goes on as it is" in output


def _export(city: City, file: Path) -> None:
    AuditJobs(parts=city.parts).export_trust({"file": str(file)}, no_progress)
