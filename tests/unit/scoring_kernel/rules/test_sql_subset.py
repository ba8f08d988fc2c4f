"""What the subset takes, what it refuses, and how it is said in Spark's SQL."""

from __future__ import annotations

import pytest

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.sql_subset import MAX_NODES, sql_schema, to_spark, verified_sql

RELATIONS = {
    "line": {
        "person": "string",
        "item_code": "string",
        "day": "date",
        "amount_fen": "int64",
        "occurred_at": "timestamp[s]",
        "inpatient": "bool",
        "month": "int32",
    },
    "k": {"code": "string", "gender": "string", "begins_at": "timestamp[s]"},
}
BOTH = "FROM line JOIN k ON k.code = line.item_code"


def verify(sql: str, line: int = 1) -> list[str]:
    sql = sql.replace("FROM both", BOTH)
    return verified_sql(sql, relations=RELATIONS, file="rules/M99.yaml", line=line).named_selects


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT line.person FROM both",
        "SELECT count(*) AS n, count(DISTINCT person) AS persons FROM both",
        "SELECT sum(amount_fen) FILTER (WHERE inpatient) AS fen FROM both",
        "SELECT CAST((2 * sum(amount_fen) * 3 + 7) // (2 * 7) AS BIGINT) AS fen FROM both",
        "SELECT CAST(CAST(amount_fen AS HUGEINT) * amount_fen // 3 AS BIGINT) AS fen FROM both",
        "SELECT CASE WHEN inpatient THEN 1 ELSE amount_fen % 2 END AS n FROM both",
        "SELECT coalesce(gender, 'x') || left(person, 3) || substring(person, 2, 1) AS t FROM both",
        "SELECT lower(trim(person)) AS t FROM both WHERE length(person) > 2 AND person LIKE 'a%'",
        "SELECT person FROM both WHERE starts_with(item_code, 'X') AND hour(occurred_at) < 6",
        "SELECT person FROM both WHERE regexp_matches(item_code, '^[XZ]') AND NOT inpatient",
        "SELECT date_diff('day', day, CAST(begins_at AS DATE)) AS days FROM both",
        "SELECT date_diff('second', begins_at, occurred_at) // 3600 AS hours FROM both",
        "SELECT CAST(day AS VARCHAR) AS k FROM both WHERE occurred_at < begins_at + INTERVAL 1 DAY",
        "SELECT day + 1 AS tomorrow, extract(year FROM day) AS year FROM both",
        "SELECT person FROM both WHERE day = DATE '2026-01-01' OR month IN (202601, 202602)",
        "SELECT person FROM line SEMI JOIN k ON k.code = line.item_code",
        "SELECT person FROM line ANTI JOIN k ON k.code = line.item_code AND k.gender = '1'",
        "SELECT person FROM line LEFT JOIN k ON k.code = line.item_code WHERE k.code IS NULL",
        "SELECT person FROM line WHERE item_code IN (SELECT code FROM k)",
        "SELECT person FROM line WHERE EXISTS (SELECT 1 FROM k WHERE k.code = line.item_code)",
        "SELECT person FROM line WHERE EXISTS (SELECT 1 FROM k)",
        "SELECT person FROM line WHERE day > (SELECT max(CAST(begins_at AS DATE)) FROM k)",
        "SELECT person FROM (SELECT person FROM both) AS t GROUP BY person HAVING count(*) > 1",
        "SELECT person FROM line UNION ALL SELECT code FROM k",
        "SELECT row_number() OVER (PARTITION BY person ORDER BY day) AS n FROM both",
        "SELECT lag(day, 2) OVER (PARTITION BY person ORDER BY day) AS d FROM both",
        "SELECT a.day FROM line AS a JOIN k ON ((a.person = k.code) AND a.day < k.begins_at)",
        "SELECT a.person FROM line AS a JOIN k ON k.code IS NOT DISTINCT FROM a.item_code",
        "SELECT day FROM line SEMI JOIN (SELECT code AS person FROM k) AS t USING (person)",
        "WITH a AS (SELECT 3 AS n) SELECT day FROM both JOIN a ON (a.n = line.month)",
    ],
)
def test_the_subset_takes(sql: str) -> None:
    assert verify(sql)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT DISTINCT ON (person) person FROM both", "DISTINCT ON"),
        ("SELECT person FROM both GROUP BY ALL", "GROUP BY with ALL"),
        ("SELECT person FROM both GROUP BY 1", "GROUP BY with ALL"),
        ("SELECT person FROM both LIMIT 3", "ORDER BY or LIMIT at the end"),
        ("SELECT person FROM (SELECT person FROM both LIMIT 3) AS t", "found LIMIT"),
        ("SELECT person FROM (SELECT person FROM both ORDER BY 1) AS t", "ORDER BY outside"),
        ("SELECT person FROM line EXCEPT SELECT code FROM k", "expected one statement"),
        ("SELECT p FROM (SELECT person AS p FROM line EXCEPT SELECT code FROM k) AS t", "except"),
        ("SELECT person FROM line UNION ALL BY NAME SELECT code FROM k", "BY NAME"),
        ("WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL SELECT x FROM a) SELECT x FROM a", "RECURS"),
        ("SELECT person FROM line WHERE item_code NOT IN (SELECT code FROM k)", "NOT IN (SELECT"),
        ("SELECT person FROM line NATURAL JOIN k", "found NATURAL JOIN k"),
        (
            "SELECT day FROM line ASOF JOIN k ON code = item_code AND begins_at <= occurred_at",
            "found ASOF JOIN k",
        ),
        ("SELECT line.person FROM line POSITIONAL JOIN k", "found POSITIONAL JOIN k"),
        (
            "SELECT person FROM line JOIN LATERAL (SELECT 1 AS x FROM k) AS t ON TRUE",
            "not in the subset",
        ),
        ("SELECT person FROM line TABLESAMPLE 10% SEMI JOIN k ON code = item_code", "TABLESAMPLE"),
        (
            "SELECT (SELECT max(k.gender) FROM k WHERE k.code = line.item_code) AS g FROM line",
            "a subquery that looks outside of itself",
        ),
        (
            "SELECT person FROM line WHERE EXISTS (SELECT 1 FROM k WHERE line.inpatient)",
            "looks at line outside",
        ),
        (
            "SELECT k.gender FROM line SEMI JOIN k ON k.code = line.item_code",
            "k.gender is of a SEMI or ANTI JOIN",
        ),
        ("SELECT avg(amount_fen) AS a FROM both", "the function avg"),
        ("SELECT round(amount_fen) AS a FROM both", "the function round"),
        ("SELECT any_value(person) AS a FROM both", "ignorenulls"),
        ("SELECT concat(person, 'x') AS a FROM both", "the function concat"),
        ("SELECT random() AS a FROM both", "not in the subset"),
        ("SELECT CAST(amount_fen AS DOUBLE) AS a FROM both", "CAST to DOUBLE"),
        ("SELECT CAST(amount_fen AS DECIMAL(38, 2)) AS a FROM both", "CAST to DECIMAL"),
        ("SELECT occurred_at - begins_at AS a FROM both", "two moments are subtracted"),
        ("SELECT CAST(day + INTERVAL 1 DAY AS VARCHAR) AS a FROM both", "as text differs"),
        ("SELECT date_diff('hour', begins_at, occurred_at) AS a FROM both", "divide the seconds"),
        ("SELECT date_diff('day', begins_at, day) AS a FROM both", "CAST both to DATE"),
        ("SELECT begins_at + INTERVAL (month) DAY AS a FROM both", "INTERVAL 15 DAY"),
        ("SELECT begins_at + INTERVAL 1 WEEK AS a FROM both", "INTERVAL 15 DAY"),
        ("SELECT extract(dow FROM day) AS a FROM both", "extract of"),
        (
            "SELECT person FROM both WHERE regexp_matches(person, gender)",
            "without a literal pattern",
        ),
        ("SELECT person FROM both WHERE regexp_matches(person, 'x', 'i')", "without a literal"),
        ("SELECT person FROM both WHERE person IN gender", "a list column"),
        ("SELECT person FROM both WHERE day = ?", "placeholder"),
        ("SELECT amount_fen / 2 AS a FROM both", "div"),
        ("SELECT max(amount_fen, 2) AS a FROM both", "cannot be said in Spark's SQL"),
        ("WITH a AS MATERIALIZED (SELECT code FROM k) SELECT code FROM a", "MATERIALIZED"),
        ("SELECT person FROM both WHERE person LIKE gender", "LIKE without a literal pattern"),
        ("SELECT 1.5", "found the number 1.5"),
        ("SELECT day FROM line JOIN k USING (nobody)", "nobody"),
        ("SELECT nobody AS a FROM both", "nobody"),
        ("SELECT main.line.person AS a FROM both", "by its relation alone"),
        ("SELECT temp.main.line.person AS a FROM both", "by its relation alone"),
        ("SELECT line.person AS a FROM main.line SEMI JOIN k ON k.code = line.item_code", "line"),
        ("SELECT getenv('HOME') AS a FROM both", "the function getenv"),
        ("SELECT current_setting('threads') AS a FROM both", "the function current_setting"),
        ("SELECT repeat(person, 1000000) AS a FROM both", "the function repeat"),
        ("SELECT unnest([1, 2]) AS a FROM both", "not in the subset"),
        ("SELECT a FROM range(10000000000) AS t(a)", "read declared relations only"),
        ("SELECT name AS a FROM duckdb_settings()", "read declared relations only"),
        ("SELECT table_name AS a FROM information_schema.tables", "read declared relations only"),
        ("SELECT 1e400 AS a FROM both", "found the number 1e400"),
        ("SELECT sum(amount_fen) * 2 AS a FROM both WHERE nobody = 1", "nobody"),
        ("SELECT x FROM (VALUES (1)) AS t(x)", "values"),
        ("PRAGMA database_list", "expected one statement"),
        ("COPY line TO 'x'", "expected one statement"),
        ("ATTACH 'x' AS y", "expected one statement"),
        ("", "expected one statement"),
        ("SELECT 'open", "mend the syntax"),
    ],
)
def test_the_subset_refuses(sql: str, problem: str) -> None:
    with pytest.raises(RuleError) as caught:
        verify(sql)
    assert problem in caught.value.problem


