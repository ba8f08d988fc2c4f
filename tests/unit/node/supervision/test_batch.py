"""Runs over a real store: hits are stable, a rule beyond its budget is stopped alone."""

import time
from datetime import date

import pytest

from node.store import NodeStore
from node.store.hits import HitFilter
from node.supervision.batch import RunReport
from node.supervision.budget import Budget
from scoring_kernel.rules import KnowledgeTable, ParameterVersion, Relation, RuleParameter
from tests.support.rule_facts import RuleFacts, moment
from tests.support.rule_runs import book, put_facts, rule, run

FEES = 'SELECT institution, person, mdtrt_id, NULL AS staff, {key} AS key, occurred_at AS "at",'
SELF_JOIN = """\
SELECT a.institution, a.person, a.mdtrt_id, a.doctor AS staff, a.item_code AS key,
  a.occurred_at AS "at", 'fee_detail' AS kind,
  a.record_id || b.record_id || c.record_id AS record_id, 1 AS role, a.amount_fen
FROM fee_detail AS a
JOIN fee_detail AS b ON b.institution = a.institution
JOIN fee_detail AS c ON c.institution = a.institution
JOIN fee_detail AS d ON d.institution = a.institution
"""
PAIRS = SELF_JOIN.replace("|| c.record_id ", "").partition("JOIN fee_detail AS c")[0]
RECURSION = """\
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted)
SELECT 'H33030200001' AS institution, NULL AS person, NULL AS mdtrt_id, NULL AS staff,
  CAST(count(*) AS VARCHAR) AS key, TIMESTAMP '2026-03-02' AS "at", 'fee_detail' AS kind,
  'x' AS record_id, 1 AS role, 0 AS amount_fen
FROM counted
"""
HUGE = """\
SELECT min(institution) AS institution, NULL AS person, NULL AS mdtrt_id, NULL AS staff,
  NULL AS key, min(occurred_at) AS "at", 'fee_detail' AS kind,
  left(string_agg(repeat(text, 100), ''), 5) AS record_id, 1 AS role, 0 AS amount_fen
FROM (
  SELECT a.institution, a.occurred_at, a.record_id || b.record_id || c.record_id AS text
  FROM fee_detail AS a
  JOIN fee_detail AS b ON b.institution = a.institution
  JOIN fee_detail AS c ON c.institution = a.institution
) AS pairs
"""


def facts(*amounts: str, visit: str = "V1") -> RuleFacts:
    made = RuleFacts.of({"visits": {visit: {"person": "P1"}}})
    for number, amount in enumerate(amounts):
        made.line(visit=visit, item=f"X{number}", amount=amount, doctor="D1")
    return made


def many(lines: int) -> RuleFacts:
    return facts(*["1.00"] * lines)


def outcome(report: RunReport, name: str) -> tuple[int, int, int]:
    (one,) = [one for one in report.outcomes if one.rule == name]
    assert one.error == ""
    return one.hits, one.new, one.gone


def test_a_second_run_finds_the_same_hits_and_changes_nothing(store: NodeStore) -> None:
    put_facts(store, facts("1.00", "2.00"))
    of = book(rule())
    assert outcome(run(store, of), "M90") == (2, 2, 0)
    first = store.supervision.hits()
    bodies = [store.supervision.body(one.id) for one in first]
    assert outcome(run(store, of), "M90") == (2, 0, 0)
    second = store.supervision.hits()
    assert [one.id for one in second] == [one.id for one in first]
    assert {(one.first_run, one.last_run, one.gone_run) for one in second} == {(1, 2, None)}
    assert [store.supervision.body(one.id) for one in second] == bodies


def test_a_hit_says_who_when_how_much_and_what_it_rests_on(store: NodeStore) -> None:
    put_facts(store, facts("12.30"))
    run(store, book(rule()))
    (hit,) = store.supervision.hits()
    body = store.supervision.body(hit.id)
    assert (hit.rule, hit.version, hit.verdict) == ("M90", "-", "violation")
    assert (hit.institution, hit.month, hit.at) == ("H33030200001", 202603, "2026-03-02T09:00:00")
    assert hit.amount_fen == 1230
    assert (body.staff, body.keys, body.records) == (("D330302000001",), ("X0",), 1)
    (one,) = body.evidence
    assert (one.kind, one.role, one.amount_fen) == ("fee_detail", 1, 1230)


