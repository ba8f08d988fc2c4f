"""Results that a rule may not return: a person in another's place, sums and moments without end."""

import pytest

from node.store import NodeStore
from node.supervision.budget import Budget
from tests.support.rule_facts import RuleFacts, short_code
from tests.support.rule_runs import book, put_facts, rule, run

PERSON = short_code("P1")


def selected(**columns: str) -> str:
    given = {
        "institution": "institution",
        "person": "person",
        "mdtrt_id": "mdtrt_id",
        "staff": "doctor",
        "key": "item_code",
        "at": "occurred_at",
        "kind": "'fee_detail'",
        "record_id": "record_id",
        "role": "1",
        "amount_fen": "amount_fen",
    } | columns
    shown = ", ".join(f'{value} AS "{name}"' for name, value in given.items())
    return f"SELECT {shown} FROM fee_detail"  # noqa: S608 - no text from outside


def put(store: NodeStore, lines: int = 3) -> None:
    made = RuleFacts.of({"visits": {"V1": {"person": "P1"}}})
    for number in range(lines):
        made.line(visit="V1", item=f"X{number}", amount="1.00", doctor="D1")
    put_facts(store, made)


@pytest.mark.parametrize(
    ("columns", "wording"),
    [
        ({"key": "person"}, "3 rows whose key or staff"),
        ({"key": "left(item_code, 2) || '|' || person"}, "3 rows whose key or staff"),
        ({"staff": "person"}, "3 rows whose key or staff"),
        ({"staff": "'D' || person"}, "3 rows whose key or staff"),
        ({"amount_fen": "9223372036854775807"}, "3 rows whose amount_fen"),
        ({"amount_fen": "-9223372036854775807"}, "3 rows whose amount_fen"),
        ({"at": "TIMESTAMP '290000-01-01 00:00:00'"}, "3 rows whose at"),
        ({"at": "TIMESTAMP '0044-03-15 (BC) 00:00:00'"}, "3 rows whose at"),
        ({"at": "CAST('infinity' AS TIMESTAMP)"}, "3 rows whose at"),
        ({"institution": "institution || chr(10)"}, "3 rows whose institution"),
        ({"key": "chr(27) || '[31m'"}, "3 rows whose key is"),
        ({"record_id": "repeat('x', 129)"}, "3 rows whose record_id"),
        ({"amount_fen": "CAST(person AS BIGINT)"}, "cannot be computed"),
        ({"amount_fen": "amount_fen + 9223372036854775807"}, "cannot be computed"),
        ({"key": "error(person)"}, "cannot be computed"),
        ({"key": "regexp_extract(item_code, '((a{1,900}){1,900}){1,900}')"}, "cannot be computed"),
        ({"key": "getenv('HOME')"}, "cannot be computed"),
        ({"key": "(SELECT content FROM read_text('/etc/passwd'))"}, "cannot be computed"),
    ],
    ids=str,
)
def test_a_result_out_of_bounds_stops_its_rule_alone(
    store: NodeStore, columns: dict[str, str], wording: str
) -> None:
    put(store)
    report = run(store, book(rule("M20", sql=selected(**columns)), rule("M30")))
    (stopped,) = report.stopped
    assert stopped.rule == "M20"
    assert wording in stopped.error
    assert PERSON not in stopped.error
    assert {one.rule for one in store.supervision.hits()} == {"M30"}


def test_the_largest_amounts_add_up(store: NodeStore) -> None:
    put(store)
    whole = rule("M20", sql=selected(amount_fen="1000000000000"), hit=("institution", "mdtrt_id"))
    assert run(store, book(whole)).stopped == ()
    (hit,) = store.supervision.hits()
    assert hit.amount_fen == 3 * 10**12


@pytest.mark.parametrize(
    "statement",
    [
        "SET memory_limit = '1 TB'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '/tmp/x.db' AS x",
        "COPY fee_detail TO '/tmp/yixin-hostile.csv'",
        "PRAGMA database_list",
        "DROP TABLE rule_found",
        "CREATE TABLE kept AS SELECT 1",
    ],
)
def test_a_second_statement_is_none_of_a_rule(store: NodeStore, statement: str) -> None:
    put(store)
    sql = f"{selected()}) AS found; {statement}; SELECT * FROM ({selected()}"  # noqa: S608 - no text from outside
    report = run(
        store, book(rule("M20", sql=sql), rule("M30")), budget=Budget(memory_bytes=256 << 20)
    )
    assert [one.rule for one in report.stopped] in ([], ["M20"])
    assert {one.rule for one in store.supervision.hits()} >= {"M30"}
