"""Mapping files: what is declared, and every mistake with its line."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import MappingError
from node.intake.mapping import load_mapping, parse_mapping
from scoring_kernel import load_catalog

ROOT = Path(__file__).resolve().parents[4]
GOOD = """
format: 1
namespace: test-set
record_id: id
institution: {column: provider, foreign: true}
delimiter: ";"
encoding: gb18030
nulls: ["NA"]
records:
  admission:
    mdtrt_id: {column: id}
    person: {column: person}
    admitted_at: {column: day, format: "%Y/%m/%d"}
    inpatient: {column: kind, map: {"I": "true", "O": "false"}}
"""


def test_a_mapping_names_the_columns_it_reads() -> None:
    mapping = parse_mapping(GOOD.encode(), "x.yaml", load_catalog().records)

    assert mapping.csv_columns == {"id", "provider", "person", "day", "kind"}
    assert (mapping.namespace, mapping.delimiter, mapping.encoding) == ("test-set", ";", "gb18030")
    (kind,) = mapping.kinds
    assert (kind.kind, kind.day) == ("admission", "admitted_at")
    doctor = next(spec for spec in kind.columns if spec.name == "doctor")
    assert (doctor.columns, doctor.nullable, doctor.personal) == ((), True, True)


@pytest.mark.parametrize(
    ("find", "put", "problem"),
    [
        ("format: 1", "format: 2", "a whole number from 1 to 1"),
        ("namespace: test-set", "namespace: Test Set", "expected the form"),
        ("record_id: id\n", "", "'record_id' is missing"),
        ("nulls", "nuls", "unknown key 'nuls'"),
        ("foreign", "strange", "unknown key 'strange'"),
        ("gb18030", "latin-1", "expected one of gb18030, utf-8"),
        ('delimiter: ";"', 'delimiter: ";;"', "expected the form"),
        ("  admission:", "  settlement_list:", "expected one of settlement"),
        ("    person: {column: person}\n", "", "column 'person' of admission is missing"),
        ("person: {column: person}", "persn: {column: person}", "unknown key 'persn'"),
        ("{column: person}", "{column: person, constant: x}", "exactly one of"),
        ("{column: person}", "{default: x}", "exactly one of"),
        ("{column: person}", "{sum: [person]}", "only numbers can be added"),
        ("{column: person}", "{column: person, unit: yuan}", "unit"),
        ('format: "%Y/%m/%d"', 'map: {a: "b"}', "'format' is missing"),
        ("{column: person}", '{column: person, format: "%Y"}', "format belongs to days"),
        ('{column: day, format: "%Y/%m/%d"}', '{constant: "2026-01-01"}', "cannot be constant"),
        ('map: {"I": "true", "O": "false"}', 'default: "true"', "needs a map"),
        ('"true"', '"perhaps"', "expected one of false, true"),
        ("records:", "records: {}\nrecords2:", "unknown key 'records2'"),
    ],
)
def test_every_mistake_is_refused_with_its_place(find: str, put: str, problem: str) -> None:
    assert find in GOOD
    with pytest.raises(MappingError, match=r"mapping x\.yaml") as caught:
        parse_mapping(GOOD.replace(find, put).encode(), "x.yaml", load_catalog().records)
    assert problem in str(caught.value)


FEES = """
format: 1
namespace: fees
record_id: id
institution: {column: hospital}
records:
  fee_detail:
    line: {column: id}
    mdtrt_id: {column: visit}
    person: {column: person}
    occurred_at: {column: day, format: "%Y-%m-%d %H:%M:%S"}
    item_code: {column: item}
    local_code: {constant: none}
    amount_fen: {column: amount, unit: yuan}
    quantity_e4: {column: count}
    price_e6: {column: price}
