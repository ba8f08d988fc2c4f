"""A simulated month, as its bureau has it, agrees with an honest node's records, to the fen."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.errors import SimulationError
from deploy.simulation.clearing import Clearing, write_clearing
from deploy.simulation.simulate import Order, simulate
from node.domain.institutions import Institution
from node.inspection.clearing import check_clearing, read_clearing
from node.inspection.findings import Check
from node.inspection.totals import check_totals, read_totals
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MONTH = 202605
NOW = datetime(2026, 7, 2, 4, tzinfo=UTC)
SEED = bytes(32)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("city") / "city"
    order = Order(institutions=3, claims=400, periods=("2026H1",))
    simulate(order, out, lambda _what, _done, _total: None)
    return out


@pytest.fixture(scope="module")
def bureau(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Clearing:
    return write_clearing(city, MONTH, tmp_path_factory.mktemp("bureau"))


@pytest.fixture(scope="module")
def store(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeStore]:
    directory = tmp_path_factory.mktemp("node")
    opened = NodeStore(directory, Vault(bytes(range(32))))
    with (city / "institutions.csv").open(encoding="utf-8-sig") as file:
        codes = [row["institution"] for row in csv.DictReader(file)]
    opened.set_institutions([Institution(code=code) for code in codes])
    for path in sorted((city / "messages").rglob("*.jsonl")):
        ingest_file(opened, load_catalog(), path, now=NOW)
    yield opened
    opened.close()


def test_an_honest_nodes_records_are_what_was_cleared(store: NodeStore, bureau: Clearing) -> None:
    kinds = [load_catalog().records["settlement"]]
    with store.record_ledger.committed(kinds) as opened:
        findings, leaves = check_clearing(
            opened,
            read_clearing(bureau.clearing),
            [one.code for one in store.institutions()],
            month=MONTH,
            size=opened.size,
            seed=SEED,
            wanted=1_000,
        )
        totals = list(check_totals(opened, read_totals(bureau.totals), opened.size))
    assert findings.findings == ()
    assert findings.cleared == findings.recorded == bureau.rows == len(leaves)
    assert totals
    assert [one for one in totals if one.platform != one.recorded] == []
    # A reversal is among them: its amounts are negative on both sides.
    assert ",1\n" in bureau.clearing.read_text("utf-8")


def test_a_settlement_that_the_node_lacks_shows_in_both(
    store: NodeStore, bureau: Clearing, tmp_path: Path
) -> None:
    lines = bureau.clearing.read_text("utf-8").splitlines(keepends=True)
    hidden = next(line for line in lines if line.endswith(",0\n"))
    more = tmp_path / "clearing.csv"
    number = hidden.split(",")[1]
    more.write_text("".join([*lines, hidden.replace(number, f"{number}9")]), encoding="utf-8")
    message = bureau.totals.read_text("utf-8").splitlines()[0]
    count = message.split('"fixmedins_setl_cnt":')[1].rstrip("}")
    totals = tmp_path / "3201.jsonl"
    totals.write_text(message.replace(f":{count}", f":{int(count) + 1}", 1), encoding="utf-8")
    with store.record_ledger.committed([load_catalog().records["settlement"]]) as opened:
        findings, _ = check_clearing(
            opened,
            read_clearing(more),
            [one.code for one in store.institutions()],
            month=MONTH,
            size=opened.size,
            seed=SEED,
            wanted=1_000,
        )
    assert [one.check for one in findings.findings] == [Check.HIDDEN]
    assert number in findings.findings[0].subject


def test_the_command_writes_once_and_says_what_is_wrong(city: Path, tmp_path: Path) -> None:
    run = CliRunner()
    line = ["simulate", "clearing", str(city), "--month", "202605", "--out", str(tmp_path / "out")]
    first = run.invoke(app, line)
    assert (first.exit_code, "settlements and reversals" in first.output) == (0, True)
    again = run.invoke(app, line)
    assert (again.exit_code, "already there" in again.output) == (2, True)
    with pytest.raises(SimulationError, match="found no settlement of 199901"):
        write_clearing(city, 199901, tmp_path)
