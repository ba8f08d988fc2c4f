"""Terms are read strictly; every mistake is refused with its file and what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub.agreements.signing import sign_terms
from hub.agreements.terms import doubts, parse_terms, resolved, shipped_terms
from hub.store import agreements
from hub.store.engine import reading, writing
from scoring_kernel import load_catalog
from security.errors import AgreementError
from security.sharing import Frequency, open_agreement

if TYPE_CHECKING:
    from tests.support.hub_city import City

CASES = Path(__file__).parents[3] / "cases" / "malformed_agreements"
CITY = "yixin://330300/hub/city"
PROVINCE = "yixin://330000/hub/province"


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_mistake_is_refused(path: Path) -> None:
    content = path.read_bytes()
    expected = content.decode().partition("\n")[0].removeprefix("# expect: ")
    with pytest.raises(AgreementError) as caught:
        parse_terms(content, path.name, load_catalog())
    assert expected in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"id: bank\n" * 40_000])
def test_what_is_no_terms_is_refused(content: bytes) -> None:
    with pytest.raises(AgreementError, match=r"broken\.yaml"):
        parse_terms(content, "broken.yaml", load_catalog())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('grade in ("excellent", "excelent")', ["the grade 'excelent'"]),
        ('grade != "A" or grade = "A"', ["the grade 'A'"]),
        ('subject_class = "doctor" and level = "9"', ["the subject_class 'doctor'"]),
        ('grade = "not_rated" or subject_class = "nurse"', []),
        ("", []),
    ],
)
def test_a_filter_for_what_no_model_has_is_doubted_not_refused(text: str, named: list[str]) -> None:
    catalog = load_catalog()
    terms = replace(shipped_terms(catalog)["bank"], row_filter=text)
    found = doubts(terms, catalog)
    assert len(found) == len(named)
    assert all(name in doubt for name, doubt in zip(named, found, strict=True))


def test_nobody_doubts_the_shipped_terms() -> None:
    catalog = load_catalog()
    assert {doubts(terms, catalog) for terms in shipped_terms(catalog).values()} == {()}


def test_the_shipped_terms_are_the_agreements_of_the_city() -> None:
    shipped = shipped_terms(load_catalog())
    assert {*shipped} == {
        "provincial_push",
        "development_reform",
        "health_commission",
        "health_statistics",
        "market_regulation",
        "personal_credit_score",
        "bank",
        "police",
        "public_query",
    }
    people = {"physician", "nurse", "pharmacist", "insured_person"}
    for name in ("development_reform", "market_regulation", "bank", "public_query"):
        assert not people & {*shipped[name].subject_classes}
    assert {*shipped["personal_credit_score"].subject_classes} == people
    assert "insured_person" not in shipped["provincial_push"].subject_classes
    for name in ("development_reform", "bank", "market_regulation", "public_query"):
        assert "total" not in shipped[name].fields
    assert shipped["police"].frequency == Frequency.REQUEST


def test_recipients_are_resolved_where_the_agreement_is_signed() -> None:
    assert resolved("department/bank", CITY, "") == "yixin://330300/department/bank"
    assert resolved("parent", CITY, PROVINCE) == PROVINCE
    assert resolved("public", CITY, "") == "public"
    assert resolved(PROVINCE, CITY, "") == PROVINCE
    with pytest.raises(AgreementError, match="hub join"):
        resolved("parent", CITY, "")


def test_a_signed_version_replaces_the_one_before_and_both_are_in_the_log(city: City) -> None:
    parts = city.parts
    terms = shipped_terms(parts.catalog)["bank"]
    signed = []
    for _ in range(2):
        with writing(parts.engine) as connection:
            version = sign_terms(
                connection,
                parts.identity,
                terms,
                parent="",
                officer="王五",
                now_ms=city.clock.ms,
            )
            signed.append(version)
    with reading(parts.engine) as connection:
        (held,) = agreements.current_versions(connection)
        first, second = agreements.all_versions(connection)
    assert (held.agreement.reference, second) == ("bank@2", signed[1])
    assert first.retired_at_ms == city.clock.ms
    assert not first.is_in_force(city.clock.ms)
    opened = open_agreement(held.signed, parts.keys.keyring, city.clock.ms)
    assert opened == held.agreement
