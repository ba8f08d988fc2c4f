"""Stock, stays and registers that no honest institution sends stop no rule (M21 to M48, W01, W02).

The intake lets through any text of thirty to a hundred characters as a code, and numbers of
fifteen digits, scaled.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from scoring_kernel.rules import load_rules
from tests.support.rule_engine import find_hits
from tests.support.rule_facts import RuleFacts

RULES: Final = tuple(rule.id for rule in load_rules().runnable if rule.id >= "M21")
FOUND: Final = {"M21", "M22", "M23", "M25", "M26", "M27", "M28", "M30", "M33", "M34", "M35"} | {
    *("M36", "M37", "M38", "M39", "M40", "M41", "M42", "M45", "W01", "W02"),
}
"""Rules of which the hostile facts hold at least one case."""
KEY: Final = re.compile(r"[A-Za-z0-9._:|-]{0,80}")
GREATEST: Final = 10**15 - 1
"""Greatest number, scaled, that the intake lets through."""
DRUG: Final = "XL02BBA326A001010102180"
CODES: Final = (
    *(DRUG, "X'; DROP TABLE line; --", "X 中文", "X" * 100, "Z", "", "C1402", "C ' 1"),
    *("001109000010000", "001201000010000", "003301000150000", "C9900000000000000002"),
)
TRACES: Final = ("81234567890123456789", "(01)0690 '; --", "码" * 30)
STAYS: Final = (
    ("V1", "H1", "2026-03-01 09:00", "2026-03-04 09:00"),
    ("V2", "H1", "2026-03-02 09:00", "2026-03-05 09:00"),
    ("出院 ' 1", "H1", "2026-03-03 09:00", "2026-03-06 09:00"),
    ("出院 ' 2", "H2", "2026-03-04 09:00", "2026-03-07 09:00"),
    ("V5", "H2", "2026-03-05 08:10", None),
    ("再 ' 1", "H1", "2026-03-15 09:00", "2026-03-18 09:00"),
)
_WHATS: Final = ("purchase", "sale", "sale_return", "purchase_return", "count", "change")


def hostile() -> RuleFacts:
    """Visits, stock and registers with every odd value at once."""
    facts = RuleFacts()
    for name in ("H1", "H2", "S1"):
        far = {"latitude_e6": GREATEST, "longitude_e6": -GREATEST}
        facts.institution(name, level="99", beds=GREATEST, group_code="组 ' \"", **far)
    facts.person("P1", gender="1", born="1970-01-01")
    money = {"medfee": 1, "inscp": 0.01, "fund": 10**13}
    for name, place, begins, discharged in STAYS:
        facts.visit(
            name,
            institution=place,
            inpatient=discharged is not None,
            begins=begins,
            discharged=discharged,
            diagnoses=["' OR 1=1"],
            **money,
        )
        _lines(facts, name)
    for number in range(5):
        for day in (1, 2, 3):
            name = f"刷 ' {number} {day}"
            begins = f"2026-04-0{day} 10:00"
            at = {"institution": "S1", "med_type": "41", "person": f"P{number + 2}"}
            facts.visit(name, begins=begins, **at, **money)
            facts.line(visit=name, item="X ' 1", amount=1)
    _stock(facts)
    _registers(facts)
    return facts


def _lines(facts: RuleFacts, name: str) -> None:
    for code in CODES:
        for level in ("03", "' ", None):
            facts.line(visit=name, item=code, level=level, local_code="项 '", doctor="D 名 '")
    for row in facts.records["fee_detail"]:
        row.update(dict.fromkeys(("amount_fen", "inscp_fen", "price_e6", "quantity_e4"), GREATEST))


def _stock(facts: RuleFacts) -> None:
    for what in _WHATS:
        for code in CODES:
            for size in (1, 1_000_000_000_000, GREATEST):
                facts.record(
                    "stock_movement",
                    institution="S1" if what in ("sale", "count") else "H1",
                    what=what,
                    item_code=code,
                    occurred_at="2026-03-01 08:00",
                    quantity_e4=size,
                    price_e6=min(size, 1_000_000_000_000),
                    change_type="' 101",
                    setl_id="结 ' 1",
                    trace=TRACES[1],
                    rx=True,
                )
    for code in TRACES:
        for name in ("V1", "V2", "出院 ' 1"):
            facts.record(
                "trace_code", visit=name, code=code, what="settlement", source="s", line="L1"
            )
        facts.record("trace_code", code=code, what="purchase", source="p", item_code="X 别的")


def _registers(facts: RuleFacts) -> None:
    person: dict[str, Any] = {"person": "P1"}
    facts.record("death", **person, died_at="2000-01-01")
    facts.record("benefit_freeze", **person, reason_code="'")
    facts.record("insurance_status", **person, insutype="310", status="'", stated_at="2000-01-01")
    for name in ("H1", "H2", "S1"):
        facts.record("agreement_status", institution=name, status="suspended")
        facts.record("staff_member", institution=name, staff="N1", type="' 1")
    for number in range(3):
        at = f"2026-03-05 0{number}:00"
        facts.record("identity_event", visit="V5", at=at, place="window", result="' match")
        facts.record("identity_event", visit="V1", at=at, place="bed", result="absent")
    code = {"item_code": DRUG, "local_code": "项 '"}
    facts.record("alignment", what="upload", **code, stated_at="2000-01-01")
    for item in CODES:
        facts.record("catalogue_item", item_code=item, begins_at="2027-01-01", valid=True)


@pytest.mark.parametrize("rule", RULES)
def test_odd_texts_and_greatest_numbers_stop_no_rule(rule: str) -> None:
    hits = find_hits(rule, hostile())
    assert hits or rule not in FOUND
    for hit in hits:
        assert KEY.fullmatch(hit.key or "")
        assert 0 <= hit.amount_fen < 2**63
