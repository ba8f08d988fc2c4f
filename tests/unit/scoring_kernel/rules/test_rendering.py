"""Placeholders, spans of parameters, and the statements that they make."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import duckdb
import pytest

from scoring_kernel.errors import ParameterNotInForceError, RuleError
from scoring_kernel.rules import ParameterVersion, Rule, RuleParameter, load_rules
from scoring_kernel.rules.rendering import literal, render, spans, statement

if TYPE_CHECKING:
    from scoring_kernel.rules.rule import Value

SQL = """
SELECT 'H33030200001' AS institution, NULL AS person, visit AS mdtrt_id, NULL AS staff,
  '$least' AS key, -- $least is left alone here
  seen AS at, 'fee_detail' AS kind, record_id, role, fen AS amount_fen
FROM found WHERE fen >= $least AND place IN $places AND share_e6 >= $share_e6
"""
FACTS = """
create table found as select * from (values
  ('V1', timestamp '2023-12-31 23:59:59', 'a', 1, 5, 'x', 500000),
  ('V1', timestamp '2024-01-05 08:00:00', 'b', 1, 5, 'x', 500000),
  ('V2', timestamp '2024-01-01 00:00:00', 'c', 1, 5, 'x', 500000),
  ('V3', timestamp '2024-06-01 00:00:00', 'd', 1, 30, 'x', 500000),
  ('V4', timestamp '2020-01-01 00:00:00', 'e', 1, 30, 'x', 500000),
  ('V5', timestamp '2024-06-01 00:00:00', 'f', 1, 30, 'x', 499999),
  ('V6', timestamp '2024-06-01 00:00:00', 'g', 1, 30, 'z', 500000),
  ('V7', timestamp '2024-06-01 00:00:00', 'h', 2, 30, 'x', 500000),
  ('V8', timestamp '2025-06-01 00:00:00', 'i', 1, 30, 'x', 500000)
) as t(visit, seen, record_id, role, fen, place, share_e6)
"""


def parameter(name: str, *versions: tuple[str, Value | None]) -> RuleParameter:
    return RuleParameter(
        name=name,
        name_zh=name,
        unit="1",
        versions=tuple(
            ParameterVersion(begins=date.fromisoformat(day), value=value, basis="b")
            for day, value in versions
        ),
    )


def rule(*parameters: RuleParameter, sql: str = SQL) -> Rule:
    return dataclasses.replace(
        load_rules().rules["M01"],
        parameters={one.name: one for one in parameters},
        hit=("institution", "mdtrt_id"),
        sql=sql,
        sql_line=10,
    )


DATED = rule(
    parameter("least", ("2021-05-01", 5), ("2024-01-01", 10), ("2025-01-01", None)),
    parameter("places", ("2021-05-01", ("x", "y"))),
    parameter("share", ("2021-05-01", Fraction(1, 2))),
)


def hits(one: Rule) -> list[tuple[str, str, datetime, int]]:
    engine = duckdb.connect()
    engine.execute(FACTS)
    found = []
    for begins, ends in spans(one):
        made = statement(one, "rules/M01.yaml", begins, ends)
        rows = engine.execute(made.sql).fetchall()
        found += [(made.version, row[2], row[5], row[9]) for row in rows]
    engine.close()
    return sorted(found)


def test_a_hit_is_judged_by_the_version_of_its_first_violating_record() -> None:
    assert [(version, visit, at.date().isoformat()) for version, visit, at, _ in hits(DATED)] == [
        # One hit with evidence of both years: its first record says which version holds.
        ("2021-05-01", "V1", "2023-12-31"),
        ("2021-05-01", "V1", "2024-01-05"),
        ("2024-01-01", "V3", "2024-06-01"),
    ]


def test_a_rule_without_parameters_holds_always() -> None:
    sql = SQL.replace("$least AND", "30 AND").replace("IN $places", "= 'x'")
    found = hits(rule(sql=sql.replace("$share_e6", "500000").replace("'$least'", "'k'")))
    assert [(version, visit) for version, visit, _, _ in found] == [
        *(("-", "V3"), ("-", "V4"), ("-", "V8")),
    ]


def test_spans_begin_when_all_parameters_hold_and_end_with_a_repeal() -> None:
    late = rule(parameter("least", ("2021-05-01", 1)), parameter("share", ("2023-01-01", 2)))
    assert spans(late) == ((date(2023, 1, 1), None),)
    assert spans(DATED) == (
        (date(2021, 5, 1), date(2024, 1, 1)),
        (date(2024, 1, 1), date(2025, 1, 1)),
    )
    assert late.parameters_at(date(2023, 1, 1))["share"].value == 2
    with pytest.raises(ParameterNotInForceError, match="rule M01: a parameter has no value"):
        late.parameters_at(date(2022, 12, 31))
    with pytest.raises(ParameterNotInForceError, match="2025-01-01"):
        DATED.parameters_at(date(2025, 1, 1))


def test_quotes_and_comments_are_left_as_they_are() -> None:
    rendered = render(DATED, "rules/M01.yaml", DATED.parameters_at(date(2024, 1, 1)))
    assert "'$least' AS key, -- $least is left alone here" in rendered
    assert "fen >= 10 AND place IN ('x','y') AND share_e6 >= 500000" in rendered
    assert rendered.count("\n") == SQL.count("\n")


def test_a_dollar_sign_alone_is_refused_in_its_line() -> None:
    broken = rule(sql="SELECT 1\nFROM $ found")
    with pytest.raises(RuleError, match=r"rules/M01\.yaml:11: found the placeholder \$,"):
        render(broken, "rules/M01.yaml", {})


def test_literals() -> None:
    assert literal(-3) == "-3"
    assert literal(Fraction(1, 1_000_000)) == "1"
    assert literal(("it's",)) == "('it''s')"


def test_statements_name_their_parameters() -> None:
    first, *_ = load_rules().statements(load_rules().rules["M28"])
    assert first.rule == "M28"
    assert first.version == first.begins.isoformat() if first.begins else "-"
    assert {*first.parameters} == {*load_rules().rules["M28"].parameters}
    assert "$window_days" in str(load_rules().rules["M28"].sql)
    assert "$window_days" not in first.sql
