"""National knowledge points: each one bound to a table, or unbound with a reason."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import openpyxl
import pytest

from scoring_kernel.errors import KernelInputError
from scoring_kernel.rules import load_rules, read_points
from scoring_kernel.rules.points import COLUMNS, generic_of
from scoring_kernel.tables import open_table

NATIONAL = Path(__file__).parents[4].parent / "shared" / "domain" / "nhsa_knowledge_points.csv"
NEEDS_NATIONAL = pytest.mark.skipif(
    not NATIONAL.is_file(), reason="the national knowledge points lie beside the repository only"
)
DRUG, ITEM = "XL02BBA326A001010102180", "002101030280000"
OTHER = "003107010210000"


def point(**given: str) -> dict[str, str | None]:
    return {**dict.fromkeys(COLUMNS, ""), **given}


def bound(rule_type: str, code: str, limit: str, other: str = "") -> dict[str, object]:
    """The one row that a point becomes, and its table."""
    kind = "item" if code[:1].isdigit() else "drug"
    given = point(object=kind, rule_type=rule_type, code=code, limit=limit, other_code=other)
    found = read_points([given], load_rules().knowledge)
    assert found.unbound == []
    ((table, (row,)),) = found.tables.items()
    return {"table": table, **row}


@pytest.mark.parametrize(
    ("rule_type", "code", "limit", "expected"),
    [
        ("限定性别对象", DRUG, "男", {"table": "k_drug_gender", "gender": "1"}),
        ("限定性别对象", ITEM, "女", {"table": "k_item_gender", "gender": "2"}),
        ("限定年龄对象", DRUG, "儿童", {"table": "k_drug_child", "stage": "child"}),
        ("限定年龄对象", ITEM, "新生儿", {"table": "k_item_child", "stage": "newborn"}),
        ("限定保险类型", DRUG, "工伤", {"table": "k_drug_insutype", "insurance": "work_injury"}),
        ("限定机构等级", DRUG, "二级", {"table": "k_drug_hosplevel", "min_rank": 2}),
        ("限定机构等级", DRUG, "三级及以上", {"table": "k_drug_hosplevel", "min_rank": 3}),
        ("限定就医方式", DRUG, "住院", {"table": "k_drug_setting", "setting": "inpatient"}),
        ("限定频次", ITEM, "1次/日", {"table": "k_item_freq", "day_limit": 1, "hourly": False}),
        ("限定频次", ITEM, "24次/小时", {"table": "k_item_freq", "day_limit": 24, "hourly": True}),
        ("限定周期", ITEM, "1次/14日", {"table": "k_item_cycle", "days": 14, "times": 1}),
    ],
)
def test_a_limit_is_read(
    rule_type: str, code: str, limit: str, expected: dict[str, object]
) -> None:
    assert bound(rule_type, code, limit) == {"code": code, **expected}


@pytest.mark.parametrize(
    ("limit", "total", "gap", "week", "disease"),
    [
        ("总时间不超过90天，评定间隔时间不短于14天。", 90, 14, None, False),
        ("支付不超过30天。", 30, None, None, False),
        ("一个疾病过程支付不超过90天。", 90, None, None, True),
        ("支付不超过一年，每周最多支付一次。", 365, None, 1, False),
    ],
)
def test_a_course_is_read(
    limit: str, total: int, gap: int | None, week: int | None, *, disease: bool
) -> None:
    row = bound("限定疗程", ITEM, limit)
    assert (row["total_days"], row["min_gap_days"]) == (total, gap)
    assert (row["week_limit"], row["per_disease"]) == (week, disease)


def test_a_drug_with_a_course_is_grouped_by_its_generic_name() -> None:
    row = bound("限定支付疗程", DRUG, "14天")
    assert (row["generic"], row["limit_days"]) == (generic_of(DRUG), 14)
    assert generic_of(DRUG) == "XL02BBA326"


def test_operations_of_one_group_have_one_code() -> None:
    first = bound("限定主次操作", ITEM, "胃肠手术组")
    second = bound("限定主次操作", OTHER, "胃肠手术组")
    assert first["group_code"] == second["group_code"]
    assert first["group_code"] != bound("限定主次操作", ITEM, "肝胆手术组")["group_code"]
    assert re.fullmatch(r"g[0-9a-f]{8}", str(first["group_code"]))


@pytest.mark.parametrize(("limit", "scope"), [("单日", "day"), ("6小时", "hours_6")])
def test_items_that_exclude_each_other(limit: str, scope: str) -> None:
    row = bound("重复收费", ITEM, limit, OTHER)
    assert (row["sub_code"], row["scope"]) == (OTHER, scope)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (point(), "no rule takes an empty rule type of an empty object"),
        (point(object="item", rule_type="限定人数"), "no rule takes 限定人数 of item"),
        (point(object="drug", rule_type="限定性别对象", limit="男"), "the code is empty"),
        (
            point(object="drug", rule_type="限定性别对象", code="' OR 1=1", limit="男"),
            "the code is not of the national form",
        ),
        (
            point(object="drug", rule_type="限定性别对象", code=ITEM, limit="男"),
            "the code is not of the national form",
        ),
        (
            point(object="drug", rule_type="限定性别对象", code=DRUG, limit="不限"),
            "the limit 不限 has no known form",
        ),
        (point(object="item", rule_type="限定频次", code=ITEM, limit=""), "the limit is empty"),
        (point(object="item", rule_type="限定频次", code=ITEM, limit="0次/日"), "no known form"),
        (point(object="item", rule_type="限定周期", code=ITEM, limit="每周"), "no known form"),
        (point(object="item", rule_type="限定疗程", code=ITEM, limit="短期"), "no known form"),
        (point(object="drug", rule_type="限定支付疗程", code=DRUG, limit="两周"), "no known form"),
        (point(object="item", rule_type="限定主次操作", code=ITEM), "the limit is empty"),
        (
            point(object="item", rule_type="限定年龄", code=ITEM, limit="超出法定就业年龄限制"),
            "an age beyond the working age: no rule states that age",
        ),
        (
            point(object="item", rule_type="重复收费", code=ITEM, limit="单日"),
            "the other code is empty or not of the national form",
        ),
        (
            point(object="item", rule_type="重复收费", code=ITEM, limit="每月", other_code=OTHER),
            "the limit 每月 has no known form",
        ),
    ],
)
def test_a_point_that_no_table_takes_says_why(given: dict[str, str | None], reason: str) -> None:
    found = read_points([given], load_rules().knowledge)
    assert found.tables == {}
    ((number, said),) = found.unbound
    assert number == 1
    assert reason in said
    assert found.reasons == {said: 1}


def test_the_same_point_twice_is_one_row() -> None:
    one = point(object="drug", rule_type="限定性别对象", code=f" {DRUG} ", limit="男")
    found = read_points([one, dict(one), point()], load_rules().knowledge)
    assert (found.count, found.bound) == (3, {"k_drug_gender": 2})
    assert len(found.tables["k_drug_gender"]) == 1
    assert found.unbound[0][0] == 3


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(KernelInputError, match="found no column limit"):
        read_points([{name: "" for name in COLUMNS if name != "limit"}], {})


def test_too_many_points_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring_kernel.rules.points.MAX_POINTS", 2)
    with pytest.raises(KernelInputError, match="more than 2 points"):
        read_points([point()] * 3, {})


@NEEDS_NATIONAL
def test_every_national_point_is_bound_or_says_why() -> None:
    with NATIONAL.open(encoding="utf-8-sig", newline="") as lines:
        found = read_points(list(csv.DictReader(lines)), load_rules().knowledge)
    assert found.count == 15_621
    assert found.bound == {
        "k_drug_gender": 6472,
        "k_item_gender": 390,
        "k_drug_child": 4398,
        "k_item_child": 30,
        "k_drug_insutype": 112,
        "k_drug_hosplevel": 962,
        "k_drug_setting": 736,
        "k_drug_course": 1147,
        "k_item_mutex": 900,
        "k_item_freq": 67,
        "k_item_cycle": 14,
        "k_item_course": 11,
        "k_op_group": 378,
    }
    assert found.reasons == {
        "the code is empty": 3,
        "an age beyond the working age: no rule states that age": 1,
    }


@NEEDS_NATIONAL
def test_rows_of_national_points_fit_their_tables_and_serve_rules() -> None:
    book = load_rules()
    with NATIONAL.open(encoding="utf-8-sig", newline="") as lines:
        found = read_points(list(csv.DictReader(lines)), load_rules().knowledge)
    words = {str: "string", int: "int64", bool: "bool"}
    served = {rule for table in found.tables for rule in book.readers(table)}
    assert {f"M{number:02d}" for number in range(1, 14)} <= served
    for table, rows in found.tables.items():
        declared = book.knowledge[table]
        for row in rows:
            assert [*row, "begins_at", "ends_at"] == [*declared.columns]
            for name, value in row.items():
                if value is None:
                    assert name in declared.nullable
                else:
                    assert words[type(value)] == declared.columns[name]


def test_points_come_from_a_workbook_as_from_a_text(tmp_path: Path) -> None:
    rows = [
        ["一", "drug", "限定性别对象", DRUG, "阿帕他胺片", "男", None, None],
        ["八", "item", "限定频次", ITEM, "住院诊查费", "1次/日", None, None],
    ]
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(COLUMNS))
    for row in rows:
        sheet.append(row)
    book.save(tmp_path / "points.xlsx")
    with (tmp_path / "points.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([COLUMNS, *rows])
    found = []
    for name in ("points.xlsx", "points.csv"):
        with open_table(tmp_path / name) as table:
            cells = [batch.columns for batch in table.batches()]
        points = [
            dict(zip(one, values, strict=True))
            for one in cells
            for values in zip(*(column.to_pylist() for column in one.values()), strict=True)
        ]
        found.append(read_points(points, load_rules().knowledge))
    assert found[0] == found[1]
    assert found[0].bound == {"k_drug_gender": 1, "k_item_freq": 1}