def test_what_is_not_found_again_is_gone_and_comes_back_as_the_same_hit(store: NodeStore) -> None:
    put_facts(store, facts("1.00", "50.00"))
    small, large = rule(), rule(sql=f"{rule().sql} WHERE amount_fen > 1000")
    run(store, book(small))
    assert outcome(run(store, book(large)), "M90") == (1, 0, 1)
    assert len(store.supervision.hits()) == 1
    kept = store.supervision.hits(HitFilter(gone=True))
    assert [one.gone_run for one in kept] == [None, 2]
    assert outcome(run(store, book(small)), "M90") == (2, 0, 0)
    assert {(one.first_run, one.gone_run) for one in store.supervision.hits()} == {(1, None)}


def test_a_changed_hit_keeps_its_id_and_its_first_run(store: NodeStore) -> None:
    put_facts(store, facts("1.00"))
    run(store, book(rule()))
    (before,) = store.supervision.hits()
    run(store, book(rule(verdict="suspicion")))
    (after,) = store.supervision.hits()
    assert (after.id, after.first_run, after.last_run) == (before.id, 1, 2)
    assert after.verdict == "suspicion"


def test_only_hits_of_the_months_asked_for_are_looked_for(store: NodeStore) -> None:
    made = RuleFacts.of(
        {
            "visits": {"V1": {"begins": "2026-02-03 09:00"}, "V2": {"begins": "2026-03-03 09:00"}},
            "lines": [{"visit": "V1", "item": "X1"}, {"visit": "V2", "item": "X2"}],
        }
    )
    put_facts(store, made)
    run(store, book(rule()))
    none = book(rule(sql=f"{rule().sql} WHERE amount_fen < 0"))
    assert outcome(run(store, none, first_month=202603), "M90") == (0, 0, 1)
    assert [one.month for one in store.supervision.hits()] == [202602]
    assert outcome(run(store, none, gone_after=202602), "M90") == (0, 0, 0)


@pytest.mark.parametrize(
    ("sql", "budget", "wording"),
    [
        (SELF_JOIN, Budget(seconds=0.5), "stopped after 0.5 s"),
        (PAIRS, Budget(seconds=60, rows=10_000), "finds more than 10000 records"),
        (RECURSION, Budget(seconds=0.5), "stopped after 0.5 s"),
        (HUGE, Budget(seconds=60, memory_bytes=96 << 20), "needs more than 96 MiB"),
    ],
    ids=["explosion in time", "explosion in rows", "recursion", "huge aggregate"],
)
def test_a_hostile_rule_is_stopped_alone(
    store: NodeStore, sql: str, budget: Budget, wording: str
) -> None:
    put_facts(store, many(300))
    good = rule("M10")
    run(store, book(good, rule("M20", sql=rule().sql or "")))
    begun = time.monotonic()
    report = run(store, book(good, rule("M20", sql=sql), rule("M30")), budget=budget)
    assert time.monotonic() - begun < 30
    assert outcome(report, "M10") == (300, 0, 0)
    assert outcome(report, "M30") == (300, 300, 0)
    (stopped,) = report.stopped
    assert stopped.rule == "M20"
    assert wording in stopped.error
    (kept,) = store.supervision.runs(1)
    assert kept.outcomes["M20"].error == stopped.error
    assert kept.ended_at is not None
    assert len(store.supervision.hits(HitFilter(rule="M20"), limit=1_000)) == 300


