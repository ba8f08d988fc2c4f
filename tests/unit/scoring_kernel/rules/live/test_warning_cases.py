"""Every case table of a warning, asked of the live forms as its institution would ask."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from node.supervision.knowing import know
from scoring_kernel.rules import load_rules
from scoring_kernel.rules.live.judge import LiveRules
from scoring_kernel.rules.live.knowledge import KnowledgeIndex
from tests.support.live_rules import LiveCity
from tests.support.rule_facts import EVER, fen, moment
from tests.support.warning_requests import read_request

FOLDER = Path(__file__).parents[4] / "cases" / "rules"
WARNINGS = tuple(rule.id for rule in load_rules().rules.values() if rule.set == "warning")
TABLES: dict[str, list[dict[str, Any]]] = {
    name: [
        case
        for case in yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))["cases"]
        if "request" in case
    ]
    for name in WARNINGS
}
CASES = [
    pytest.param(warning, case, id=f"{warning}-{number}-{case['kind']}")
    for warning, cases in TABLES.items()
    for number, case in enumerate(cases, start=1)
]
KINDS = {"positive", "negative", "boundary"}


@cache
def shipped() -> dict[str, list[dict[str, Any]]]:
    """Proposals of the catalogue by table."""
    return {
        name: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        for name, table in load_rules().knowledge.items()
    }


def rules_with(case: dict[str, Any]) -> LiveRules:
    """The live rules with the knowledge of a case."""
    tables = dict(shipped())
    for name, rows in (case.get("knowledge") or {}).items():
        columns = dict.fromkeys(load_rules().knowledge[name].columns)
        tables[name] = [
            {
                **columns,
                **row,
                "begins_at": moment(row.get("begins_at") or EVER),
                "ends_at": None if row.get("ends_at") is None else moment(row["ends_at"]),
            }
            for row in rows
        ]
    return LiveRules(load_rules(), KnowledgeIndex(tables))


@pytest.mark.parametrize(("warning", "case"), CASES)
def test_a_warning_says_what_its_case_says(
    warning: str, case: dict[str, Any], tmp_path: Path
) -> None:
    asked = read_request(case)
    city = LiveCity(tmp_path, asked.past)
    try:
        known = know(city.reader, asked.encounter)
    finally:
        city.close()
    judgement = rules_with(case).judge(
        asked.encounter, known, asked.infno, (asked.trigger,), only=frozenset((warning,))
    )
    assert not judgement.missing
    assert not judgement.faults
    found = [
        {"rule": one.rule.id, "answer": one.answer, "amount": one.hit.amount_fen}
        for one in judgement.findings
    ]
    expected = [
        {name: fen(value) if name == "amount" else value for name, value in one.items()}
        for one in case["expect"]
    ]
    names = expected[0].keys() if expected else ("rule", "answer", "amount")
    said = [{name: one[name] for name in names} for one in found]
    assert sorted(map(repr, said)) == sorted(map(repr, expected))


@pytest.mark.parametrize(
    "warning", [name for name in WARNINGS if load_rules().rules[name].sql is None]
)
def test_a_warning_has_a_positive_a_negative_and_a_boundary_case(warning: str) -> None:
    assert {case["kind"] for case in TABLES[warning]} == KINDS
    for case in TABLES[warning]:
        assert case["expect"] or case["kind"] != "positive", case["name"]
        assert not case["expect"] or case["kind"] != "negative", case["name"]