"""


@pytest.mark.parametrize(
    ("find", "put", "problem"),
    [
        (", unit: yuan", "", "'unit' is missing"),
        ("unit: yuan", "unit: euro", "expected one of"),
        ("{column: count}", "{column: count, unit: yuan}", "unit belongs to amounts"),
        ("{column: count}", '{column: count, map: {a: "1"}}', "map belongs to texts"),
        ("{column: count}", "{sum: [a, b, c, d, e, f, g, h, i]}", "at most 8 columns"),
        ("{constant: none}", "{constant: none, default: x}", "unknown key 'default'"),
    ],
)
def test_numbers_state_their_unit(find: str, put: str, problem: str) -> None:
    assert find in FEES
    parse_mapping(FEES.encode(), "x.yaml", load_catalog().records)
    with pytest.raises(MappingError) as caught:
        parse_mapping(FEES.replace(find, put).encode(), "x.yaml", load_catalog().records)
    assert problem in str(caught.value)


def test_a_mapping_without_records_or_without_a_file_is_refused(tmp_path: Path) -> None:
    head = FEES.split("records:", maxsplit=1)[0]
    with pytest.raises(MappingError, match="no record kind is mapped"):
        parse_mapping((head + "records: {}\n").encode(), "x.yaml", load_catalog().records)
    with pytest.raises(MappingError, match="cannot be read"):
        load_mapping(tmp_path / "none.yaml")


def test_the_example_mapping_is_valid() -> None:
    root = Path(__file__).resolve().parents[4]
    mapping = load_mapping(root / "deploy" / "examples" / "fraud_claims.mapping.yaml")

    assert [kind.kind for kind in mapping.kinds] == ["settlement", "admission", "discharge"]


CODES = """
format: 1
namespace: codes
record_id: id
institution: {column: hospital}
records:
  discharge:
    mdtrt_id: {column: id}
    person: {column: person}
    discharged_at: {column: day, format: "%Y-%m-%d"}
    discharge_way: {constant: "1"}
    died: {constant: false}
"""


@pytest.mark.parametrize(
    "given",
    [
        '{constant: "77"}',
        '{column: way, map: {"H": "1", "X": "77"}}',
        '{column: way, default: "77"}',
    ],
)
def test_codes_that_a_mapping_puts_are_codes_of_their_list(given: str) -> None:
    records = load_catalog().records
    parse_mapping(CODES.encode(), "x.yaml", records)
    good = CODES.replace('{constant: "1"}', given.replace('"77"', '"5"'))
    parse_mapping(good.encode(), "x.yaml", records)

    with pytest.raises(MappingError, match=r"'77' found, expected a code .* dscg_way"):
        parse_mapping(CODES.replace('{constant: "1"}', given).encode(), "x.yaml", records)


def test_a_list_that_regions_add_to_takes_any_code() -> None:
    content = (ROOT / "deploy" / "examples" / "fraud_claims.mapping.yaml").read_text("utf-8")
    for find, put in (('"21"', '"210199"'), ('"390"', '"999"')):
        assert find in content
        changed = content.replace(find, put).encode()
        if find == '"21"':
            parse_mapping(changed, "x.yaml", load_catalog().records)
        else:
            with pytest.raises(MappingError, match="insutype"):
                parse_mapping(changed, "x.yaml", load_catalog().records)


def test_the_digest_of_a_mapping_sees_what_it_means() -> None:
    records = load_catalog().records
    plain = parse_mapping(GOOD.encode(), "x.yaml", records).digest()
    for find, put, same in (
        ("format: 1", "# a note\nformat: 1", True),
        ("gb18030", "utf-8", True),
        ("column: kind", "column: sort", False),
        ('"I": "true"', '"I": "false"', False),
    ):
        assert find in GOOD
        changed = parse_mapping(GOOD.replace(find, put).encode(), "y.yaml", records)
        assert (changed.digest() == plain) is same


def test_a_column_that_came_later_changes_a_digest_only_where_it_is_mapped() -> None:
    content = (ROOT / "deploy" / "examples" / "fraud_claims.mapping.yaml").read_text("utf-8")
    records = load_catalog().records
    kept = tuple(one for one in records["settlement"].schema if one[0] != "batch")
    earlier = {**records, "settlement": replace(records["settlement"], schema=kept)}
    mapped = content.replace("  settlement:\n", '  settlement:\n    batch: {constant: "B1"}\n')
    assert mapped != content

    before = parse_mapping(content.encode(), "x.yaml", earlier).digest()

    assert parse_mapping(content.encode(), "x.yaml", records).digest() == before
    assert parse_mapping(mapped.encode(), "x.yaml", records).digest() != before