@pytest.mark.parametrize(
    ("sql", "wording"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "cannot be computed"),
        ("SELECT * FROM local_variable_of_the_program", "cannot be computed"),
        ("SELECT 1", "cannot be computed"),
        (
            FEES.format(key="'free text'") + " 'fee_detail' AS kind, record_id, 1 AS role,"
            " amount_fen FROM fee_detail",
            "whose key is none",
        ),
        (
            FEES.format(key="NULL") + " 'secret' AS kind, record_id, 1 AS role,"
            " amount_fen FROM fee_detail",
            "whose kind is none",
        ),
        (
            FEES.format(key="NULL") + " 'fee_detail' AS kind, record_id, 3 AS role,"
            " amount_fen FROM fee_detail",
            "whose role is none",
        ),
        (
            FEES.format(key="NULL") + " 'fee_detail' AS kind, record_id, 1 AS role,"
            " NULL AS amount_fen FROM fee_detail",
            "whose amount_fen is none",
        ),
        (
            FEES.format(key="NULL").replace("institution", "person AS institution", 1)
            + " 'fee_detail' AS kind, record_id, 1 AS role, amount_fen FROM fee_detail",
            "whose institution is none",
        ),
    ],
    ids=["file", "variable", "columns", "text", "kind", "role", "amount", "institution"],
)
def test_what_is_no_result_of_a_rule_is_refused(store: NodeStore, sql: str, wording: str) -> None:
    put_facts(store, facts("1.00"))
    report = run(store, book(rule("M20", sql=sql), rule("M30")))
    (stopped,) = report.stopped
    assert wording in stopped.error
    assert [one.rule for one in store.supervision.hits()] == ["M30"]


def test_a_relation_that_cannot_be_made_stops_only_the_rules_that_read_it(
    store: NodeStore,
) -> None:
    put_facts(store, many(300))
    columns = {"institution": "string"}
    broken = Relation(
        name="broken",
        name_zh="试验",
        reads=("fee_detail",),
        columns=columns,
        nullable=frozenset(),
        personal=frozenset(),
        kept="table",
        by_month=False,
        sql=SELF_JOIN,
        sql_line=1,
    )
    reading = rule("M20", relations=("broken",))
    again = rule("M21", relations=("broken",))
    of = book(reading, again, rule("M30"), relations={"broken": broken})
    report = run(store, of, budget=Budget(seconds=0.5))
    assert [one.rule for one in report.stopped] == ["M20", "M21"]
    assert len({one.error for one in report.stopped}) == 1
    assert "relation broken was stopped after 0.5 s" in report.stopped[0].error
    assert outcome(report, "M30")[0] == 300


def test_knowledge_reaches_the_rules_that_read_it(store: NodeStore) -> None:
    put_facts(store, facts("1.00", "2.00"))
    table = KnowledgeTable(
        id="k_test",
        name_zh="试验",
        columns={"code": "string", "begins_at": "timestamp[s]", "ends_at": "timestamp[s]"},
        nullable=frozenset({"ends_at"}),
        source="试验",
        rows=(("X1", moment("2026-01-01"), None), ("X0", moment("2026-04-01"), None)),
    )
    sql = f"{rule().sql} JOIN k_test ON code = item_code AND occurred_at >= begins_at"
    of = book(rule(sql=sql, knowledge=("k_test",)), knowledge={"k_test": table})
    assert outcome(run(store, of), "M90") == (1, 1, 0)
    (hit,) = store.supervision.hits()
    assert store.supervision.body(hit.id).keys == ("X1",)


@pytest.fixture
def two_versions() -> RuleParameter:
    basis = "supervision_parameter_proposal"
    return RuleParameter(
        name="least_fen",
        name_zh="试验",
        unit="fen",
        versions=(
            ParameterVersion(begins=date(2026, 1, 1), value=100, basis=basis),
            ParameterVersion(begins=date(2026, 3, 1), value=1_000, basis=basis),
        ),
    )


def test_a_hit_is_judged_by_the_version_of_its_day(
    store: NodeStore, two_versions: RuleParameter
) -> None:
    days = {"V1": "2025-12-31", "V2": "2026-02-28 23:59:59", "V3": "2026-03-01", "V4": "2026-03-01"}
    made = RuleFacts.of({"visits": {name: {"begins": day} for name, day in days.items()}})
    for visit, amount in zip(days, ("99.00", "2.00", "2.00", "99.00"), strict=True):
        made.line(visit=visit, item="X1", amount=amount)
    put_facts(store, made)
    sql = f"{rule().sql} WHERE amount_fen >= $least_fen"
    run(store, book(rule(sql=sql, parameters={"least_fen": two_versions})))
    found = sorted((one.at, one.version) for one in store.supervision.hits())
    assert found == [
        ("2026-02-28T23:59:59", "2026-01-01"),
        ("2026-03-01T00:00:00", "2026-03-01"),
    ]
