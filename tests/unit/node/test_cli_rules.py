"""`yixin node rules` on a real node directory, in this process: what it says and exits with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from node.app import opened
from node.cli import app
from node.rule_jobs import packed, unpacked
from node.rule_running import RULES_LOCK
from node.store.hits import SealedHit
from security.operator import writer_lock
from tests.support.rule_facts import RuleFacts
from tests.support.rule_runs import put_facts

Run = Callable[..., Result]
CAPPED = "XL02BBA326A001010100001"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node with one line above its price cap."""
    home = tmp_path / "node"
    done = CliRunner().invoke(app, ["init", "--institution", "H33030200001", "--dir", str(home)])
    assert done.exit_code == 0, done.output
    facts = RuleFacts.of({"visits": {"V1": {"person": "P1"}}})
    facts.line(visit="V1", item=CAPPED, amount="100.00", count=2, price="50.00", cap_e6=40_000_000)
    facts.settle()
    with opened(home) as jobs:
        put_facts(jobs.store, facts)
    return home


@pytest.fixture
def run(home: Path) -> Run:
    def command(*arguments: str, expect: int = 0) -> Result:
        named = ["rules", *arguments, "--dir", str(home)]
        done = CliRunner().invoke(app, named, env={"COLUMNS": "200"})
        assert done.exit_code == expect, done.output
        return done

    return command


def answer(done: Result) -> Any:  # noqa: ANN401 - JSON
    return json.loads(done.stdout)


def test_a_line_above_its_cap_is_found_shown_and_explained(run: Run) -> None:
    assert "No rules have run yet" in run("show").stdout
    assert "1 rule, 1 hit, 1 of them new." in run("run", "--rule", "M20").stdout
    told = answer(run("run", "--rule", "M20", "--json"))
    assert [(one["hits"], one["new"], one["gone"]) for one in told["rules"]] == [(1, 0, 0)]
    shown = run("show").stdout
    assert "超医保支付限价收费" in shown
    assert "20.00" in shown
    (hit,) = answer(run("show", "--json"))["hits"]
    text = run("explain", hit["id"]).stdout
    assert "M20 超医保支付限价收费：违规，20.00 元" in text
    assert "参数 容许的超出比例：0.001" in text
    assert "第三十八条第（三）项" in text
    assert f"项目 {CAPPED}，" in text
    assert "数量 2，单价 50" in text
    assert "33************************ (26 characters)" in text


def test_months_narrow_what_is_looked_for(run: Run) -> None:
    assert (
        answer(run("run", "--rule", "M20", "--month", "202602", "--json"))["rules"][0]["hits"] == 0
    )
    assert (
        answer(run("run", "--rule", "M20", "--from", "202603", "--json"))["rules"][0]["hits"] == 1
    )
    assert answer(run("show", "--month", "202602", "--json"))["hits"] == []
    assert "not both" in run("run", "--month", "202602", "--from", "202601", expect=2).output
    assert "is no month" in run("show", "--month", "202600", expect=2).output


def test_mistakes_are_told(run: Run, home: Path) -> None:
    assert "is no rule" in run("run", "--rule", "M99", expect=3).output
    assert "has no form that runs afterwards" in run("run", "--rule", "W05", expect=3).output
    assert "is no hit of this node" in run("explain", "00", expect=3).output
    assert "is no hit of this node" in run("explain", "nothex", expect=3).output
    with writer_lock(home, RULES_LOCK):
        assert "another process" in run("run", "--rule", "M20", expect=4).output


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--max-seconds", "inf"),
        ("run", "--max-seconds", "nan"),
        ("run", "--max-seconds", "1e300"),
        ("run", "--max-memory", "0"),
        ("run", "--max-memory", "9999999999999999"),
        ("show", "--limit", "99999999999999999999"),
        ("show", "--offset", "9223372036854775808"),
        ("show", "--month", "202613"),
        ("show", "--month", "-1"),
    ],
    ids=" ".join,
)
def test_numbers_out_of_all_bounds_are_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    assert "Error" in run(*arguments, expect=2).output


@pytest.mark.parametrize("named", ["", " ", "  "])
def test_no_text_at_all_is_told_that_an_id_is_expected(run: Run, named: str) -> None:
    run("run", "--rule", "M20")
    assert "expected an id or its first digits" in run("explain", named, expect=3).output


@pytest.mark.parametrize("named", ["%", "*", "' or 1=1 --", "\x1b[31m", "f" * 5_000])
def test_a_hit_is_named_by_digits_and_nothing_else(run: Run, named: str) -> None:
    output = run("explain", named, expect=3).output
    assert "is no hit of this node" in output
    assert "\x1b" not in output
    assert len(output) < 1_000


def test_a_rule_without_memory_is_stopped_and_said_so(run: Run) -> None:
    done = run("run", "--rule", "M20", "--max-seconds", "1", "--max-memory", "64")
    assert "1 rule, " in done.stdout


def test_a_sealed_hit_travels_as_json() -> None:
    hit = SealedHit(
        id=bytes(16),
        version="-",
        institution="H33030200001",
        month=202603,
        at="2026-03-02T09:00:00",
        amount_fen=5,
        verdict="violation",
        digest=b"12345678",
        body=b"\x00\xff",
    )
    assert unpacked(json.loads(json.dumps(packed(hit)))) == hit
