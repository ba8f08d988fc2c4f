from __future__ import annotations

from dataclasses import dataclass

import pytest

from scoring_kernel.catalog_loader import (
    MAX_FILES,
    catalog_digest,
    load_catalog,
    parse_catalog,
    read_catalog_files,
    read_changes,
)
from scoring_kernel.errors import CatalogError

MODEL = "models/designated_medical_institution.yaml"


def test_the_catalogue_is_loaded_once() -> None:
    assert load_catalog() is load_catalog()


def test_the_digest_names_every_byte_of_every_file_but_the_change_list() -> None:
    contents = read_catalog_files()
    assert "CHANGES.md" not in contents
    assert read_changes().startswith("# ")
    digest = catalog_digest(contents)
    assert load_catalog().digest == digest
    assert len(digest) == 32
    for name in ("units.yaml", MODEL, "interface/2207.yaml"):
        changed = contents | {name: contents[name] + b"\n"}
        assert catalog_digest(changed) != digest


def test_moving_bytes_between_names_changes_the_digest() -> None:
    assert catalog_digest({"a": b"bc"}) != catalog_digest({"ab": b"c"})
    assert catalog_digest({"a": b"1", "b": b"2"}) != catalog_digest({"a": b"2", "b": b"1"})


def test_a_model_is_found_by_its_subject_class() -> None:
    model = load_catalog().model_for("designated_medical_institution")
    assert model is not None
    assert len(model.indicators) == 36
    assert load_catalog().model_for("insured_persons") is None


def test_all_information_items_of_table_1_are_there() -> None:
    items = {number: item for number, item in load_catalog().items.items() if number.isdecimal()}
    assert sorted(items) == [f"{number:02d}" for number in range(1, 24)]
    assert {item.range for item in items.values()} == {"温州市"}
    assert {item.frequency for item in items.values()} == {"每半年"}
    assert items["10"].name_zh == "药品耗材集采结算率统计信息"
    assert items["15"].name_zh == "药品耗材招采结算率统计信息"


def test_the_interface_is_there_with_its_personal_fields_named() -> None:
    catalog = load_catalog()
    assert len(catalog.transactions) == 120
    assert sum(one.is_described for one in catalog.transactions.values()) == 91
    assert len(catalog.code_lists) == 37
    assert catalog.extensible_lists >= {"med_type", "psn_type", "psn_cert_type"}
    settlement = catalog.transactions["2207"]
    fields = {field.name: field for field in settlement.fields["response", "setlinfo"]}
    assert {name for name, field in fields.items() if field.personal} == {
        "psn_no",
        "psn_name",
        "certno",
        "brdy",
    }
    assert (fields["medfee_sumamt"].type, fields["medfee_sumamt"].length) == ("number", 16)
    assert fields["medfee_sumamt"].scale == 2
    assert fields["setl_time"].length is None
    assert settlement.arrays == {("request", "drug_trac_info"), ("response", "setldetail")}
    envelope = {field.name for field in catalog.envelope.fields["request", ""]}
    assert {"infno", "msgid", "fixmedins_code", "input"} <= envelope
    assert catalog.transactions["1302"].fields == {}


@pytest.mark.parametrize(
    "name", ["psn_no", "certno", "psn_name", "mdtrt_cert_no", "tel", "coner_name", "curr_addr"]
)
def test_a_personal_name_is_personal_wherever_it_stands(name: str) -> None:
    catalog = load_catalog()
    found = [
        field.personal
        for one in (catalog.envelope, *catalog.transactions.values())
        for fields in one.fields.values()
        for field in fields
        if field.name == name
    ]
    assert found
    assert all(found)


def test_every_input_of_the_models_is_stated_by_somebody() -> None:
    catalog = load_catalog()
    stated = {column for item in catalog.items.values() for column in item.input_columns}
    for one in catalog.measure_sets.values():
        windows = ("current", "base", "prior")
        stated |= {f"{one.id}.{measure}@{window}" for measure in one.merges for window in windows}
    for model in catalog.models.values():
        assert set(model.input_columns) <= stated
        capped = {column for override in model.overrides for column in override.columns}
        assert capped <= set(model.input_columns)


def test_a_model_that_reads_an_unknown_column_is_refused() -> None:
    contents = read_catalog_files()
    contents[MODEL] = contents[MODEL].replace(b"item.05.rejected_fen@", b"item.05.rejected@")
    with pytest.raises(CatalogError, match=r"reads item\.05\.rejected@current, which no"):
        parse_catalog(contents)


