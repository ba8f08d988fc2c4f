"""Rule books of a few rules, and runs of them over facts that a real store holds."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from node.store import NodeStore
from node.store.commit import Commit
from node.supervision.batch import RunOrder, RunReport, run_rules
from node.supervision.budget import Budget
from scoring_kernel.rules import Rule, RuleBook
from security.progress import no_progress
from tests.support.rule_facts import RuleFacts

__all__ = ["KINDS", "Clock", "book", "put_facts", "rule", "run"]

KINDS: Final = ("fee_detail", "settlement", "admission")
_LINES: Final = """\
SELECT institution, person, mdtrt_id, doctor AS staff, item_code AS key, occurred_at AS "at",
  'fee_detail' AS kind, record_id, 1 AS role, amount_fen
FROM fee_detail
"""


class Clock:
    """Steps by a second with every look."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 22, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


def rule(name: str = "M90", sql: str = _LINES, **given: Any) -> Rule:  # noqa: ANN401 - fields
    """Make a rule that nobody has checked: what reaches the engine may be hostile."""
    fields: dict[str, Any] = {
        "id": name,
        "name_zh": "试验规则",
        "name_en": "a rule of the tests",
        "set": "core",
        "rule_class": "policy",
        "phases": ("post",),
        "verdict": "violation",
        "severity": "high",
        "unit": "detail",
        "parameters": {},
        "knowledge": (),
        "relations": ("fee_detail",),
        "exemptions": (),
        "amount": "明细金额",
        "basis": "decree_735_art_38_3",
        "hit": ("institution", "mdtrt_id", "key"),
        "sql": sql,
        "sql_line": 1,
    }
    return Rule(**{**fields, **given})


def book(*rules: Rule, **given: Any) -> RuleBook:  # noqa: ANN401 - fields
    """Make a book of some rules."""
    fields: dict[str, Any] = {"digest": bytes(32), "relations": {}, "knowledge": {}}
    return RuleBook(**{**fields, "rules": {one.id: one for one in rules}, **given})


def put_facts(store: NodeStore, facts: RuleFacts) -> None:
    """Commit facts as an intake does."""
    records = {
        kind: pa.Table.from_pylist(rows, store.schemas[kind])
        for kind, rows in facts.records.items()
    }
    store.commit(Commit(records=records))


def run(
    store: NodeStore,
    of: RuleBook,
    *,
    budget: Budget | None = None,
    **given: Any,  # noqa: ANN401 - fields
) -> RunReport:
    """Run every rule of a book, and keep what it finds."""
    order = RunOrder(
        rules=of.runnable,
        kinds=frozenset(store.schemas),
        budget=budget or Budget(),
        **given,
    )
    keeper = store.supervision
    return run_rules(store, keeper, keeper, of, order, now=Clock(), progress=no_progress)
