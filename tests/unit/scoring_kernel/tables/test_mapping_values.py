"""Cells as columns: exact numbers, days by format, codes by list, and what is refused."""

from collections.abc import Mapping

import pyarrow as pa
import pytest

from scoring_kernel import load_catalog
from scoring_kernel.tables.mapping import ColumnSpec
from scoring_kernel.tables.mapping_days import days_of
from scoring_kernel.tables.mapping_files import parse_item_mapping
from scoring_kernel.tables.mapping_values import item_columns, record_column


def spec(name: str, kind: str, **given: object) -> ColumnSpec:
    base: dict[str, object] = {
        "name": name,
        "type": kind,
        "nullable": False,
        "personal": False,
        "columns": ("x",),
    }
    return ColumnSpec(**{**base, **given})  # type: ignore[arg-type]


def cells(*values: str | None) -> Mapping[str, pa.Array]:
    return {"x": pa.array(values, pa.string())}


def test_days_are_read_by_their_formats() -> None:
    texts = ["2026年3月1日", "2026/03/31", "2026/3/9", "2026/2/31", "20260401", "x", None, ""]
    found = days_of(pa.array(texts), ["%Y年%m月%d日", "%Y/%m/%d", "%Y%m%d"]).to_pylist()

    days = ["2026-03-01", "2026-03-31", "2026-03-09", None, "2026-04-01", None, None, None]
    assert [one and f"{one:%Y-%m-%d}" for one in found] == days


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2014-08-16", "2014-08-16 00:00:00"),
        ("2014-08-16T09:30:00", "2014-08-16 09:30:00"),
        ("2014-08-16 09:30:00.123", "2014-08-16 09:30:00"),
        ("2014-08-16T09:30:00Z", "2014-08-16 17:30:00"),
        ("2014-08-16T20:30:00-07:00", "2014-08-17 11:30:00"),
        ("2014-08-16T09:30:00.5+0800", "2014-08-16 09:30:00"),
        ("2014-08-16T09:30:00+29:00", None),
        ("2014-08-16T09:30:00 Z", None),
        ("2014-08-16T24:30:00", None),
        ("2014-02-29", None),
        ("0000-01-01", None),
        ("2014-08-1\uff16", None),
    ],
)
def test_iso_moments_become_the_wall_clock_of_china(text: str, moment: str | None) -> None:
    (found,) = days_of(pa.array([text]), ["iso"]).to_pylist()
    assert (found and str(found)) == moment


def test_many_equal_days_are_read_as_few() -> None:
    texts = pa.array(["2026-03-01", "2026-13-01"] * 1_000)
    found = days_of(texts, ["%Y-%m-%d"])
    assert (found.null_count, str(found[1_998].as_py())) == (1_000, "2026-03-01 00:00:00")


def test_sums_and_units_are_exact() -> None:
    given = {"x": pa.array(["1.5", "0.000001", None]), "y": pa.array(["2", "0", "3"])}
    column, problems = record_column(
        spec("fund_fen", "int64", columns=("x", "y"), decimals=6, default="0"), given, 3
    )
    assert (column.to_pylist(), problems) == ([3_500_000, 1, 3_000_000], ())


def test_a_number_too_fine_is_refused_unless_it_is_rounded() -> None:
    given = cells("1.005", "1.004", "-1.005", "927.8320000000001")
    values, (problem,) = record_column(spec("a_fen", "int64", decimals=2), given, 4)
    assert (problem.rule, problem.rows) == ("field_type", (0, 1, 2, 3))
    assert values.to_pylist() == [0, 0, 0, 0]
    rounded, problems = record_column(spec("a_fen", "int64", decimals=2, rounds=True), given, 4)
    assert rounded.to_pylist() == [101, 100, -101, 92783]
    assert [(one.rule, one.rows, one.values) for one in problems] == [
        ("number_negative", (2,), ("-101",))
    ]


