from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.tables import TableError, open_fhir, open_table
from scoring_kernel.tables.fhir_rows import TABLES
from scoring_kernel.tables.opening import is_fhir
from tests.support.table_files import read_table

if TYPE_CHECKING:
    from pathlib import Path

CLAIM: dict[str, Any] = {
    "resourceType": "Claim",
    "id": "c1",
    "status": "active",
    "use": "claim",
    "type": {"coding": [{"code": "oral"}]},
    "patient": {"reference": "Patient/p1"},
    "created": "2026-03-01",
    "provider": {"reference": "Organization?identifier=https://a.example|H33030200001"},
    "insurance": [
        {"sequence": 1, "focal": False, "coverage": {"reference": "Coverage/other"}},
        {"sequence": 2, "focal": True, "coverage": {"reference": "urn:uuid:cov-1"}},
    ],
    "total": {"value": 10.50, "currency": "CNY"},
}


def line(sequence: int, net: str | None, **more: object) -> dict[str, Any]:
    found: dict[str, Any] = {"sequence": sequence, "productOrService": {"text": f"p{sequence}"}}
    if net is not None:
        found["net"] = {"value": float(net), "currency": "CNY"}
    return found | more


def rows_of(path: Path, resource: object, table: str) -> list[dict[str, str | None]]:
    path.write_text(json.dumps(resource), encoding="utf-8")
    return read_table(path, sheet=table).rows


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.json"


def test_a_claim_is_one_row_of_ids_codes_and_exact_amounts(file: Path) -> None:
    (row,) = rows_of(file, CLAIM, "fhir_claim")
    assert {name: cell for name, cell in row.items() if cell is not None} == {
        "claim_id": "c1",
        "status": "active",
        "use": "claim",
        "type": "oral",
        "patient": "p1",
        "provider": "H33030200001",
        "coverage_id": "cov-1",
        "created_at": "2026-03-01",
        "total": "10.5",
        "currency": "CNY",
        "lines": "0",
    }
    assert tuple(row) == TABLES["fhir_claim"]


def paths(file: Path, items: list[dict[str, Any]]) -> dict[str | None, str | None]:
    found = rows_of(file, CLAIM | {"item": items}, "fhir_claim_line")
    return {row["line"]: row["net"] for row in found}


def test_details_stand_for_their_line_where_they_add_up(file: Path) -> None:
    inner = line(2, "30", subDetail=[line(1, "10"), line(2, "20")])
    whole = line(1, "40", detail=[line(1, "10"), inner])
    assert paths(file, [whole]) == {"1.1": "10.0", "1.2.1": "10.0", "1.2.2": "20.0"}
    assert paths(file, [line(1, "40", detail=[line(1, "10")])]) == {"1": "40.0"}
    assert paths(file, [line(1, "40", detail=[line(1, None)])]) == {"1": "40.0"}
    assert paths(file, [line(1, None, detail=[line(1, "10")])]) == {"1": None}


amounts = st.integers(0, 9999).map(lambda fen: str(Decimal(fen) / 100))


