"""Mapping files: what can be declared, and every mistake with its line."""

from pathlib import Path

import pytest

from scoring_kernel import load_catalog
from scoring_kernel.errors import CatalogError
from scoring_kernel.tables.builtin_mappings import find_builtin_mapping, find_header_mapping
from scoring_kernel.tables.mapping import ItemMapping, RecordMapping
from scoring_kernel.tables.mapping_files import (
    parse_item_mapping,
    parse_mapping,
    parse_record_mapping,
)

ROOT = Path(__file__).resolve().parents[4]
RECORDS = """
format: 1
namespace: test-set
record_id: [id, line]
institution: {constant: H33030200001}
sheet: 汇总
records:
  fee_detail:
    line: {column: line, trim: true, case: upper}
    mdtrt_id: {first: [visit, id]}
    person: {column: person}
    occurred_at: {column: day, format: ["%Y/%m/%d", iso]}
    item_code: {column: item, map: [{from: "Y", to: X1}, {from: "N", to: X2}]}
    local_code: {constant: none}
    amount_fen: {sum: [a, b], unit: 万元}
    quantity_e4: {column: count, unit: thousand}
    price_e6: {column: price, round: true}
    inscp_fen: {column: share, unit: fen}
"""
ITEM = """
format: 1
item: "05"
table: sheet_a
columns:
  institution: {column: 机构编码}
  period: {constant: "2026H1"}
  rejected_visits: {column: 人次, unit: 千}
  rejected_yuan: {column: 金额, unit: 万元}
"""


def test_a_mapping_says_where_every_column_comes_from() -> None:
    mapping = parse_record_mapping(RECORDS.encode(), "x.yaml", load_catalog())
    (kind,) = mapping.kinds
    spec = {one.name: one for one in kind.columns}

    assert mapping.table_columns == {
        *("id", "line", "visit", "person", "day", "item", "a", "b", "count", "price", "share")
    }
    assert mapping.institution.constant == "H33030200001"
    assert (mapping.layout.sheet, mapping.layout.encoding) == ("汇总", None)
    assert spec["mdtrt_id"].takes_first
    assert (spec["amount_fen"].decimals, spec["inscp_fen"].decimals) == (6, 0)
    assert (spec["quantity_e4"].decimals, spec["price_e6"].decimals) == (7, 6)
    assert spec["occurred_at"].formats == ("%Y/%m/%d", "iso")
    assert spec["item_code"].codes == {"Y": "X1", "N": "X2"}
    assert [one.name for one in kind.days] == ["occurred_at"]
    assert spec["doctor"].columns == ()


def test_a_mapping_of_an_item_names_its_fields() -> None:
    mapping = parse_item_mapping(ITEM.encode(), "x.yaml", load_catalog())

    assert (mapping.item, mapping.layout.table) == ("05", "sheet_a")
    assert [spec.name for spec in mapping.columns] == [
        *("institution", "period", "rejected_visits", "rejected_yuan")
    ]
    assert mapping.table_columns == {"机构编码", "人次", "金额"}


