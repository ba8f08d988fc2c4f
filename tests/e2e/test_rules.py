"""Rules over a simulated city's county node: real commands, beside a daemon, killed and run again.

The city is written with cases of every rule; which of them must be found is the simulation's own
test. Here it is that what is found is kept whole, once, and can be explained.
"""

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.processes import Crew, command_line, environment
from deploy.simulation.simulate import Order, simulate
from tests.e2e.conftest import ask, yixin

pytestmark = pytest.mark.e2e

ACCEPTED = (0, 1)


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = tmp_path_factory.mktemp("city") / "city"
    simulate(
        Order(institutions=20, claims=1_000, seed=3, periods=("2026H1",), cases=True), city, quiet
    )
    return city


@pytest.fixture
def home(tmp_path: Path, city: Path) -> Path:
    """A node with the county's records, registers and knowledge."""
    home = tmp_path / "node"
    codes = (city / "custody" / "county.csv").read_text(encoding="utf-8").splitlines()[1:]
    named = [part for line in codes for part in ("--institution", line.split(",")[0])]
    own = ("--dir", str(home))
    yixin("node", "init", *own, *named)
    yixin(
        "node",
        "ingest",
        *own,
        *map(str, (city / "messages" / "county").iterdir()),
        accepted=ACCEPTED,
    )
    yixin(
        "node",
        "ingest",
        *own,
        *map(str, (city / "registers" / "county").iterdir()),
        accepted=ACCEPTED,
    )
    return home


def counted(answer: dict[str, Any]) -> dict[str, int]:
    return {one["rule"]: one["hits"] for one in answer["rules"]}


def kept(home: Path) -> dict[bytes, tuple[int, int, int | None]]:
    """First run, last run and run that lost it, of every hit."""
    with closing(sqlite3.connect(f"file:{home / 'node.db'}?mode=ro", uri=True)) as database:
        rows = database.execute("select id, first_run, last_run, gone_run from rule_hit")
        return {row[0]: row[1:] for row in rows}


async def test_rules_run_beside_the_daemon_and_again_without_it(
    tmp_path: Path, home: Path, city: Path
) -> None:
    own = ("--dir", str(home))
    points = str(city / "knowledge_points.csv")
    async with Crew(tmp_path / "logs") as crew:
        await crew.daemon("node", "node", "serve", *own, ready=home / "control.sock")
        told = ask("rules", "import-knowledge", points, *own, "--operator", "officer")
        assert told["changed"]
        assert not ask("rules", "import-knowledge", points, *own)["changed"]
        beside = ask("node", "rules", "run", *own)
    assert beside["stopped"] == []
    found = counted(beside)
    assert min(found["M01"], found["M20"], found["M33"], found["M39"]) > 0
    first = kept(home)
    assert len(first) == sum(found.values())
    alone = ask("node", "rules", "run", *own)
    assert counted(alone) == found
    assert {one["new"] + one["gone"] for one in alone["rules"]} == {0}
    assert kept(home) == dict.fromkeys(first, (1, 2, None))


def test_a_hit_is_shown_and_explained_without_a_name(home: Path) -> None:
    own = ("--dir", str(home))
    yixin("node", "rules", "run", "--rule", "M33", "--rule", "M20", *own)
    shown = ask("node", "rules", "show", "--rule", "M33", *own)
    assert [one["rule"] for one in shown["totals"]] == ["M33"]
    name = shown["hits"][0]["id"]
    told = ask("node", "rules", "explain", name, *own)
    assert told["basis"]["article"]
    assert {one["name"] for one in told["parameters"]} == {"min_overlap_hours"}
    assert len(told["evidence"]) == 2
    (person,) = told["persons"]
    assert "*" in person
    text = yixin("node", "rules", "explain", name, *own)
    assert "M33 跨机构重叠住院：违规" in text
    assert "[违规]" in text
    assert "[涉及]" in text
    revealed = ask("node", "rules", "explain", name, "--reveal", "--operator", "officer", *own)
    (clear,) = revealed["persons"]
    assert "*" not in clear
    assert clear not in text
    cap = ask("node", "rules", "show", "--rule", "M20", *own)["hits"][0]
    (line,) = ask("node", "rules", "explain", cap["id"], *own)["evidence"]
    (values,) = line["values"]
    assert {"item_code", "quantity", "price", "amount", "occurred_at"} <= values.keys()


def test_a_run_that_is_killed_leaves_whole_hits_and_the_next_one_goes_on(home: Path) -> None:
    own = ("--dir", str(home))
    process = subprocess.Popen(  # noqa: S603  # This program, the test's own arguments.
        command_line("node", "rules", "run", "--rule", "M39", "--rule", "M40", *own),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not kept(home) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    cut = kept(home)
    assert cut
    some = next(iter(cut)).hex()
    assert ask("node", "rules", "explain", some, *own)["evidence"]
    whole = ask("node", "rules", "run", "--rule", "M39", "--rule", "M40", *own)
    after = kept(home)
    assert len(after) == sum(counted(whole).values())
    assert {name: after[name] for name in cut} == dict.fromkeys(cut, (1, 2, None))


def test_two_runs_at_once_are_refused_and_mistakes_are_told(home: Path) -> None:
    own = ("--dir", str(home))
    yixin("node", "rules", "explain", "zz", *own, accepted=(3,))
    yixin("node", "rules", "run", "--rule", "M99", *own, accepted=(3,))
    yixin("node", "rules", "run", "--rule", "W05", *own, accepted=(3,))
    yixin("node", "rules", "show", "--rule", "M99", *own, accepted=(3,))
    yixin("node", "rules", "run", "--month", "202613", *own, accepted=(2,))
    yixin("rules", "import-knowledge", str(home / "absent.csv"), *own, accepted=(6,))
    # Whether so little memory is enough depends on the machine; what is told does not.
    little = ask("node", "rules", "run", "--max-memory", "64", *own, accepted=(0, 1))
    assert little["stopped"] == [one["rule"] for one in little["rules"] if one["error"]]
    assert all("MiB" in one["error"] for one in little["rules"] if one["error"])
