"""Personal values reach the columns of a hit that are for them, whole, and no other."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import RuleError
from scoring_kernel.rules import parse_rules, verify_rules

CASES = Path(__file__).parents[3] / "cases"
TABLE: dict[str, Any] = yaml.safe_load((CASES / "malformed_rules.yaml").read_text("utf-8"))
LEAKS: dict[str, Any] = yaml.safe_load((CASES / "leaking_sql.yaml").read_text("utf-8"))
SOUND = {name: text.encode() for name, text in TABLE["bases"].items()}
FIRST = "fee_detail AS f"


def rule(sql: str, *, reads: str) -> bytes:
    """The book's rule M01 with other SQL and without parameters."""
    head, rest = TABLE["bases"]["rules/M01.yaml"].split("parameters:\n")
    after = "knowledge:" + rest.split("knowledge:", 1)[1].partition("sql: |\n")[0]
    tables = "k_drug_gender" if "k_drug_gender" in sql else ""
    after = after.replace("[k_drug_gender]", f"[{tables}]").replace(
        "[fee_detail, settlement]", f"[{reads}]"
    )
    text = f"{head}parameters: {{}}\n{after}sql: |\n{textwrap.indent(sql, '  ')}\n"
    return text.encode()


def hit(source: str = FIRST, where: str = "TRUE", made: str = "", **columns: str) -> str:
    """A statement that returns the columns of a hit, some of them given."""
    given = {
        "institution": "f.institution",
        "person": "f.person",
        "mdtrt_id": "f.mdtrt_id",
        "staff": "f.doctor",
        "key": "f.item_code",
        "at": "f.occurred_at",
        "kind": "'fee_detail'",
        "record_id": "f.record_id",
        "role": "1",
        "amount_fen": "f.amount_fen",
    }
    listed = ",\n".join(f"{text} AS {name}" for name, text in (given | columns).items())
    return f"{made}SELECT\n{listed}\nFROM {source}\nWHERE {where}"


def load(sql: str, **changed: bytes) -> None:
    known = ("fee_detail", "settlement", "insured_person", "spent", "staff_member")
    reads = ", ".join(name for name in known if f"{name} " in f"{sql} ".replace("\n", " "))
    parse_rules(SOUND | {"rules/M01.yaml": rule(sql, reads=reads)} | changed, load_catalog())


def refused(sql: str, **changed: bytes) -> RuleError:
    with pytest.raises(RuleError) as caught:
        load(sql, **changed)
    return caught.value


def test_every_rule_that_ships_passes() -> None:
    assert len(verify_rules().rules) > 40


BOTH = "fee_detail AS f JOIN settlement AS s ON s.mdtrt_id = f.mdtrt_id"
CODES = "fee_detail AS f JOIN k_drug_gender AS k ON k.code = f.item_code"
SEEN = "EXISTS (SELECT 1 FROM k_drug_gender AS k WHERE k.code = f.item_code AND {})"


@pytest.mark.parametrize(
    "sql",
    [
        hit(),
        hit(staff="NULL"),
        hit(staff="CASE WHEN f.amount_fen > 1 THEN f.doctor END"),
        hit(person="coalesce(f.person, 'x')"),
        hit(person="trim(CAST(f.person AS VARCHAR))"),
        hit(person="max(f.person) OVER (PARTITION BY f.mdtrt_id)"),
        hit(BOTH, person="coalesce(f.person, s.person)"),
        hit(BOTH, "s.gender IN ('1', '2') AND s.person = f.person"),
        hit(BOTH, "year(f.occurred_at) - year(s.born) < 14 AND s.born IS NOT NULL"),
        hit(BOTH, "date_diff('day', CAST(s.born AS DATE), CAST(f.occurred_at AS DATE)) < 28"),
        hit(BOTH, "f.occurred_at < s.born + INTERVAL 28 DAY"),
        hit(BOTH, "f.person < s.person"),
        hit(where="trim(coalesce(f.doctor, '')) = ''"),
        hit(CODES, "f.doctor <> k.gender"),
        hit(amount_fen="count(*) OVER (PARTITION BY f.person)"),
        hit(amount_fen="row_number() OVER (ORDER BY f.person)"),
        hit(key="CAST(lag(f.line) OVER (PARTITION BY f.person ORDER BY f.line) AS VARCHAR)"),
        hit(where="f.person IN (SELECT s.person FROM settlement AS s)"),
        hit(where=SEEN.format("k.gender = f.doctor")),
    ],
)
def test_whole_values_and_comparisons_pass(sql: str) -> None:
    load(sql)


