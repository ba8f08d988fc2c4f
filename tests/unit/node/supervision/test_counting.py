"""Counting month by month: what changed is counted again, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from node.errors import StoreError
from node.store.month_rows import MonthRows
from node.supervision.stated import supervised_reports
from scoring_kernel.supervision.loading import load_supervision
from scoring_kernel.supervision.stated import stated_sets
from security.at_rest import Vault
from security.errors import VaultError
from tests.support.node_messages import VAULT_KEY
from tests.support.rule_facts import RuleFacts
from tests.support.rule_runs import put_facts
from tests.support.supervised import count, kept_rows, measured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.store import NodeStore

SETS = [name for name, one in load_supervision().sets.items() if "rule_hit" not in one.relations]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[MonthRows]:
    with MonthRows(tmp_path, Vault(VAULT_KEY)) as opened:
        yield opened


def facts_of(**case: Any) -> RuleFacts:  # noqa: ANN401 - parts of a case
    facts = RuleFacts.of(case)
    facts.settle()
    return facts


def city() -> RuleFacts:
    """Visits of three months; one begins in February and is settled in March."""
    return facts_of(
        visits={
            "V1": {"begins": "2026-01-10 09:00", "person": "P1"},
            "V2": {"begins": "2026-02-10 09:00", "person": "P2"},
            "V3": {
                "begins": "2026-02-25 09:00",
                "person": "P3",
                "inpatient": True,
                "discharged": "2026-03-02 10:00",
            },
            "V4": {"begins": "2026-03-10 09:00", "person": "P1"},
        },
        lines=[
            {"visit": f"V{number}", "item": "XA01", "amount": 10 * number, "doctor": "D1"}
            for number in (1, 2, 3, 4)
        ],
    )


def test_a_store_of_nothing_has_no_months(store: NodeStore, kept: MonthRows) -> None:
    report = count(store, kept)
    assert (report.months, report.counted, report.unchanged) == ((), 0, 0)


def test_counting_month_by_month_comes_to_what_the_whole_does(
    store: NodeStore, kept: MonthRows
) -> None:
    facts = city()
    put_facts(store, facts)
    report = count(store, kept)
    assert report.months == (202601, 202602, 202603)
    assert report.counted == 3 * len(SETS)
    for name in SETS:
        keys = load_supervision().sets[name].keys
        for month in report.months:
            rows = {
                tuple(facts.names.get(row[key], row[key]) for key in keys): {
                    measure: value for measure, value in row.items() if measure not in keys
                }
                for row in kept_rows(kept, name, month)
            }
            assert rows == measured(facts, name, month), (name, month)


def test_a_second_count_counts_nothing(store: NodeStore, kept: MonthRows) -> None:
    put_facts(store, city())
    count(store, kept)
    store.flush()
    again = count(store, kept)
    assert (again.counted, again.unchanged) == (0, 3 * len(SETS))


def recounted(kept: MonthRows, before: dict[tuple[str, int], bytes]) -> set[tuple[str, int]]:
    return {key for key, digest in kept.inputs().items() if before.get(key) != digest}


def test_a_late_reversal_restates_the_month_of_its_visit(store: NodeStore, kept: MonthRows) -> None:
    facts = city()
    put_facts(store, facts)
    count(store, kept)
    before = kept.inputs()
    assert kept_rows(kept, "care", 202601)[0]["settlements"] == 1
    (paid,) = [row for row in facts.records["settlement"] if row["mdtrt_id"] == facts.code("V1")]
    late = RuleFacts()
    money = {key: -(paid[key] or 0) for key in paid if key.endswith("_fen")}
    taken = {key: paid[key] for key in paid if key not in ("record_id", "month")}
    late.record("settlement", **taken | money | {"sign": -1, "settled_at": "2026-04-20 09:00"})
    put_facts(store, late)
    report = count(store, kept)
    assert report.months == (202601, 202602, 202603, 202604)
    assert kept_rows(kept, "care", 202601) == []
    changed = recounted(kept, before)
    # January has the visit, April the reversal; sets that look around see their neighbours.
    assert {month for name, month in changed if name == "care"} == {202601, 202604}
    assert {month for name, month in changed if name == "practice"} == {202601, 202602, 202604}


def test_a_month_whose_records_did_not_change_is_left_alone(
    store: NodeStore, kept: MonthRows
) -> None:
    put_facts(store, city())
    count(store, kept)
    before = kept.inputs()
    put_facts(store, facts_of(visits={"V9": {"begins": "2026-03-28 09:00", "person": "P9"}}))
    count(store, kept)
    changed = recounted(kept, before)
    assert {month for name, month in changed if name == "care"} == {202603}
    # Readmissions look two months ahead.
    assert {month for name, month in changed if name == "stay"} == {202601, 202602, 202603}
    assert ("item_use", 202602) not in changed


def test_a_deletion_of_the_next_month_restates_the_sale(store: NodeStore, kept: MonthRows) -> None:
    sale = {"institution": "S1", "what": "sale", "local_code": "YP1", "batch": "B1"}
    facts = RuleFacts()
    facts.record(
        "stock_movement", **sale, data_type="4", occurred_at="2026-02-20 09:00", quantity_e4=10_000
    )
    put_facts(store, facts)
    count(store, kept)
    (row,) = kept_rows(kept, "shop", 202602)
    assert (row["sale_lines"], row["sold_e4"]) == (1, 10_000)
    late = RuleFacts()
    late.record(
        "stock_deletion",
        institution="S1",
        batch="B1",
        what="4",
        deleted_at="2026-03-02 09:00",
        record_id="P33030200001202603020900000001",
        month=202603,
    )
    (deleted,) = late.records["stock_deletion"]
    deleted["month"] = 202603
    put_facts(store, late)
    count(store, kept)
    assert kept_rows(kept, "shop", 202602) == []


def test_the_order_of_arrival_changes_nothing(
    tmp_path: Path, store: NodeStore, kept: MonthRows
) -> None:
    facts = city()
    halves = RuleFacts(), RuleFacts()
    for kind, rows in facts.records.items():
        for at, row in enumerate(rows):
            halves[at % 2].records.setdefault(kind, []).append(row)
    for half in halves[::-1]:
        put_facts(store, half)
        count(store, kept)
    for name in ("care", "stay", "practice", "patient", "item_use"):
        for month in (202601, 202602, 202603):
            expected = measured(facts, name, month)
            assert len(kept_rows(kept, name, month)) == len(expected)
    del tmp_path


def test_what_is_frozen_or_to_come_is_not_counted(store: NodeStore, kept: MonthRows) -> None:
    put_facts(store, city())
    report = count(store, kept, today=202602, frozen=202601)
    assert report.months == (202601, 202602)
    assert {month for _, month in kept.inputs()} == {202602}
    count(store, kept, today=202601)
    assert {month for _, month in kept.inputs()} == {202601}


def test_hits_are_counted_only_where_rules_ran(store: NodeStore, kept: MonthRows) -> None:
    put_facts(store, city())
    count(store, kept)
    assert "hit" not in {name for name, _ in kept.inputs()}


def test_what_is_stated_has_zeros_and_no_persons(store: NodeStore, kept: MonthRows) -> None:
    facts = city()
    put_facts(store, facts)
    put_facts(
        store,
        facts_of(visits={"V8": {"begins": "2026-02-03 09:00", "institution": "H2"}}),
    )
    count(store, kept)
    reports = {one.measure_set: one for one in supervised_reports(kept, stated_sets(), after=0)}
    assert reports.keys() == stated_sets().keys() - {"hit", "practice_hit"}
    first, second = facts.code("H1"), facts.code("H2")
    slots = [(name, month) for name, month, _ in reports["stay"].slots()]
    # H2 never had a stay: it says so, from its first month on.
    assert slots == [
        (first, 202601),
        (first, 202602),
        (first, 202603),
        (second, 202602),
        (second, 202603),
    ]
    assert set(reports["practice"].subjects.tolist()) == {facts.code("D1")}
    later = supervised_reports(kept, stated_sets(), after=202602)
    assert {int(month) for one in later for month in one.months} == {202603}


def test_rows_are_sealed_under_their_set_and_month(tmp_path: Path, kept: MonthRows) -> None:
    with pytest.raises(VaultError):
        _opened_otherwise(tmp_path, kept)


def _opened_otherwise(directory: Path, kept: MonthRows) -> None:
    import pyarrow as pa  # noqa: PLC0415 - one table

    from node.store.month_rows import SetMonth  # noqa: PLC0415 - one table

    rows = pa.table({"person": ["secret-person"], "visits": [1]})
    kept.replace(SetMonth(measure_set="patient", month=202601, inputs=b"a", rows=rows))
    assert b"secret-person" not in (directory / "measures.db").read_bytes()
    with MonthRows(directory, Vault(bytes(32))) as other:
        list(other.read({"patient"}, {202601}))


def test_a_file_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "measures.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="remove it: it is counted anew"):
        MonthRows(tmp_path / "other", Vault(VAULT_KEY))
