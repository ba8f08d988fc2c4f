"""Lines that no honest institution sends stop no rule: odd codes, greatest numbers, empty texts."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from tests.support.rule_engine import find_hits
from tests.support.rule_facts import RuleFacts

RULES: Final = tuple(f"M{number:02d}" for number in range(1, 21))
KEY: Final = re.compile(r"[A-Za-z0-9._:|-]{0,80}")
GREATEST: Final = 10**15 - 1
"""Greatest number, scaled, that the intake lets through."""
DRUG: Final = "XL02BBA326A001010102180"
CODES: Final = (
    *(DRUG, "XL02BBA326 '; --", "XL02BBA326 中文", "XL02BBE088A00101010000", "X", "Z", ""),
    *("XA10BJD332B002010100001", "ZA04CAE0023010100166"),
)
ITEM: Final = "001102000050000"
SECOND: Final = "003310010160000"

KNOWLEDGE: Final[dict[str, list[dict[str, Any]]]] = {
    "k_drug_gender": [{"code": DRUG, "gender": "2"}],
    "k_item_gender": [{"code": ITEM, "gender": "2"}],
    "k_drug_child": [{"code": DRUG, "stage": "child"}],
    "k_item_child": [{"code": ITEM, "stage": "child"}],
    "k_drug_insutype": [{"code": DRUG, "insurance": "work_injury"}],
    "k_drug_hosplevel": [{"code": DRUG, "min_rank": 3}],
    "k_drug_setting": [{"code": DRUG, "setting": "inpatient"}],
    "k_drug_course": [{"code": DRUG, "generic": DRUG[:10], "limit_days": 1}],
    "k_item_mutex": [{"code": ITEM, "sub_code": SECOND, "scope": "day"}],
    "k_item_freq": [{"code": ITEM, "day_limit": 1, "hourly": False}],
    "k_item_cycle": [{"code": ITEM, "days": 30, "times": 1}],
    "k_item_course": [{"code": ITEM, "total_days": 1, "min_gap_days": 9, "per_disease": True}],
    "k_op_group": [
        {"code": ITEM, "group_code": "G"},
        {"code": SECOND, "group_code": "G", "full_price_e6": 1},
    ],
}


def hostile() -> RuleFacts:
    """Five visits on two days with every odd line at once."""
    facts = RuleFacts()
    facts.institution("H1", level="08")
    facts.person("P1", gender="1", born="1970-01-01")
    facts.knowledge |= KNOWLEDGE
    for number in range(1, 6):
        begins = f"2026-03-0{number % 2 + 1} 0{number}:00"
        facts.visit(f"V{number}", begins=begins, diagnoses=["I10"], medfee=1, inscp=1, fund=1)
        for code in (*CODES, ITEM, SECOND):
            common = {"visit": f"V{number}", "item": code, "cap_e6": 1}
            facts.line(**common, days=GREATEST, dose="9999999mg", frequency="qh")
            facts.line(**common, days=8, dose="9999999.9999g", frequency="tid")
            facts.line(**common, days=0, dose="", frequency="")
    for row in facts.records["fee_detail"]:
        row.update(dict.fromkeys(("amount_fen", "inscp_fen", "price_e6", "quantity_e4"), GREATEST))
    return facts


@pytest.mark.parametrize("rule", RULES)
def test_odd_codes_and_greatest_numbers_stop_no_rule(rule: str) -> None:
    hits = find_hits(rule, hostile())
    assert hits
    for hit in hits:
        assert KEY.fullmatch(hit.key or "")
        assert 0 <= hit.amount_fen <= 5 * 24 * GREATEST