@pytest.mark.parametrize("name", ["mdtrt_id", "staff", "key", "kind", "record_id", "institution"])
@pytest.mark.parametrize(
    "text",
    ["f.person", "coalesce(f.line, f.person)", "CASE WHEN f.line = '1' THEN f.person END"],
)
def test_a_person_stands_in_no_other_column(name: str, text: str) -> None:
    error = refused(hit(**{name: text}))
    assert f"{name} carries f.person (from fee_detail.person)" in error.problem
    assert error.file == "rules/M01.yaml"


def test_a_number_of_staff_stands_in_no_key() -> None:
    assert "key carries f.doctor (from fee_detail.doctor)" in refused(hit(key="f.doctor")).problem


@pytest.mark.parametrize(
    "text",
    [
        "left(f.person, 6)",
        "right(f.person, 4)",
        "substring(f.person, 2, 1)",
        "f.person || 'x'",
        "lower(f.person)",
        "trim(f.person, '1')",
        "CAST(length(f.person) AS VARCHAR)",
        "CAST(CAST(f.person AS BIGINT) + 1 AS VARCHAR)",
        "greatest(f.person, 'a')",
        "CASE WHEN left(f.person, 1) = '1' THEN 'a' END",
        "CASE left(f.person, 1) WHEN '1' THEN 'a' END",
        "CASE WHEN f.person LIKE '11%' THEN 'a' END",
        "CASE WHEN starts_with(f.person, '11') THEN 'a' END",
        "CASE WHEN regexp_matches(f.person, '^11') THEN 'a' END",
        "CASE WHEN NOT length(f.person) > 10 THEN 'a' END",
        "CAST(count(*) OVER (PARTITION BY right(f.person, 1)) AS VARCHAR)",
        "CAST(count(DISTINCT left(f.person, 2)) OVER () AS VARCHAR)",
        "CAST(rank() OVER (ORDER BY right(f.person, 1)) AS VARCHAR)",
        "lag(f.line, CAST(right(f.person, 1) AS INTEGER)) OVER (ORDER BY f.line)",
    ],
)
def test_a_value_is_not_altered_wherever_it_stands(text: str) -> None:
    error = refused(hit(key=text))
    assert "f.person (from fee_detail.person), which is personal" in error.problem
    assert "hand it on whole" in error.problem


@pytest.mark.parametrize(
    "text",
    [
        "CAST(f.person AS BIGINT) % 1000",
        "CAST(substring(f.person, 1, 9) AS BIGINT)",
        "sum(length(f.person)) OVER ()",
        "CASE WHEN substring(f.person, 3, 1) = '7' THEN 7 ELSE 0 END",
    ],
)
def test_a_number_is_not_spread_over_amounts(text: str) -> None:
    assert "which is personal" in refused(hit(amount_fen=text)).problem


@pytest.mark.parametrize(
    "where",
    [
        "left(f.person, 1) = '1'",
        "f.person > '4'",
        "f.person BETWEEN '4' AND '5'",
        "coalesce(f.person, '5') >= f.person",
        "nullif(f.person, 'x') < f.item_code",
        "f.person < CAST(2026 AS VARCHAR)",
    ],
)
def test_a_condition_does_not_cut_nor_order_a_value(where: str) -> None:
    assert "f.person (from fee_detail.person), " in refused(hit(where=where)).problem


