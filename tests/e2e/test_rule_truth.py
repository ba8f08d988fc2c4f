"""What is injected into a city is found, and nothing else: real commands on three seeds.

Every case and near miss of M01 to M41 and W01 to W11 is written by the simulation, which imports
nothing from the rules; its messages, registers and knowledge go in as a department's would, and
the warnings are asked for over the node's interface.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from deploy.demo.processes import Crew
from deploy.simulation.simulate import Order, simulate
from scoring_kernel.rules import load_rules
from tests.e2e.conftest import ask, yixin

pytestmark = pytest.mark.e2e

ACCEPTED: Final = (0, 1)
"""Some messages of a city are refused by the platform."""
LEAST: Final = 3
SUSPICION_RECALL: Final = 0.9
STOCK_ALARMS: Final = 5
"""Stock is not told to the last pack: so many clean hits of M40 are borne."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


def write_city(path: Path, seed: int) -> Path:
    order = Order(institutions=20, claims=3_000, seed=seed, periods=("2026H1",), cases=True)
    simulate(order, path, quiet)
    return path


async def recall(city: Path, home: Path, logs: Path) -> dict[str, dict[str, Any]]:
    """Let a node of the county find what there is; what came of each rule."""
    own = ("--dir", str(home))
    codes = (city / "custody" / "county.csv").read_text(encoding="utf-8").splitlines()[1:]
    named = [part for line in codes for part in ("--institution", line.split(",")[0])]
    yixin("node", "init", *own, *named)
    files = [*(city / "registers" / "county").iterdir(), *(city / "messages" / "county").iterdir()]
    yixin("node", "ingest", *own, *map(str, files), accepted=ACCEPTED)
    tables = sorted(map(str, (city / "knowledge").iterdir()))
    points = str(city / "knowledge_points.csv")
    told = ask("rules", "import-knowledge", points, *tables, *own, "--operator", "officer")
    assert all(one["changed"] and not one["unbound"] for one in told["files"])
    assert ask("node", "rules", "run", *own)["stopped"] == []
    settings = "[interface]\nenabled = true\nport = 0\n[supervision]\nbudget_ms = 5000\n"
    (home / "node.toml").write_text(settings, encoding="utf-8")
    async with Crew(logs) as crew:
        node = await crew.server("node", "node", "serve", *own)
        arguments = ("simulate", "recall", str(city), str(home), "--url", node.url)
        found = await crew.ask(*arguments)
    log = (logs / "node.log").read_text(encoding="utf-8").splitlines()
    assert log[-1] == "Stopping after the running job."
    refused = ask("node", "quarantine", "list", *own, "--rule", "msgid_conflict")
    assert refused["total"] == 0, "two questions of one second had the same message id"
    return {one["rule"]: one for one in found["rules"]}


LONG = pytest.mark.faults
"""Further seeds run with the long tests."""


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=LONG), pytest.param(3, marks=LONG)])
async def test_every_case_is_found_and_nothing_clean_is_hit(tmp_path: Path, seed: int) -> None:
    city = write_city(tmp_path / "city", seed)
    found = await recall(city, tmp_path / "node", tmp_path / "logs")
    rules = load_rules().rules
    judged = {name: rule for name, rule in rules.items() if rule.set in {"core", "warning"}}
    assert len(judged) == 41 + 11
    for name, rule in judged.items():
        one = found[name]
        assert one["cases"] >= LEAST, name
        assert one["near_misses"] >= LEAST, name
        assert (one["wrong_amounts"], one["near_hits"]) == (0, 0), one
        if rule.verdict == "suspicion":
            assert one["recall"] >= SUSPICION_RECALL, one
        else:
            assert (one["missed"], one["false_alarms"]) == ([], []), one
        if rule.verdict == "warning":
            assert one["other_hits"] == 0, one
    assert found["M40"]["clean_hits"] <= STOCK_ALARMS
