"""Topics and indicators on the command line of a node: what they say, mask and log."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from node.app import opened
from node.cli import app
from tests.support import node_messages as m
from tests.support.rule_facts import RuleFacts
from tests.support.rule_runs import put_facts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node that holds visits of February and March; in March somebody comes five times."""
    directory = tmp_path / "node"
    made = CliRunner().invoke(app, ["init", "--dir", str(directory), "--institution", m.HOSPITAL])
    assert made.exit_code == 0, made.output
    facts = RuleFacts()
    facts.visit("V1", begins="2026-02-10 09:00", person="P1")
    for day in range(2, 7):
        facts.visit(f"V{day}", begins=f"2026-03-{day:02d} 09:00", person="P1")
    for number in range(1, 7):
        facts.line(visit=f"V{number}", item="XA01", amount=10 * number, doctor="D1")
    facts.settle()
    with opened(directory) as jobs:
        put_facts(jobs.store, facts)
    return directory


@pytest.fixture
def run(home: Path) -> Run:
    runner = CliRunner()

    def command(*arguments: str, expect: int = 0) -> Result:
        done = runner.invoke(app, ["topics", *arguments, "--dir", str(home)])
        assert done.exit_code == expect, done.output
        return done

    return command


def answer(done: Result) -> dict[str, Any]:
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_all_topics_run_and_the_second_time_nothing_is_counted(run: Run) -> None:
    first = answer(run("run", "--json"))
    assert (first["month"], first["months"]) == (202603, [202602, 202603])
    assert len(first["topics"]) == 19
    assert first["counted"] > 0
    (fund,) = [one for one in first["topics"] if one["topic"] == "T01"]
    assert fund["rows"][0]["month"] == "2026-03"
    assert fund["rows"][0]["fund"] == "200.00"
    assert fund["chart"]["series"][0]["encode"] == {"x": "month", "y": "fund"}
    assert fund["thresholds"][0]["basis"] == "supervision_topics_proposal"
    assert answer(run("run", "--json", "--topic", "T01"))["counted"] == 0


def test_persons_are_masked_until_somebody_answers_for_it(run: Run, home: Path) -> None:
    person = RuleFacts().code("P1")
    shown = run("run", "--topic", "T08").stdout
    assert person not in shown
    assert "#" in shown
    again = run("run", "--topic", "T08", "--json").stdout
    assert person not in again
    log = "select operator, action from operator_log where action = 'topics_reveal'"
    assert _rows(home, log) == []
    open_ = run("run", "--topic", "T08", "--reveal", "--operator", "officer", "--json").stdout
    assert person in open_
    assert _rows(home, log) == [("officer", "topics_reveal")]


def _rows(home: Path, sql: str) -> list[Any]:
    with sqlite3.connect(home / "node.db") as connection:
        return connection.execute(sql).fetchall()


def test_a_table_is_read_on_a_screen(run: Run) -> None:
    shown = run("run", "--topic", "T01", "--month", "202602").stdout
    assert "2026-02 基金支付 10.00 元，1 人次，同比 无数据" in shown
    assert "未含：当期结余率与可支付月数：没有基金收入与累计结存" in shown


def test_indicators_of_an_institution_with_their_reasons(run: Run) -> None:
    told = answer(run("indicators", "--subject", m.HOSPITAL, "--json"))
    assert told["found"] == 160
    by_id = {one["id"]: one for one in told["indicators"]}
    assert by_id["I001"]["value"] == "5"
    assert by_id["I003"]["value"] == "4.0000"
    units = {name: (by_id[name]["unit"], by_id[name]["unit_zh"]) for name in ("I001", "I003")}
    assert units == {"I001": ("visit", "人次"), "I003": ("1", "比值")}
    assert by_id["I109"]["reason_zh"] == "没有 DRG 分组结果与权重"
    assert by_id["I153"]["reason_zh"] == "所需的度量这几个月没有统计"
    screen = run("indicators", "--indicator", "I001", "--indicator", "I109").stdout
    assert "就诊人次" in screen
    (row,) = [line for line in screen.splitlines() if "I001" in line]
    assert row.rstrip(" │|").endswith("人次")
    assert "DRG" in screen
    persons = answer(run("indicators", "--kind", "person", "--indicator", "I257", "--json"))
    assert [one["value"] for one in persons["indicators"]] == ["5"]
    assert persons["indicators"][0]["subject"].startswith("#")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "--topic", "T99"), "is no topic"),
        (("run", "--month", "202512"), "this node has 202602 to 202603"),
        (("indicators", "--indicator", "I490"), "expected I001 to I489"),
        (("indicators", "--kind", "nurse"), "is no kind of subject"),
        (("indicators", "--subject", "H33030299999"), "has no records in 202603"),
    ],
)
def test_what_is_not_there_is_said(run: Run, arguments: tuple[str, ...], told: str) -> None:
    done = run(*arguments, expect=3)
    assert told in done.output.replace("\n", " ")


def test_a_node_without_records_says_so(tmp_path: Path) -> None:
    directory = str(tmp_path / "empty")
    runner = CliRunner()
    assert runner.invoke(app, ["init", "--dir", directory]).exit_code == 0
    done = runner.invoke(app, ["topics", "run", "--dir", directory])
    assert done.exit_code == 0
    assert "nothing has been taken in" in done.output


def test_topics_are_listed() -> None:
    done = CliRunner().invoke(app, ["topics", "list", "--json"])
    listed = json.loads(done.stdout)["topics"]
    assert [one["topic"] for one in listed] == [f"T{number:02d}" for number in range(1, 20)]
