"""Mappings: any bytes are one or our error; a proposal without a problem is always one."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel import load_catalog
from scoring_kernel.errors import CatalogError
from scoring_kernel.tables.mapping import ItemMapping, Layout, RecordMapping
from scoring_kernel.tables.mapping_files import parse_mapping
from scoring_kernel.tables.mapping_suggestion import suggest_item_mapping, suggest_record_mapping

GOOD = """
format: 1
namespace: laws
record_id: [id, line]
institution: {column: hospital, foreign: true}
nulls: ["NA"]
records:
  fee_detail:
    line: {column: line, trim: true}
    mdtrt_id: {first: [visit, id]}
    person: {column: person}
    occurred_at: {column: day, format: ["%Y-%m-%d", iso]}
    item_code: {column: item, map: {a: X1}}
    local_code: {constant: none}
    amount_fen: {sum: [a, b], unit: yuan, default: "0"}
    quantity_e4: {column: count, round: true}
    price_e6: {column: price}
"""
PIECES = st.sampled_from(
    [
        *("{", "}", "[", "]", ":", ",", '"', "\n", "  ", "- ", "#", "null", "true", "0", "1e5"),
        *("column", "first", "sum", "constant", "unit", "map", "records", "item", "day", "\ufeff"),
    ]
)
NAMES = st.sampled_from(
    [
        "机构编码",
        "结算日期",
        "统筹支付",
        "person",
        "amount",
        "日期(元)",
        "",
        " ",
        "x" * 120,
        "总金额",
    ]
) | st.text(max_size=12)
CELLS = st.none() | st.sampled_from(
    ["H33030200001", "2026-03-01", "01/02/2026", "1.5", "是", "否", "310", "2026H1", " ", "\ufeff1"]
)


@settings(deadline=None)
@given(at=st.integers(0, len(GOOD)), cut=st.integers(0, 30), put=st.lists(PIECES, max_size=4))
def test_a_changed_mapping_is_one_or_is_refused(at: int, cut: int, put: list[str]) -> None:
    content = (GOOD[:at] + "".join(put) + GOOD[at + cut :]).encode()
    try:
        found = parse_mapping(content, "x.yaml", load_catalog())
    except CatalogError as error:
        assert error.file == "x.yaml"  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(found, RecordMapping | ItemMapping)
        assert found.table_columns


@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_mapping_or_are_refused(content: bytes) -> None:
    try:
        parse_mapping(content, "x.yaml", load_catalog())
    except CatalogError as error:
        assert str(error).startswith("x.yaml:")  # noqa: PT017 - either outcome is right


@settings(deadline=None)
@given(
    table=st.dictionaries(NAMES, st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    file=st.text(max_size=20),
)
def test_a_proposal_is_read_by_the_grammar_or_says_why_not(
    table: dict[str, list[str | None]], file: str
) -> None:
    cells = {name: pa.array(values, pa.string()) for name, values in table.items()}
    catalog = load_catalog()
    for found in (
        suggest_record_mapping(file, cells, catalog, Layout(delimiter="\t", sheet="a'b")),
        suggest_item_mapping(file, cells, catalog, Layout(encoding="gb18030")),
    ):
        try:
            mapping = parse_mapping(found.text.encode(), "x.yaml", catalog)
        except CatalogError:
            assert found.problem
        else:
            assert found.problem == ""
            assert mapping.table_columns <= set(table)
