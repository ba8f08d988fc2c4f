"""Topics and indicators at a hub, over what two nodes stated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.store.engine import reading
from hub.supervision.topics import HubTopics
from protos.yixin.v1 import statement_pb2
from scoring_kernel import load_catalog
from scoring_kernel.statements import rows_digest
from scoring_kernel.supervision.loading import load_supervision
from scoring_kernel.supervision.outcomes import NOT_STATED
from scoring_kernel.supervision.telling import told_indicators
from tests.support.hub_city import FIRST, SECOND, THIRD, City, Sender, ipc

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERVISION = load_supervision()
UNITS = load_catalog().units
MARCH = 202603
DOCTOR = "D330302000001"


def state(
    city: City, sender: Sender, name: str, rows: list[tuple[str, int, str, dict[str, int]]]
) -> None:
    """State slots of one set, each of one row: institution, month, subject, measures."""
    measures = [measure.id for measure in SUPERVISION.sets[name].measures]
    batch = statement_pb2.StatementBatch(measure_set=name)
    columns: dict[str, list[Any]] = {"institution": [], "month": [], "subject": []}
    columns |= {measure: [] for measure in measures}
    for institution, month, subject, values in rows:
        whole = {measure: values.get(measure, 0) for measure in measures}
        digest = rows_digest(
            [institution], [month], [subject], {key: [value] for key, value in whole.items()}
        )
        batch.slots.append(
            statement_pb2.SlotStatement(
                institution=institution,
                measure_set=name,
                month=month,
                version=1,
                ledger_size=10,
                rows=1,
                digest=digest,
                part=1,
                parts=1,
            )
        )
        for key, value in {
            "institution": institution,
            "month": month,
            "subject": subject,
            **whole,
        }.items():
            columns[key].append(value)
    types = {"institution": pa.string(), "month": pa.int32(), "subject": pa.string()}
    batch.rows_ipc = ipc(
        pa.table({key: pa.array(one, types.get(key, pa.int64())) for key, one in columns.items()})
    )
    results = city.submit(
        sender.seal(batch.SerializeToString(deterministic=True)), peer=sender.member
    )
    assert all(one is not None for one in results)


@pytest.fixture
def city(city: City, node: Sender, other: Sender) -> City:
    """Two nodes stated: three institutions, one doctor who works at two of them."""
    for month, fund in ((202503, 1000), (MARCH, 1200)):
        row = {"settlements": 4, "persons": 4, "medfee_fen": 2000, "fund_fen": fund}
        state(city, node, "care", [(code, month, code, row) for code in (FIRST, SECOND)])
        state(city, other, "care", [(THIRD, month, THIRD, row)])
    work = {"visits": 6, "persons": 5, "work_days": 2, "busiest_day": 4, "amount_fen": 6000}
    state(city, node, "practice", [(FIRST, MARCH, DOCTOR, work)])
    state(city, other, "practice", [(THIRD, MARCH, DOCTOR, work | {"busiest_day": 9})])
    state(city, node, "hit", [(FIRST, MARCH, FIRST, {"visits": 1}), (SECOND, MARCH, SECOND, {})])
    return city


@pytest.fixture
def topics(city: City) -> Iterator[HubTopics]:
    with reading(city.parts.engine) as connection:
        yield HubTopics(
            connection=connection, statements=city.parts.statements, supervision=SUPERVISION
        )


def test_what_nodes_stated_is_merged(topics: HubTopics) -> None:
    assert topics.months() == (202503, MARCH)
    (found,) = topics.run([SUPERVISION.topics["T01"]], MARCH)
    newest = found.rows[0]
    assert (newest["month"], newest["fund"], newest["yoy"]) == ("2026-03", 3600, 200_000)
    assert found.alerts == 1


def test_one_doctors_practice_merges_over_institutions(topics: HubTopics) -> None:
    told = told_indicators(topics.indicators("physician", MARCH), UNITS, subject=DOCTOR)
    by_id = {one["id"]: one["value"] for one in told}
    assert by_id["I161"] == "12"
    assert by_id["I173"] == "9"
    assert by_id["I177"] == "10.00"
    assert by_id["I169"] == "3.00"


def test_what_a_node_did_not_state_is_no_zero(topics: HubTopics) -> None:
    table = topics.indicators("institution", MARCH)
    told = {one["subject"]: one for one in told_indicators(table, UNITS, only=["I153"])}
    assert told[FIRST]["value"] == "0.2500"
    assert told[SECOND]["value"] == "0.0000"
    assert (told[THIRD]["value"], told[THIRD]["reason_zh"]) == (None, NOT_STATED.zh)


def test_what_stays_at_the_nodes_says_so(topics: HubTopics) -> None:
    absent = {name: topics.absence(topic) for name, topic in SUPERVISION.topics.items()}
    here = {name for name, reason in absent.items() if reason is None}
    assert here == {"T01", "T02", "T03", "T04", "T05", "T07", "T13", "T19"}
    reason = absent["T12"]
    assert reason is not None
    assert "只在各节点内计算" in reason.zh


def test_on_the_command_line(city: City) -> None:
    home = ("--dir", str(city.parts.directory))
    runner = CliRunner()
    done = runner.invoke(app, ["topics", "run", *home, "--json"])
    assert done.exit_code == 0, done.output
    told = {one["topic"]: one for one in json.loads(done.stdout)["topics"]}
    assert len(told) == 19
    assert told["T01"]["rows"][0]["fund"] == "36.00"
    assert "absent_zh" in told["T08"]
    screen = runner.invoke(app, ["topics", "run", *home, "--topic", "T01"]).stdout
    assert "2026-03 基金支付 36.00 元" in screen
    listed = runner.invoke(app, ["topics", "indicators", *home, "--indicator", "I001", "--json"])
    assert {one["value"] for one in json.loads(listed.stdout)["indicators"]} == {"4"}
    for arguments, words in {
        ("run", "--topic", "T99"): "no topic",
        ("run", "--month", "202412"): "was not stated",
        ("indicators", "--kind", "person"): "no indicators at a hub",
        ("indicators", "--indicator", "X"): "no indicator",
        ("indicators", "--subject", "H1"): "not stated",
    }.items():
        wrong = runner.invoke(app, ["topics", *arguments, *home])
        assert wrong.exit_code != 0
        assert words in wrong.output.replace("\n", " ")


def test_a_hub_without_statements_says_so(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    home = ("--dir", str(tmp_path / "hub"))
    runner = CliRunner()
    made = ["init", *home, "--level", "city", "--division", "330300", "--name", "City"]
    assert runner.invoke(app, made).exit_code == 0
    done = runner.invoke(app, ["topics", "run", *home, "--json"])
    told = {one["topic"]: one for one in json.loads(done.stdout)["topics"]}
    assert "没有节点上报过" in told["T01"]["absent_zh"]
    assert told["T19"]["finding_zh"] == "还没有等级。"
