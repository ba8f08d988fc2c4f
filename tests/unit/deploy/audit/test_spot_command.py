"""``yixin audit spot-check`` as an inspector runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.protos import REPOSITORY
from security.spot.probability import detection
from tests.support.inspected import Inspected, inspected
from tests.support.packs import pack_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspected]:
    directory = tmp_path_factory.mktemp("spot")
    with inspected(directory) as found:
        (directory / "month.spot").write_bytes(found.spot_file())
        yield found


def run(world: Inspected, *more: str, node: Path | None = None) -> Result:
    base = world.directory.parent
    line = ["audit", "spot-check", str(base / "month.spot"), "--node", str(node or world.directory)]
    return CliRunner().invoke(app, [*line, "--trust", str(base / "city.trust"), *more])


def test_an_honest_node_ends_with_zero_and_says_how_sure_it_is(world: Inspected) -> None:
    done = run(world, "--sample", "50")
    assert done.exit_code == 0, done.output
    assert "agrees" in done.output
    assert "50, of them 50 proved" in done.output
    assert f"5.0% of all (10): {detection(200, 10, 50):.2%}" in done.output
    assert "no clearing file was given" in done.output


def test_a_dishonest_node_ends_with_one_and_lists_what_differs(
    world: Inspected, tmp_path: Path
) -> None:
    shutil.copytree(world.directory, tmp_path / "node")
    copy = Inspected(world.city, tmp_path / "node", world.jobs)
    copy.tamper(7, fund_fen=1)
    done = run(world, "--json", "--sample", "200", node=tmp_path / "node")
    report = orjson.loads(done.stdout)
    assert (done.exit_code, report["verdict"]) == (1, "differs")
    assert [one["check"] for one in report["findings"]] == ["changed", "statement"]
    assert "settlement r7" in report["findings"][0]["subject"]


def test_what_is_no_spot_file_trust_file_or_node_ends_with_two(
    world: Inspected, tmp_path: Path
) -> None:
    assert "holds no node" in (done := run(world, node=tmp_path)).output
    assert done.exit_code == 2
    (tmp_path / "bad").write_bytes(b"\xff" * 100)
    line = ["audit", "spot-check", str(tmp_path / "bad"), "--node", str(world.directory)]
    trust = str(world.directory.parent / "city.trust")
    done = CliRunner().invoke(app, [*line, "--trust", trust])
    assert (done.exit_code, "impossible" in done.output) == (2, True)
    done = CliRunner().invoke(app, [*line, "--trust", str(tmp_path / "bad")])
    assert (done.exit_code, "impossible" in done.output) == (2, True)
    assert run(world, "--pack", str(tmp_path / "bad")).exit_code == 2


def test_a_month_is_counted_with_the_pack_that_is_named(world: Inspected, tmp_path: Path) -> None:
    home = tmp_path / "node"
    shutil.copytree(world.directory, home)
    # The node's own pack in force is another one, here even one that cannot be read.
    (home / "packs").mkdir(exist_ok=True)
    (home / "packs" / "current").write_text("{}", encoding="ascii")
    (tmp_path / "month.zip").write_bytes(pack_file())
    base = world.directory.parent
    line = [sys.executable, "-m", "deploy.cli", "audit", "spot-check", str(base / "month.spot")]
    line += ["--node", str(home), "--trust", str(base / "city.trust"), "--json"]
    done = subprocess.run(  # noqa: S603 - our own program
        [*line, "--pack", str(tmp_path / "month.zip")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout)["statements"]["agreed"] > 0
    refused = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert (refused.returncode, "impossible" in refused.stderr) == (2, True)