def test_the_first_filled_column_is_taken() -> None:
    given = {"x": pa.array([None, "a", None]), "y": pa.array(["b", "c", None], pa.string())}
    column, (problem,) = record_column(
        spec("mdtrt_id", "string", columns=("x", "y"), takes_first=True), given, 3
    )
    assert column.to_pylist() == ["b", "a", None]
    assert (problem.rule, problem.column, problem.rows) == ("field_missing", "x", (2,))


def test_texts_are_trimmed_cased_filled_and_mapped_in_that_order() -> None:
    given = cells(" y ", None, "N", "z")
    column, (problem,) = record_column(
        spec("item", "string", trim=True, case="upper", default="N", codes={"Y": "1", "N": "2"}),
        given,
        4,
    )
    assert column.to_pylist() == ["1", "2", "2", None]
    assert (problem.rule, problem.rows, problem.values) == ("code_unknown", (3,), ("Z",))


def test_a_code_must_be_of_the_national_list() -> None:
    allowed = frozenset(("310", "390"))
    column, (problem,) = record_column(
        spec("insutype", "string", allowed=allowed), cells("310", "311"), 2
    )
    assert column.to_pylist() == ["310", None]
    assert (problem.rule, problem.rows) == ("code_unknown", (1,))


def test_long_texts_and_personal_values_are_told_apart() -> None:
    _, (problem,) = record_column(
        spec("person", "string", personal=True), cells("中" * 201, "中" * 200), 2
    )
    assert (problem.rule, problem.rows, problem.personal) == ("field_too_long", (0,), True)
    assert "中" not in repr(problem)


@pytest.mark.parametrize(
    ("kind", "constant"), [("int64", 5), ("string", "a"), ("bool", True), ("timestamp[s]", None)]
)
def test_a_constant_or_nothing_fills_every_row(kind: str, constant: object) -> None:
    column, problems = record_column(spec("c", kind, columns=(), constant=constant), {}, 3)
    assert (column.to_pylist(), problems) == ([constant] * 3, ())


ITEM = """
format: 1
item: "05"
columns:
  institution: {column: code, trim: true}
  period: {column: half, map: {"上半年": "2026H1"}}
  rejected_visits: {column: visits, unit: 千}
  rejected_yuan: {column: amount, unit: 万元}
"""


def test_an_items_columns_become_text_in_its_own_units() -> None:
    mapping = parse_item_mapping(ITEM.encode(), "x.yaml", load_catalog())
    given = {
        "code": pa.array([" H33030200001 ", "H1"]),
        "half": pa.array(["上半年", "2026"]),
        "visits": pa.array(["1.5", "1.2345"]),
        "amount": pa.array(["0.000001", "12"]),
    }
    columns, problems = item_columns(mapping, given, 2)

    assert {name: one.to_pylist() for name, one in columns.items()} == {
        "institution": ["H33030200001", "H1"],
        "period": ["2026H1", None],
        "rejected_visits": ["1500", "0"],
        "rejected_yuan": ["0.01", "120000.00"],
    }
    assert [(one.rule, one.rows) for one in problems] == [
        ("code_unknown", (1,)),
        ("field_type", (1,)),
    ]


def test_an_items_number_in_its_own_unit_and_its_day_are_left_to_its_rules() -> None:
    catalog = load_catalog()
    item = catalog.items["03"]
    lines = [f"  {one.name}: {{column: {one.name}}}" for one in item.fields if one.required]
    content = "format: 1\nitem: '03'\ncolumns:\n" + "\n".join(lines)
    content = content.replace("{column: event_day}", "{column: event_day, format: '%Y/%m/%d'}")
    content += "\n  amount_yuan: {column: amount_yuan}\n"
    mapping = parse_item_mapping(content.encode(), "x.yaml", catalog)
    given = {name: pa.array(["-1,5"]) for name in mapping.table_columns}
    given["event_day"] = pa.array(["2026/3/1"])

    columns, problems = item_columns(mapping, given, 1)

    assert (columns["amount_yuan"].to_pylist(), problems) == (["-1,5"], ())
    assert columns["event_day"].to_pylist() == ["2026-03-01"]