def test_a_statement_is_bounded() -> None:
    many = " + ".join(["amount_fen"] * MAX_NODES)
    with pytest.raises(RuleError, match=r"more than 6000 nodes|mend the syntax"):
        verify(f"SELECT {many} AS a FROM both")  # noqa: S608 - no text from outside
    deep = "(" * 3_000 + "1" + ")" * 3_000
    with pytest.raises(RuleError):
        verify(f"SELECT {deep} AS a FROM both")  # noqa: S608 - no text from outside


def test_the_line_is_the_files() -> None:
    sql = f"SELECT\n  line.person,\n  line.nobody AS x\n{BOTH}"
    with pytest.raises(RuleError, match=r"rules/M99\.yaml:42: sql: Unknown column: nobody"):
        verify(sql, line=40)


@pytest.mark.parametrize(
    ("sql", "spark"),
    [
        ("SELECT a // 2 AS x FROM t", "SELECT a DIV 2 AS x FROM t"),
        (
            "SELECT CAST(a AS HUGEINT) * 2 AS x FROM t",
            "SELECT CAST(a AS DECIMAL(38, 0)) * 2 AS x FROM t",
        ),
        (
            "SELECT row_number() OVER (ORDER BY a) AS x FROM t",
            "SELECT ROW_NUMBER() OVER (ORDER BY a NULLS LAST) AS x FROM t",
        ),
        (
            "SELECT a + INTERVAL 15 DAY AS x FROM t",
            "SELECT a + INTERVAL '15' DAY AS x FROM t",
        ),
        (
            "SELECT a FROM t WHERE regexp_matches(a, '^X')",
            "SELECT a FROM t WHERE a RLIKE '^X'",
        ),
    ],
)
def test_a_statement_in_sparks_sql(sql: str, spark: str) -> None:
    assert to_spark(sql) == spark


def test_types_are_those_of_the_sql() -> None:
    assert sql_schema(RELATIONS["line"])["inpatient"] == "BOOLEAN"