def test_a_condition_in_a_join_or_group_is_one_too() -> None:
    joined = "fee_detail AS f JOIN k_drug_gender AS k ON k.code = left(f.person, 6)"
    assert "found LEFT(f.person, 6), made of" in refused(hit(joined)).problem
    ladder = "fee_detail AS f JOIN k_drug_gender AS k ON k.code = f.line AND k.gender <= f.person"
    assert "found k.gender <= f.person, which orders f.person" in refused(hit(ladder)).problem
    outward = hit(where=SEEN.format("k.gender = right(f.person, 1)"))
    assert "found RIGHT(f.person, 1), made of" in refused(outward).problem


def test_an_age_decides_and_is_not_returned() -> None:
    age = "year(f.occurred_at) - year(s.born)"
    for column, text in (("key", f"CAST({age} AS VARCHAR)"), ("amount_fen", age), ("at", "s.born")):
        assert "settlement.born" in refused(hit(BOTH, **{column: text})).problem
    made = hit(BOTH, amount_fen=f"abs({age}) * 10")
    assert "amount_fen is reckoned from s.born (from settlement.born)" in refused(made).problem


def test_an_age_is_no_number_to_order_a_person_by() -> None:
    ladder = "f.person < year(s.born) - year(s.born) + 4400000"
    assert "which orders f.person" in refused(hit(BOTH, ladder)).problem


TAKEN = "fee_detail AS f JOIN c ON c.record_id = f.record_id"


@pytest.mark.parametrize("case", LEAKS["followed"], ids=lambda case: case["id"])
def test_a_value_is_followed_through_names(case: dict[str, str]) -> None:
    error = refused(hit(TAKEN, made=case["sql"] + "\n", key="c.p"))
    assert "key carries c.p (from" in error.problem
    assert ".person" in error.problem
    altered = refused(hit(TAKEN, made=case["sql"] + "\n", where="left(c.p, 1) = '1'"))
    assert "found LEFT(c.p, 1), made of c.p (from" in altered.problem


def test_a_column_of_using_is_followed() -> None:
    both = "fee_detail AS f JOIN settlement AS s USING (person)"
    assert "key carries" in refused(hit(both, key="person", person="person")).problem
    full = "fee_detail AS f FULL JOIN settlement AS s USING (person)"
    assert "found LEFT(" in refused(hit(full, key="left(person, 3)")).problem


def test_a_name_is_that_of_what_stands_in_from() -> None:
    """A WITH of the same name as an alias outside does not hide the alias."""
    made = "WITH f AS (SELECT code AS person, code AS item_code FROM k_drug_gender)\n"
    inner = "SELECT 1 FROM k_drug_gender AS k WHERE k.code = f.item_code AND k.gender = {}"
    error = refused(hit(made=made, where=f"EXISTS ({inner.format('left(f.person, 1)')})"))
    assert "LEFT(f.person, 1), made of f.person (from fee_detail.person)" in error.problem


@pytest.mark.parametrize("case", LEAKS["ordered"], ids=lambda case: case["id"])
def test_a_ladder_of_codes_does_not_order_values(case: dict[str, str]) -> None:
    ladder = hit("fee_detail AS f JOIN c ON c.v = f.person", made=case["sql"] + "\n", key="c.c")
    assert "a personal value, among others" in refused(ladder).problem


def test_a_row_is_no_value() -> None:
    for text in ("f", "CAST(f AS VARCHAR)", "CASE WHEN f IS NULL THEN '1' END", "lower(f)"):
        assert "found a whole row of f: name its columns" in refused(hit(key=text)).problem
    pair = refused(hit(key="CAST((f.line, f.person) AS VARCHAR)"))
    assert "key carries f.person" in pair.problem


def test_what_is_nested_too_deep_is_refused() -> None:
    deep = "f.amount_fen" + " + 1" * 900
    assert "deep" in refused(hit(amount_fen=deep)).problem


