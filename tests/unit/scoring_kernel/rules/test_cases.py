"""Every case table of ``tests/cases/rules`` through relations and statements, in DuckDB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring_kernel.rules import load_rules
from tests.support.rule_engine import FoundHit, find_hits
from tests.support.rule_facts import RuleFacts, fen

FOLDER = Path(__file__).parents[3] / "cases" / "rules"
RULES = sorted(
    path.stem
    for path in (Path(__file__).parents[4] / "scoring_kernel/catalog/rules").glob("*.yaml")
    if "\nsql: |" in path.read_text(encoding="utf-8")
)
KEY = re.compile(r"[A-Za-z0-9._:|-]{0,80}")
KINDS = ("positive", "negative", "boundary")
TABLES: dict[str, list[dict[str, Any]]] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]
    for path in sorted(FOLDER.glob("*.yaml"))
}
CASES = [
    pytest.param(rule, case, id=f"{rule}-{number}-{case['kind']}")
    for rule, cases in TABLES.items()
    for number, case in enumerate(cases, start=1)
    if "request" not in case  # asked of the live forms
]


def said(hit: FoundHit, expected: dict[str, Any]) -> dict[str, Any]:
    """What a hit says about the fields that a case names."""
    found: dict[str, Any] = {
        "visit": hit.visit,
        "person": hit.person,
        "institution": hit.institution,
        "key": hit.key,
        "amount": hit.amount_fen,
        "staff": sorted(hit.staff),
        "evidence": len(hit.evidence),
    }
    return {name: found[name] for name in expected}


def stated(expected: dict[str, Any]) -> dict[str, Any]:
    """The same fields as the case states them."""
    shown = {name: str(one) if name == "key" else one for name, one in expected.items()}
    if "amount" in shown:
        shown["amount"] = fen(shown["amount"])
    if "staff" in shown:
        one = shown["staff"]
        shown["staff"] = sorted([one] if isinstance(one, str) else one or [])
    return shown


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_a_rule_finds_what_its_case_says(rule: str, case: dict[str, Any]) -> None:
    found = find_hits(rule, RuleFacts.of(case))
    expected = [stated(one) for one in case["expect"]]
    shape = expected[0] if expected else {"visit": None, "amount": None, "key": None}
    assert sorted(map(repr, (said(hit, shape) for hit in found))) == sorted(map(repr, expected))
    for hit in found:
        assert KEY.fullmatch(hit.key or "")
        assert any(role == 1 for _, _, role in hit.evidence)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_positive_a_negative_and_a_boundary_case(rule: str) -> None:
    kinds = {case["kind"] for case in TABLES.get(rule, [])}
    assert kinds == {*KINDS}
    for case in TABLES[rule]:
        assert case["expect"] or case["kind"] != "positive", case["name"]
        assert not case["expect"] or case["kind"] != "negative", case["name"]


@pytest.mark.parametrize("rule", TABLES)
def test_a_case_table_says_which_rule_it_is_of(rule: str) -> None:
    text = (FOLDER / f"{rule}.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["rule"] == rule
    assert rule in load_rules().rules