@pytest.mark.parametrize(
    ("find", "put", "problem"),
    [
        ("record_id: [id, line]", "record_id: [id, id]", "x.yaml:4: record_id: expected 1 to 6"),
        ("record_id: [id, line]", "record_id: []", "x.yaml:4: record_id: expected 1 to 6"),
        (
            "record_id: [id, line]",
            "record_id: {digest: []}",
            "x.yaml:4: record_id: expected 1 to 6",
        ),
        ("record_id: [id, line]", "record_id: {hash: [id]}", "x.yaml:4: unknown key 'hash'"),
        ("record_id: [id, line]", "record_id: {digest: id}", "digest: found 'id', expected a list"),
        ("{constant: H33030200001}", "{constant: X1}", "x.yaml:5: constant: found 'X1'"),
        ("{constant: H33030200001}", "{}", "exactly one of column and constant"),
        ("{constant: H33030200001}", "{constant: H33030200001, foreign: true}", "unknown key"),
        ("sheet: 汇总", "sheet: 'a/b'", "x.yaml:6: sheet"),
        ("sheet: 汇总", "table: A B", "x.yaml:6: table"),
        ("fee_detail:", "raw:", "x.yaml:8: record kind 'raw' found"),
        ("fee_detail:", "message:", "x.yaml:8: record kind 'message' found"),
        ("{first: [visit, id]}", "{first: []}", "mdtrt_id: expected 1 to 8 columns"),
        ("{first: [visit, id]}", "{first: [visit], column: id}", "exactly one of column, first"),
        ("trim: true", "trim: perhaps", "trim: found 'perhaps', expected true or false"),
        ("case: upper", "case: title", "case: found 'title', expected one of lower, upper"),
        ('"%Y/%m/%d", iso', '"%m/%d"', "expected the form"),
        ('"%Y/%m/%d", iso', '"%Y-%Y"', "expected the form"),
        ('"%Y/%m/%d", iso', '"%Y %q"', "expected the form"),
        ('["%Y/%m/%d", iso]', "[]", "format: expected 1 to 8 formats"),
        ('{from: "N"', '{from: "Y"', "from: 'Y' is given twice"),
        ('{from: "N", to: X2}', '{form: "N", to: X2}', "unknown key 'form'"),
        ('[{from: "Y", to: X1}, {from: "N", to: X2}]', "{}", "map: expected 1 to"),
        ('[{from: "Y", to: X1}, {from: "N", to: X2}]', "x", "map: found 'x', expected a mapping"),
        ("unit: 万元", "unit: euro", "unit: found 'euro', expected one of"),
        ("unit: thousand", "unit: yuan", "unit: found 'yuan', expected one of"),
        ("round: true", "unit: percent", "unit: found 'percent'"),
        ("{column: person}", "{column: person, round: true}", "round belongs to numbers"),
        ("{column: person}", '{column: person, truths: ["1"]}', "truths belongs to bools"),
        ("{column: line, trim: true, case: upper}", "{column: 5}", "column: found 5"),
    ],
)
def test_every_mistake_is_refused_with_its_line(find: str, put: str, problem: str) -> None:
    assert find in RECORDS
    with pytest.raises(CatalogError) as caught:
        parse_mapping(RECORDS.replace(find, put).encode(), "x.yaml", load_catalog())
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("find", "put", "problem"),
    [
        ('item: "05"', 'item: "99"', "x.yaml:3: item: found '99'"),
        ("rejected_yuan:", "rejected_fen:", "x.yaml:9: unknown key 'rejected_fen'"),
        ("  rejected_visits: {column: 人次, unit: 千}\n", "", "'rejected_visits' is missing"),
        ("unit: 千", "unit: percent", "unit: found 'percent'"),
        ("columns:", "records: {}\ncolumns:", "exactly one of records and item"),
        ('item: "05"', 'item: "05"\nnamespace: x', "unknown key 'namespace'"),
    ],
)
def test_every_mistake_for_an_item_is_refused(find: str, put: str, problem: str) -> None:
    assert find in ITEM
    with pytest.raises(CatalogError) as caught:
        parse_mapping(ITEM.replace(find, put).encode(), "x.yaml", load_catalog())
    assert problem in str(caught.value)


def test_a_mapping_is_refused_by_the_side_it_is_not_for() -> None:
    with pytest.raises(CatalogError, match="a hub reads it"):
        parse_record_mapping(ITEM.encode(), "x.yaml", load_catalog())
    with pytest.raises(CatalogError, match="a node reads it"):
        parse_item_mapping(RECORDS.encode(), "x.yaml", load_catalog())


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ('{column: x, truths: ["Y"], falses: ["N"]}', ""),
        ('{column: x, truths: ["Y"], falses: ["Y"]}', "'Y' is given twice"),
        ("{column: x}", "a bool needs a map"),
        ('{column: x, map: {"1": "perhaps"}}', "expected one of false, true"),
    ],
)
def test_a_bool_names_the_words_of_both_sides(given: str, problem: str) -> None:
    content = f"""
format: 1
namespace: a
record_id: id
institution: {{column: hospital}}
records:
  admission:
    mdtrt_id: {{column: id}}
    person: {{column: person}}
    admitted_at: {{column: day, format: iso}}
    inpatient: {given}
""".encode()
    if not problem:
        (kind,) = parse_record_mapping(content, "x.yaml", load_catalog()).kinds
        spec = next(one for one in kind.columns if one.name == "inpatient")
        assert spec.codes == {"Y": "true", "N": "false"}
        return
    with pytest.raises(CatalogError, match=problem):
        parse_mapping(content, "x.yaml", load_catalog())


