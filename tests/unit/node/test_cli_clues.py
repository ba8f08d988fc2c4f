"""`yixin node clues list` as an officer reads it at 80 columns; with --json it is what it was."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from node.app import MEMBERSHIP_DIRECTORY, init_node, opened
from node.cli import app
from scoring_kernel.rules import load_rules
from security.exchange.key_files import create_keys
from security.exchange.membership import save_join
from tests.support.hub_city import FIRST, NODE, join_request, open_city
from tests.support.rule_facts import RuleFacts
from tests.support.rule_runs import put_facts, run

WIDTH = 80
CAPPED = "XL02BBA326A001010100001"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node that joined a hub, with two lines above their price cap, one of them dear."""
    home = init_node(tmp_path / "node", [FIRST])
    joined = home / MEMBERSHIP_DIRECTORY
    with open_city(tmp_path / "hub") as city:
        keys = create_keys(joined, post_quantum=False)
        save_join(joined, city.join(join_request(city.token(NODE, FIRST), keys, city.clock.ms)))
    facts = RuleFacts.of({"visits": {"V1": {"person": "P1"}, "V2": {"person": "P2"}}})
    for visit, price in (("V1", "50.00"), ("V2", "60001.23")):
        facts.line(visit=visit, item=CAPPED, amount=price, count=1, price=price, cap_e6=40_000_000)
    facts.settle()
    book = load_rules()
    with opened(home) as jobs:
        put_facts(jobs.store, facts)
        run(jobs.store, replace(book, rules={"M20": book.rules["M20"]}))
    return home


def told(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(
        app, ["clues", "list", *arguments, "--dir", str(home)], env={"COLUMNS": str(WIDTH)}
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_list_is_readable(home: Path) -> None:
    text = told(home)
    found: dict[str, Any] = json.loads(told(home, "--json"))
    assert [row["amount_fen"] for row in found["rows"]] == [5_996_123, 1_000]
    assert all(row["person"] is True for row in found["rows"])
    for row, amount in zip(found["rows"], ("59,961.23", "10.00"), strict=True):
        (line,) = [one.split() for one in text.splitlines() if one.startswith(row["id"][:12])]
        assert line == [
            *(row["id"][:12], "M20", row["institution"], str(row["month"]), str(row["score"])),
            *("违规", amount, "有"),
        ]
    assert "M20 超医保支付限价收费" in text
    assert all(cell_len(line) <= WIDTH for line in text.splitlines())


def test_what_is_left_out_is_said(home: Path) -> None:
    assert told(home, "--limit", "1").startswith("Clues, 1 of 2\n")
    assert told(home, "--source", "M33") == "Clues: nothing\n"
