"""Explanations over real records: values masked, what was in force on the day, what is gone."""

from dataclasses import replace
from typing import Any

import pytest

from node.store import NodeStore
from node.store.knowledge import NewImport
from node.supervision.explaining import MAX_RECORDS, explain_hit
from scoring_kernel import load_catalog
from scoring_kernel.rules import KnowledgeTable, RuleBook
from tests.support.rule_facts import RuleFacts, moment, short_code
from tests.support.rule_runs import book, put_facts, rule, run

ITEM = "XL02BBA326A001010100001"
OTHER = "XL02BBD348A001010100001"


def known(*rows: tuple[str, str, str | None]) -> KnowledgeTable:
    """Knowledge of items: code, first day, first day after."""
    return KnowledgeTable(
        id="k_test",
        name_zh="试验表",
        columns={"code": "string", "begins_at": "timestamp[s]", "ends_at": "timestamp[s]"},
        nullable=frozenset({"ends_at"}),
        source="试验",
        rows=tuple(
            (code, moment(begins), None if ends is None else moment(ends))
            for code, begins, ends in rows
        ),
    )


def explained(store: NodeStore, of: RuleBook, *, revealed: bool = False) -> dict[str, object]:
    (hit,) = store.supervision.hits()
    return explain_hit(store, store.supervision, of, load_catalog(), hit, revealed=revealed)


@pytest.fixture
def facts() -> RuleFacts:
    made = RuleFacts.of({"visits": {"V1": {"person": "P1"}}})
    made.line(
        visit="V1",
        item=ITEM,
        amount="12.30",
        count=2,
        price="6.15",
        doctor="D1",
        charge_type="09",
        level="02",
        cap_e6=5_000_000,
    )
    return made


def only_evidence(told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Give the one record that a hit rests on."""
    (line,) = told["evidence"]
    assert isinstance(line, dict)
    return line


def only_knowledge(told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Give the one row of knowledge that a hit is about."""
    (row,) = told["knowledge"]
    assert isinstance(row, dict)
    return row


def test_a_line_is_told_in_yuan_and_its_person_masked(store: NodeStore, facts: RuleFacts) -> None:
    put_facts(store, facts)
    of = book(rule())
    run(store, of)
    told = explained(store, of)
    assert told["says"] is not None
    line = only_evidence(told)
    (values,) = line["values"]
    assert values["item_code"] == ITEM
    assert (values["amount"], values["quantity"], values["price"]) == ("12.30", "2", "6.15")
    (words,) = line["values_zh"]
    assert (words["金额"], words["数量"], words["单价"]) == ("12.30 元", "2", "6.15 元")
    assert (words["收费类别"], words["费用等级"]) == ("09（西药费）", "02（乙类）")
    assert words["限价"] == "5 元"
    assert words["人员"] == values["person"]
    person = short_code("P1")
    assert values["person"] == "33************************ (26 characters)"
    assert person not in str(told)
    assert short_code("D1") not in str(told)
    assert person in str(explained(store, of, revealed=True))


def test_only_knowledge_of_the_item_that_held_on_the_day_is_told(
    store: NodeStore, facts: RuleFacts
) -> None:
    put_facts(store, facts)
    table = known(
        (ITEM, "2026-01-01", None), (ITEM, "2025-01-01", "2026-01-01"), (OTHER, "2026-01-01", None)
    )
    of = book(rule(knowledge=("k_test",)), knowledge={"k_test": table})
    run(store, of)
    told = explained(store, of)
    assert [one["row"] for one in told["knowledge"]] == [  # type: ignore[attr-defined]  # JSON
        {"code": ITEM, "begins_at": "2026-01-01"}
    ]


def test_knowledge_is_told_in_words_and_by_the_import_it_came_from(
    store: NodeStore, facts: RuleFacts
) -> None:
    put_facts(store, facts)
    table = KnowledgeTable(
        id="k_drug_gender",
        name_zh="限性别药品",
        columns={
            "code": "string",
            "gender": "string",
            "begins_at": "timestamp[s]",
            "ends_at": "timestamp[s]",
        },
        nullable=frozenset({"ends_at"}),
        source="建议；试验",
        rows=((ITEM, "2", moment("2025-01-01"), None),),
    )
    of = book(rule(knowledge=("k_drug_gender",)), knowledge={"k_drug_gender": table})
    run(store, of)
    proposed = only_knowledge(explained(store, of))
    assert proposed["source"] == "建议；试验"
    assert proposed["row_zh"] == {"编码": ITEM, "性别": "2（女）", "起始": "2025-01-01"}
    for begins_on, name in (("2026-01-01", "第一批.csv"), ("2026-12-01", "第二批.csv")):
        store.supervision.import_knowledge(
            NewImport(
                sha256=bytes(32),
                source=name,
                begins_on=begins_on,
                imported_at="2026-11-22T00:00:00+00:00",
                operator="officer",
                unbound=0,
                tables={"k_drug_gender": [{"code": ITEM, "gender": "1"}]},
            )
        )
    told = only_knowledge(explained(store, of))
    assert told["source"] == "导入：第一批.csv，自 2026-01-01 起"
    assert told["row"] == {
        "code": ITEM,
        "gender": "1",
        "begins_at": "2026-01-01",
        "ends_at": "2026-12-01",
    }
    assert told["row_zh"] == {
        "编码": ITEM,
        "性别": "1（男）",
        "起始": "2026-01-01",
        "终止": "2026-12-01",
    }


def test_a_record_that_is_gone_and_a_rule_that_is_gone_are_told_so(
    store: NodeStore, facts: RuleFacts
) -> None:
    put_facts(store, facts)
    run(store, book(rule()))
    store.flush()
    store.drop_months("fee_detail", [202603])
    told = explained(store, book(rule("M10")))
    assert (told["says"], told["basis"], told["parameters"]) == (None, None, [])
    line = only_evidence(told)
    assert line["values"] == []


def test_a_hit_on_very_many_records_lists_the_first_of_them(store: NodeStore) -> None:
    made = RuleFacts.of({"visits": {"V1": {"person": "P1"}}})
    for _ in range(MAX_RECORDS + 50):
        made.line(visit="V1", item=ITEM, amount="1.00")
    put_facts(store, made)
    of = book(replace(rule(), hit=("institution", "mdtrt_id")))
    run(store, of)
    told = explained(store, of)
    assert told["records"] == MAX_RECORDS + 50
    assert len(told["evidence"]) == MAX_RECORDS  # type: ignore[arg-type]  # JSON
    assert told["amount_fen"] == (MAX_RECORDS + 50) * 100