def test_a_register_belongs_to_the_day_of_its_intake() -> None:
    content = """
format: 1
namespace: deaths
record_id: {digest: [hospital, person]}
institution: {column: hospital}
records:
  death:
    person: {column: person}
    died_at: {column: died, format: iso}
"""
    mapping = parse_record_mapping(content.encode(), "x.yaml", load_catalog())
    assert (mapping.kinds[0].days, mapping.digests_id) == ((), True)
    assert mapping.record_id == ("hospital", "person")
    with pytest.raises(CatalogError, match=r"x\.yaml:10: unknown key 'day'"):
        parse_mapping(
            (content + "    day: {column: died, format: iso}\n").encode(), "x.yaml", load_catalog()
        )


def test_whole_numbers_of_millionths_are_a_unit() -> None:
    mapping = find_builtin_mapping(load_catalog(), "institution_profile")
    assert mapping is not None
    spec = {one.name: one for one in mapping.kinds[0].columns}
    assert (spec["latitude_e6"].decimals, spec["beds"].decimals) == (0, 0)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (("institution", "person", "died_at"), "death"),
        (("died_at", "month", "record_id", "institution", "person"), "death"),
        (("institution", "person"), None),
        (("institution", "person", "died_at", "name"), None),
        ((), None),
        (("eob_id",), None),
    ],
)
def test_a_header_tells_a_register(header: tuple[str, ...], found: str | None) -> None:
    mapping = find_header_mapping(load_catalog(), header)
    assert (mapping and mapping.kinds[0].kind) == found


def test_a_kind_without_a_sure_day_takes_another_column() -> None:
    content = """
format: 1
namespace: lists
record_id: id
institution: {column: hospital}
records:
  settlement_list:
    setl_id: {column: id}
    mdtrt_id: {column: visit}
    planned_readmission: {constant: false}
"""
    with pytest.raises(CatalogError, match=r"x\.yaml:8: the day of settlement_list is missing"):
        parse_mapping(content.encode(), "x.yaml", load_catalog())
    whole = content + "    day: {column: ended, format: iso}\n"
    (kind,) = parse_record_mapping(whole.encode(), "x.yaml", load_catalog()).kinds
    assert [one.columns for one in kind.days] == [("ended",)]


def test_the_packaged_mappings_and_the_examples_are_valid() -> None:
    catalog = load_catalog()
    for name in catalog.mappings:
        mapping = find_builtin_mapping(catalog, name)
        assert isinstance(mapping, RecordMapping)
        assert mapping.layout.table in (name, None)
        if mapping.layout.table is None:
            assert find_header_mapping(catalog, mapping.table_columns) == mapping
    assert find_builtin_mapping(catalog, "fhir_patient") is None
    examples = sorted((ROOT / "deploy" / "examples").glob("*.mapping.yaml"))
    targets = {}
    for path in examples:
        found = parse_mapping(path.read_bytes(), path.name, catalog)
        if isinstance(found, ItemMapping):
            targets[path.name.split(".")[0]] = [found.item]
        else:
            targets[path.name.split(".")[0]] = [kind.kind for kind in found.kinds]
    assert targets == {
        "audit_rejections": ["05"],
        "fraud_claims": ["settlement", "admission", "discharge"],
        "hospital_fees": ["fee_detail"],
        "stock_table": ["stock_movement"],
    }