def test_two_columns_of_one_name_are_refused() -> None:
    """DuckDB calls the second ``p`` here ``p_1``."""
    made = (
        "WITH c AS (SELECT line AS p, person AS P, item_code AS p_1, record_id FROM fee_detail)\n"
    )
    assert "one name for two columns" in refused(hit(TAKEN, made=made, key="c.p_1")).problem


def test_a_name_is_read_as_the_engine_reads_it() -> None:
    """A column goes before an alias beside it, and names are the same in upper case."""
    beside = "WITH c AS (SELECT line AS person, {} AS p, record_id FROM fee_detail)\n"
    error = refused(hit(TAKEN, made=beside.format("left(person, 3)"), key="c.p"))
    assert "LEFT(fee_detail.person, 3)" in error.problem
    kelvin = (
        'WITH "\N{KELVIN SIGN}" AS (SELECT 1 AS p), k AS (SELECT person AS p FROM fee_detail)\n'
    )
    assert "write names in ASCII" in refused(hit(made=kelvin)).problem
    assert refused(hit(key="#2")).file == "rules/M01.yaml"


@pytest.mark.parametrize(
    "clause",
    [
        "GROUP BY left(f.person, 1), f.line",
        "GROUP BY f.line HAVING min(length(f.person)) > 1",
        "WINDOW w AS (ORDER BY left(f.person, 1))",
    ],
)
def test_every_clause_is_followed(clause: str) -> None:
    made = "WITH c AS (SELECT f.line AS p FROM fee_detail AS f clause)\n".replace("clause", clause)
    error = refused(hit("fee_detail AS f JOIN c ON c.p = f.line", made=made))
    assert "made of f.person (from fee_detail.person)" in error.problem


SPENT: str = TABLE["bases"]["rules/relations/spent.yaml"]


def spent(word: str, sql: str) -> dict[str, bytes]:
    """The book's relation with one more column ``who``."""
    text = SPENT.replace("columns:\n", f"columns:\n  who: {word}\n").replace(
        "SELECT mdtrt_id,", f"SELECT {sql} AS who, mdtrt_id,"
    )
    return {"rules/relations/spent.yaml": text.encode()}


USING = "fee_detail AS f JOIN spent ON spent.mdtrt_id = f.mdtrt_id"


def test_a_relation_flags_what_is_personal() -> None:
    error = refused(hit(), **spent("[string]", "max(person)"))
    assert error.file == "rules/relations/spent.yaml"
    assert "who carries fee_detail.person, which is personal: flag who personal" in error.problem
    load(hit(), **spent("[string, personal]", "max(person)"))


def test_a_value_is_followed_through_a_relation() -> None:
    who = spent("[string, personal]", "max(person)")
    load(hit(USING, person="spent.who"), **who)
    error = refused(hit(USING, staff="spent.who"), **who)
    assert "staff carries spent.who (from fee_detail.person), which is no number" in error.problem
    load(hit(USING, staff="spent.who"), **spent("[string, personal]", "max(doctor)"))


def test_a_flag_holds_where_nothing_is_carried() -> None:
    error = refused(hit(USING, key="spent.who"), **spent("[string, personal]", "max(line)"))
    assert "key carries spent.who, which is personal" in error.problem


def test_a_column_named_like_one_of_staff_is_not_of_staff() -> None:
    text = SPENT.replace("columns:\n", "columns:\n  doctor: [string, personal]\n").replace(
        "SELECT mdtrt_id,", "SELECT max(person) AS doctor, mdtrt_id,"
    )
    changed = {"rules/relations/spent.yaml": text.encode()}
    assert "is no number of staff" in refused(hit(USING, staff="spent.doctor"), **changed).problem


def test_a_name_of_staff_is_no_number() -> None:
    both = "fee_detail AS f JOIN staff_member ON staff_member.staff = f.doctor"
    load(hit(both, staff="staff_member.staff"))
    error = refused(hit(both, staff="staff_member.name"))
    assert "staff carries staff_member.name, which is no number of staff" in error.problem