@settings(deadline=None)
@given(nested=st.lists(st.tuples(amounts, st.lists(amounts, max_size=3)), min_size=1, max_size=4))
def test_no_amount_is_lost_or_counted_twice(
    tmp_path_factory: pytest.TempPathFactory, nested: list[tuple[str, list[str]]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "nested.json"
    items = [
        line(place, net, detail=[line(one, part) for one, part in enumerate(parts, 1)])
        for place, (net, parts) in enumerate(nested, 1)
    ]
    total = sum(Decimal(net) for net, _ in nested)
    assert sum(Decimal(net or "0") for net in paths(path, items).values()) == total


def test_an_explanation_has_its_totals_and_adjudications_by_category(file: Path) -> None:
    def part(code: str, value: float) -> dict[str, Any]:
        return {"category": {"coding": [{"code": code}]}, "amount": {"value": value}}

    medicare = "https://bluebutton.cms.gov/resources/variables/line_coinsrnc_amt"
    eob = CLAIM | {
        "resourceType": "ExplanationOfBenefit",
        "claim": {"reference": "Claim/c1/_history/2"},
        "total": [part("submitted", 9.1), part("benefit", 8), part("submitted", 1)],
        "payment": {"date": "2026-03-02", "amount": {"value": 8.00, "currency": "CNY"}},
        "item": [line(1, None, adjudication=[part("eligible", 9.1), part(medicare, 1.1)])],
    }
    (row,) = rows_of(file, eob, "fhir_eob")
    found = [row[name] for name in ("claim_id", "submitted", "benefit", "copay", "payment")]
    assert found == ["c1", "9.1", "8", None, "8.0"]
    (charged,) = rows_of(file, eob, "fhir_eob_line")
    assert (charged["eligible"], charged["copay"]) == ("9.1", "1.1")


def test_a_bundle_gives_its_tables_and_counts_what_it_passes_over(file: Path) -> None:
    coverage = {"resourceType": "Coverage", "status": "active", "payor": [{"display": "温州"}]}
    entries = [
        {"resource": {"resourceType": "Patient", "id": "p1", "name": [{"text": "someone"}]}},
        {"resource": CLAIM},
        {"fullUrl": "urn:uuid:cov-1", "resource": coverage},
        {"resource": CLAIM | {"id": "c2", "item": {"net": 1}}},
        {"request": {"method": "GET"}},
    ]
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}), encoding="utf-8")
    tables = open_fhir(file)
    assert list(tables) == ["fhir_claim", "fhir_coverage"]
    assert tables["fhir_claim"].skipped == {"Patient": 1}
    claims = read_table(file, sheet="fhir_claim")
    assert (claims.numbers, claims.rules()) == ([2], {4: "cell", 5: "cell"})
    assert claims.faults[0].found == "another shape at 'item'"
    assert json.loads(claims.faults[0].raw)["id"] == "c2"
    (held,) = read_table(file, sheet="fhir_coverage").rows
    assert (held["coverage_id"], held["insurer"]) == ("cov-1", "温州")
    with pytest.raises(TableError, match="name one of: fhir_claim, fhir_coverage"):
        open_table(file)
    with pytest.raises(TableError, match="no table 'x'"):
        open_table(file, sheet="x")


def test_one_resource_per_line_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    lines = [json.dumps(CLAIM | {"id": f"c{number}"}) for number in range(5)]
    lines[2] = lines[2].replace('"c2"', "null")
    lines[3] = "{"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert is_fhir(path)
    assert read_table(path, rows=5).numbers == [1, 2, 5]
    claims = read_table(path, sheet="fhir_claim", rows=2)
    assert claims.numbers == [1, 2, 5]
    assert claims.rules() == {3: "cell", 4: "broken_json"}


def test_a_first_line_that_is_broken_refuses_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"resourceType": "Cla\n' + json.dumps(CLAIM) + "\n", encoding="utf-8")
    assert is_fhir(path)
    claims = read_table(path, sheet="fhir_claim")
    assert claims.numbers == [2]
    assert claims.rules() == {1: "broken_json"}


@pytest.mark.parametrize("text", ["[]", "{}", '{"a":1}', "a,b\n1,2\n", "["])
def test_what_is_no_fhir_is_told_as_such(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("a.csv" if text.startswith("a") else "a.json")
    path.write_text(text, encoding="utf-8")
    assert not is_fhir(path)
    with pytest.raises(TableError):
        open_fhir(path)


def test_a_bundle_of_another_shape_is_one_fault_and_progress_is_told(file: Path) -> None:
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": "x"}), encoding="utf-8")
    read = read_table(file, sheet="fhir_claim")
    assert read.rules() == {1: "cell"}
    assert read.table.consumed == file.stat().st_size


def test_an_amount_that_is_none_keeps_its_line_whole(file: Path) -> None:
    odd = line(1, "40", detail=[line(1, "40") | {"net": {"value": "forty"}}])
    assert paths(file, [odd]) == {"1": "40.0"}


def test_a_bundle_without_claims_has_no_table(file: Path) -> None:
    file.write_text('{"resourceType":"Bundle","entry":[]}', encoding="utf-8")
    assert open_fhir(file) == {}
    with pytest.raises(TableError, match="no claims or coverages"):
        open_table(file)


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*CLAIM, "item", "detail", "net", "coding"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(value=values, kind=st.sampled_from(["Claim", "Coverage", "ExplanationOfBenefit"]))
def test_any_resource_is_rows_or_faults(
    tmp_path_factory: pytest.TempPathFactory, value: object, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    for changed in CLAIM:
        resource = CLAIM | {"resourceType": kind, "item": value, changed: value}
        path.write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": resource}]}))
        for name in open_fhir(path):
            read_table(path, sheet=name)
