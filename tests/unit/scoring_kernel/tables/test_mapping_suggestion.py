"""Proposed mappings: found by names and values, read by the grammar, nothing invented."""

from collections.abc import Mapping

import pyarrow as pa
import pytest

from scoring_kernel import load_catalog
from scoring_kernel.tables.mapping import Layout
from scoring_kernel.tables.mapping_evidence import look_at
from scoring_kernel.tables.mapping_files import parse_item_mapping, parse_record_mapping
from scoring_kernel.tables.mapping_suggestion import (
    Suggestion,
    suggest_item_mapping,
    suggest_record_mapping,
)

ROWS = 40


def table(**columns: list[str | None]) -> dict[str, pa.Array]:
    return {name: pa.array((values * ROWS)[:ROWS], pa.string()) for name, values in columns.items()}


SETTLEMENTS: Mapping[str, pa.Array] = table(
    机构编码=["H33030200001"],
    结算单号=[f"S{n}" for n in range(ROWS)],
    就诊号=[f"V{n}" for n in range(ROWS)],
    患者编号=[f"33{n:024d}" for n in range(ROWS)],
    险种=["310", "390"],
    医疗类别=["11", "21"],
    住院标志=["否", "是"],
    结算日期=["2026/3/1", "2026/3/28"],
    总金额=["100.50"],
    政策内费用=["90.00"],
    统筹支付=["80"],
    账户支付=["0"],
    现金支付=["20.50"],
    备注=[None],
)


def suggest(cells: Mapping[str, pa.Array], layout: Layout | None = None) -> Suggestion:
    return suggest_record_mapping("门诊 Claims.csv", cells, load_catalog(), layout or Layout())


def test_a_table_of_settlements_is_recognised() -> None:
    found = suggest(SETTLEMENTS, Layout(delimiter=";", encoding="gb18030"))

    assert (found.targets, found.problem) == (("settlement",), "")
    mapping = parse_record_mapping(found.text.encode(), "x.yaml", load_catalog())
    assert (mapping.namespace, mapping.record_id) == ("claims", ("结算单号",))
    assert (mapping.institution.column, mapping.institution.foreign) == ("机构编码", False)
    assert (mapping.layout.delimiter, mapping.layout.encoding) == (";", "gb18030")
    spec = {one.name: one for one in mapping.kinds[0].columns}
    assert spec["settled_at"].formats == ("%Y/%m/%d",)
    assert spec["inpatient"].codes == {"是": "true", "否": "false"}
    assert spec["cash_fen"].columns == ("现金支付",)
    assert all(0 < guess.confidence <= 1 for guess in found.guesses if guess.column)


def test_what_is_missing_is_named_and_never_invented() -> None:
    cells = {name: one for name, one in SETTLEMENTS.items() if name != "统筹支付"}
    found = suggest(cells)

    assert found.targets == ("settlement",)
    assert "column 'fund_fen' is missing" in found.problem
    assert "    # fund_fen: {column: ...}  # required: no column fits\n" in found.text


def test_two_columns_as_good_as_each_other_are_left_to_the_operator() -> None:
    cells = {**SETTLEMENTS, "结算时间": SETTLEMENTS["结算日期"]}
    found = suggest(cells)

    (guess,) = [one for one in found.guesses if one.target.name == "settled_at"]
    assert not guess.is_sure
    assert "    # settled_at: {column: " in found.text
    assert '"结算' in guess.note


@pytest.mark.parametrize(
    ("name", "values", "wrong"),
    [
        ("结算日期", ["soon"], "settled_at"),
        ("现金支付", ["much"], "cash_fen"),
        ("现金支付", ["1.005"], "cash_fen"),
        ("住院标志", ["maybe"], "inpatient"),
        ("险种", ["城镇"], "insutype"),
        ("结算日期", ["03/04/2026"], "settled_at"),
        ("患者编号", ["1", None], "person"),
    ],
)
def test_a_good_name_over_wrong_cells_is_not_sure(
    name: str, values: list[str | None], wrong: str
) -> None:
    found = suggest({**SETTLEMENTS, **table(**{name: values})})
    (guess,) = [one for one in found.guesses if one.target.name == wrong]
    assert not guess.is_sure
    assert found.problem


def test_codes_of_another_register_make_foreign_institutions() -> None:
    found = suggest({**SETTLEMENTS, **table(机构编码=["PRV1", "PRV2"])})
    mapping = parse_record_mapping(found.text.encode(), "x.yaml", load_catalog())
    assert mapping.institution.foreign


def test_names_of_columns_cannot_break_out_of_the_proposal() -> None:
    cells = dict(SETTLEMENTS)
    evil = '现金支付"}\nformat: 2 # \u2028'
    cells[evil] = cells.pop("现金支付")
    found = suggest_record_mapping("a\nformat: 2", cells, load_catalog(), Layout())
    assert found.problem == ""
    mapping = parse_record_mapping(found.text.encode(), "x.yaml", load_catalog())
    assert evil in mapping.table_columns


def test_a_table_that_is_nothing_of_ours_says_so() -> None:
    found = suggest(table(colour=["red"], weight=["1"]))
    assert found.problem
    assert "# institution: {column: ...}" in found.text
    assert suggest({}).problem


def test_the_nearest_item_is_found_or_the_one_that_is_named() -> None:
    cells = table(
        机构编码=["H33030200001"],
        评价周期=["2026H1"],
        剔除人次=["5"],
    ) | {"审核剔除金额(万元)": pa.array(["1.25"] * ROWS)}
    catalog = load_catalog()
    found = suggest_item_mapping("a.xlsx", cells, catalog, Layout(sheet="汇总"))

    assert (found.targets, found.problem) == (("05",), "")
    mapping = parse_item_mapping(found.text.encode(), "x.yaml", catalog)
    assert mapping.layout.sheet == "汇总"
    (amount,) = [one for one in mapping.columns if one.name == "rejected_yuan"]
    assert amount.decimals == 6
    named = suggest_item_mapping("a.xlsx", cells, catalog, Layout(), item="04")
    assert named.targets == ("04",)
    assert "column 'outpatient_visits' is missing" in named.problem


def test_cells_are_recognised_by_form_and_list() -> None:
    lists = {"insutype": {"310", "390"}}
    codes = look_at(pa.array(["XA01ABD075A002010100483", "ZA01AAB0001010100001"]), lists)
    assert "item_code" in codes.forms
    assert look_at(pa.array(["91350100M000100Y43"]), lists).forms == {"organisation"}
    assert look_at(pa.array(["310", None]), lists).code_lists == {"insutype": True}
    assert look_at(pa.array([None], pa.string()), lists).code_lists == {"insutype": False}
    days = look_at(pa.array(["01/02/2026", "02/03/2026"]), {})
    assert set(days.formats) == {"%m/%d/%Y", "%d/%m/%Y"}
