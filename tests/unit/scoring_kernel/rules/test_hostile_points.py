"""Knowledge that contradicts itself, or whose limits are none, reaches no rule."""

from __future__ import annotations

import pytest

from scoring_kernel.errors import RuleError
from scoring_kernel.rules import load_rules, read_points, read_table_rows
from scoring_kernel.rules.points import COLUMNS

ITEM = "001102000050000"
FREQUENT = {"object": "item", "rule_type": "限定频次"}


def point(**cells: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | cells


def rows(table: str, *cells: dict[str, str]) -> list[dict[str, object]]:
    found = read_table_rows(load_rules().knowledge[table], cells, "file.csv")
    return [dict(row) for row in found.tables[table]]


def test_a_second_limit_of_a_code_is_unbound_and_the_first_stays() -> None:
    points = read_points(
        [
            point(code=ITEM, limit="2次/日", **FREQUENT),
            point(code=ITEM, limit="4次/日", **FREQUENT),
            point(code=ITEM, limit="2次/日", **FREQUENT),
        ],
        load_rules().knowledge,
    )
    assert points.unbound == [(2, "an earlier point of the same code says otherwise")]
    assert points.bound == {"k_item_freq": 2}
    assert [row["day_limit"] for row in points.tables["k_item_freq"]] == [2]
    assert points.count == 3


@pytest.mark.parametrize(
    "codes",
    [("XA01AAA001", "XA01AAA001"), ("XA01AAA001", "XA01AAA001A001"), ("XA01AAA001A", "XA01AAA001")],
)
def test_two_rows_for_one_drug_are_refused(codes: tuple[str, str]) -> None:
    given = [
        {"code": code, "limit_days": str(number)} for number, code in enumerate(codes, start=30)
    ]
    with pytest.raises(RuleError, match=r"XA01AAA001.*keep one of them"):
        rows("k_long_term", *given)


def test_the_same_row_again_and_rows_of_other_drugs_are_none_too_many() -> None:
    first = {"code": "XA01AAA001", "limit_days": "30"}
    other = {"code": "XA01AAA002", "limit_days": "30"}
    assert len(rows("k_long_term", first, other, first)) == 2


def test_where_a_code_may_have_several_rows_it_keeps_them() -> None:
    several = [{"code": "XA01AAA001", "first_code": first} for first in ("XB01AA", "XB01AB")]
    assert len(rows("k_second_line", *several)) == 2


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "00", "1e3", "1.0", "+1", "\uff11", "9" * 13, "9" * 30, "0x10", "1_0", "NaN"],
)
def test_a_limit_is_a_number_from_one_on(limit: str) -> None:
    with pytest.raises(RuleError, match="a whole number from 1 to 999999999999"):
        rows("k_long_term", {"code": "XA01AAA001", "limit_days": limit})


@pytest.mark.parametrize(
    "code", ["'); DROP TABLE line; --", '{"a": 1}', "=1+1", "C:\\x", "../../etc/passwd", "国" * 200]
)
def test_text_of_a_code_is_text_and_nothing_else(code: str) -> None:
    (row,) = rows("k_long_term", {"code": code, "limit_days": "30"})
    assert row["code"] == code


@pytest.mark.parametrize("code", ["x" * 201, "a\x1b[31m", "a\u202eb", "a\x00b", "\ufeffx"])
def test_text_that_does_not_print_is_refused(code: str) -> None:
    with pytest.raises(RuleError, match="signs that print") as caught:
        rows("k_long_term", {"code": code, "limit_days": "30"})
    assert str(caught.value).isprintable()
