"""The nightly run of a real daemon: by itself, once, out of the way, and clean after a kill."""

import os
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.processes import Crew
from deploy.simulation.simulate import Order, simulate
from node.domain.nights import Night, read_night
from node.nightly_run import FIRST_TO_END, NICE
from tests.e2e.conftest import ask, processes_naming, yixin
from tests.support.served_processes import until

pytestmark = pytest.mark.e2e

ACCEPTED = (0, 1)
_NICE = 16
"""Field of /proc/PID/stat after the name: its nice value."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node with a small county's records and registers, whose nights begin at the start."""
    city = tmp_path_factory.mktemp("city") / "city"
    order = Order(institutions=20, claims=400, seed=5, periods=("2026H1",), cases=True)
    simulate(order, city, quiet)
    home = tmp_path_factory.mktemp("filled") / "node"
    codes = (city / "custody" / "county.csv").read_text(encoding="utf-8").splitlines()[1:]
    named = [part for line in codes for part in ("--institution", line.split(",")[0])]
    own = ("--dir", str(home))
    yixin("node", "init", *own, *named)
    for place in ("messages", "registers"):
        files = map(str, (city / place / "county").iterdir())
        yixin("node", "ingest", *own, *files, accepted=ACCEPTED)
    settings = home / "node.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace("nightly_catch_up_s = 600", "nightly_catch_up_s = 0"), encoding="utf-8"
    )
    return home


@pytest.fixture
def home(tmp_path: Path, filled: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "node"))


@asynccontextmanager
async def crew_of(tmp_path: Path, home: Path) -> AsyncIterator[Crew]:
    async with Crew(tmp_path / "logs") as crew:
        yield crew
    assert processes_naming(str(home)) == []


async def serve(crew: Crew, home: Path, name: str = "node") -> int:
    return await crew.daemon(name, "node", "serve", "--dir", str(home), ready=home / "control.sock")


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="ascii")


def asked(home: Path, text: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{home / 'node.db'}?mode=ro", uri=True)) as database:
        return database.execute(text).fetchall()


def kept(home: Path) -> dict[bytes, tuple[int, int, int | None]]:
    """First run, last run and run that lost it, of every hit."""
    rows = asked(home, "select id, first_run, last_run, gone_run from rule_hit")
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def night_of(home: Path) -> Night | None:
    rows = asked(home, "select value from setting where key = 'night'")
    return read_night(rows[0][0]) if rows else None


def has_ended(home: Path) -> bool:
    night = night_of(home)
    return night is not None and night.ended_at is not None


async def test_rules_and_topics_are_run_by_the_daemon_and_out_of_the_way(
    tmp_path: Path, home: Path
) -> None:
    own = ("--dir", str(home))
    async with crew_of(tmp_path, home) as crew:
        daemon = await serve(crew, home)
        await until(lambda: bool(kept(home)))
        (child,) = set(processes_naming(str(home))) - {daemon}
        assert int(of_process(child, "stat").rpartition(") ")[2].split()[_NICE]) == min(
            19, os.nice(0) + NICE
        )
        assert int(of_process(child, "oom_score_adj")) == int(FIRST_TO_END)
        os.kill(child, signal.SIGSTOP)
        refused = ask("node", "rules", "run", *own, accepted=(4,))
        os.kill(child, signal.SIGCONT)
        assert f"(pid {child}) is running the rules over" in refused["message"]
        await until(lambda: has_ended(home))
        told = ask("node", "status", *own)["supervision"]
        by_hand = ask("node", "rules", "run", *own)
        await crew.kill(daemon)
        # Started again within the same night: nothing is due.
        daemon = await serve(crew, home, "again")
        assert ask("node", "status", *own)["supervision"]["last_night"] == told["last_night"]
        assert set(processes_naming(str(home))) == {daemon}
    night = told["last_night"]
    assert night["error"] is None
    assert night["stopped"] == []
    assert night["run"] == told["last_run"]["run"] == 1
    assert night["hits"] == night["new"] == sum(one["hits"] for one in by_hand["rules"]) > 0
    assert {one["new"] + one["gone"] for one in by_hand["rules"]} == {0}
    assert night["topics"] > 0
    assert told["nightly"] == "01:00"
    assert told["live"].startswith("off: neither")


async def test_a_kill_in_the_middle_is_made_up_for_and_nothing_is_doubled(
    tmp_path: Path, home: Path
) -> None:
    async with crew_of(tmp_path, home) as crew:
        daemon = await serve(crew, home)
        await until(lambda: bool(kept(home)))
        os.kill(daemon, signal.SIGKILL)
        await until(lambda: processes_naming(str(home)) == [])
        cut = night_of(home)
        assert cut is not None
        assert (cut.attempts, cut.ended_at) == (1, None)
        before = kept(home)
        await serve(crew, home, "again")
        await until(lambda: has_ended(home))
    night = night_of(home)
    assert night is not None
    assert (night.attempts, night.error, night.run) == (2, "", 2)
    after = kept(home)
    assert night.hits == len(after)
    assert {name: after[name] for name in before} == dict.fromkeys(before, (1, 2, None))
    whole = ask("node", "rules", "run", "--dir", str(home))
    assert {one["new"] + one["gone"] for one in whole["rules"]} == {0}
    assert sum(one["hits"] for one in whole["rules"]) == len(after)


async def test_a_daemon_that_stops_ends_its_night(tmp_path: Path, home: Path) -> None:
    async with crew_of(tmp_path, home) as crew:
        daemon = await serve(crew, home)
        await until(lambda: len(processes_naming(str(home))) == 2)
        os.kill(daemon, signal.SIGTERM)
        await until(lambda: daemon not in crew.pids)
        assert processes_naming(str(home)) == []
    night = night_of(home)
    assert night is not None
    assert night.ended_at is None
    told = ask("node", "status", "--dir", str(home))["supervision"]["last_night"]
    assert told["ended_at"].startswith("not ended")


async def test_a_night_that_fails_is_told_and_waits_for_the_next(
    tmp_path: Path, home: Path
) -> None:
    async with crew_of(tmp_path, home) as crew:
        daemon = await serve(crew, home)
        await until(lambda: len(processes_naming(str(home))) == 2)
        (child,) = set(processes_naming(str(home))) - {daemon}
        os.kill(child, signal.SIGKILL)
        await until(lambda: has_ended(home))
    night = night_of(home)
    assert night is not None
    assert "nightly_max_memory_mib" in night.error
    assert night.run is None