def test_an_override_that_reads_an_unknown_column_is_refused() -> None:
    contents = read_catalog_files()
    changed = contents[MODEL].replace(b"item.l01.serious_dishonesty@", b"item.l01.dishonesty@")
    assert changed != contents[MODEL]
    with pytest.raises(CatalogError, match=r"reads item\.l01\.dishonesty@current, which no"):
        parse_catalog(contents | {MODEL: changed})


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b'register: {item: "s01"', b'register: {item: "s02"', "item: s02 is no register"),
        (b"where: {role: physician}", b"where: {role: doctor}", "s01: role has no code doctor"),
        (b"where: {role: physician}", b"where: {job: physician}", "item s01 has no column job"),
        (b"type: type}", b"type: speciality}", "item s01 has no column speciality"),
        (b"types: [internal,", b"types: [internal, dentistry,", "type has no code dentistry"),
    ],
)
def test_a_register_that_cannot_say_what_a_model_reads_is_refused(
    before: bytes, after: bytes, message: str
) -> None:
    contents = read_catalog_files()
    name = "models/physician.yaml"
    changed = contents[name].replace(before, after, 1)
    assert changed != contents[name]
    with pytest.raises(CatalogError, match=message):
        parse_catalog(contents | {name: changed})


def test_every_item_names_the_register_of_its_subjects() -> None:
    items = load_catalog().items
    registers = {number for number, item in items.items() if item.register is None}
    assert registers == {"20", "d01", "e01", "r01", "s01", "t01"}
    for item in items.values():
        if item.register is not None:
            assert items[item.register].subject_type == item.subject_type
    with_rules = {number for number, item in items.items() if item.qualification is not None}
    assert with_rules == {"s03"}


def test_two_models_of_one_subject_class_are_refused() -> None:
    contents = read_catalog_files()
    name = b"id: designated_medical_institution"
    contents["models/second.yaml"] = contents[MODEL].replace(name, b"id: second", 1)
    with pytest.raises(CatalogError, match="both rate designated_medical_institution: keep one"):
        parse_catalog(contents)


def test_models_of_different_subject_classes_stand_side_by_side() -> None:
    contents = read_catalog_files()
    second = contents[MODEL].replace(b"id: designated_medical_institution", b"id: second", 1)
    second = second.replace(
        b"class: designated_medical_institution", b"class: designated_retail_pharmacy", 1
    )
    second = second.replace(b"alias: institution", b"alias: another", 1)
    del contents["models/designated_retail_pharmacy.yaml"]
    catalog = parse_catalog(contents | {"models/second.yaml": second})
    found = catalog.model_for("designated_retail_pharmacy")
    assert found is not None
    assert found.id == "second"


@pytest.mark.parametrize(
    "name",
    [
        "units.yaml",
        "legal_basis.yaml",
        "qualification.yaml",
        "records.yaml",
        "interface/transactions.yaml",
    ],
)
def test_a_missing_file_is_named(name: str) -> None:
    contents = read_catalog_files()
    del contents[name]
    with pytest.raises(CatalogError, match=f"{name}:0: the file is missing"):
        parse_catalog(contents)


def test_a_missing_envelope_is_named() -> None:
    contents = read_catalog_files()
    del contents["interface/envelope.yaml"]
    with pytest.raises(CatalogError, match=r"file envelope.yaml is missing"):
        parse_catalog(contents)


def test_too_many_files_are_refused() -> None:
    contents = {f"codes/c{number}.yaml": b"" for number in range(MAX_FILES + 1)}
    with pytest.raises(CatalogError, match=f"expected at most {MAX_FILES}"):
        parse_catalog(contents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A list that is one entry too long."""

    name: str
    head: str
    entry: str
    count: int
    message: str


BOUNDS = [
    Bound(
        name="records.yaml",
        head="kinds:\n",
        entry="  k{}: {{}}\n",
        count=65,
        message="found 65 kinds, expected at most 64",
    ),
    Bound(
        name="records.yaml",
        head="kinds:\n  k:\n    name_zh: a\n    stored: segment\n    day: d\n    columns:\n",
        entry="      c{}: [string]\n",
        count=65,
        message="more than 64 columns",
    ),
    Bound(
        name="interface/transactions.yaml",
        head="transactions:\n",
        entry='  "{}": {{}}\n',
        count=501,
        message="found more than 500 transactions",
    ),
    Bound(
        name="interface/2202.yaml",
        head='infno: "2202"\nnodes:\n- direction: request\n  node: data\n  fields:\n',
        entry="    f{}: {{name_zh: a, type: string}}\n",
        count=401,
        message="more than 400 fields",
    ),
]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.message.split()[-1])
def test_lists_are_bounded(bound: Bound) -> None:
    text = bound.head + "".join(bound.entry.format(number) for number in range(bound.count))
    with pytest.raises(CatalogError, match=bound.message):
        parse_catalog(read_catalog_files() | {bound.name: text.encode()})
