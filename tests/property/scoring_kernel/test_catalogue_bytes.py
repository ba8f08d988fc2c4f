"""Any bytes are a value or our error: the catalogue's readers never fail otherwise."""

from __future__ import annotations

import contextlib
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.catalog_loader import catalog_digest, load_catalog, read_catalog_files
from scoring_kernel.change_list import parse_changes
from scoring_kernel.check_digits import is_valid_id_card, is_valid_uscc
from scoring_kernel.code_lists import parse_code_list
from scoring_kernel.errors import CatalogError, ItemRowError
from scoring_kernel.item_files import parse_item
from scoring_kernel.item_rows import parse_row
from scoring_kernel.items import full_months, item_inputs
from scoring_kernel.measure_sets import parse_measure_set
from scoring_kernel.periods import Period
from scoring_kernel.record_kinds import parse_record_kinds
from scoring_kernel.strict_yaml import load_strict
from scoring_kernel.transactions import parse_transactions

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOG = load_catalog()
FILES = read_catalog_files()
SMALL = [FILES[name] for name in ("units.yaml", "measures/interface.yaml", "codes/gend.yaml")]
ITEMS = sorted(CATALOG.items)

yaml_signs = st.text(alphabet="ab1:-?,[]{}#&*!|>'\"%@` \n\té挂", max_size=60)


@given(content=st.binary(max_size=200) | yaml_signs.map(str.encode))
def test_any_bytes_are_a_section_or_a_catalogue_error(content: bytes) -> None:
    with contextlib.suppress(CatalogError):
        assert load_strict(content, "x.yaml").file == "x.yaml"


@given(
    content=st.sampled_from(SMALL),
    cut=st.integers(0, 10_000),
    length=st.integers(0, 30),
    instead=st.binary(max_size=8) | yaml_signs.map(str.encode),
)
def test_a_damaged_file_is_read_or_refused_by_every_parser(
    content: bytes, cut: int, length: int, instead: bytes
) -> None:
    place = cut % (len(content) + 1)
    with contextlib.suppress(CatalogError):
        section = load_strict(content[:place] + instead + content[place + length :], "x.yaml")
        for parse in (
            lambda one: parse_record_kinds(one, CATALOG.legal_basis),
            parse_code_list,
            lambda one: parse_item(one, CATALOG.units),
            lambda one: parse_transactions(one, {}, CATALOG.code_lists),
            lambda one: parse_measure_set(one, units=CATALOG.units, relations=CATALOG.records),
        ):
            with contextlib.suppress(CatalogError):
                parse(section)


@given(text=st.text(max_size=300) | yaml_signs)
def test_any_change_list_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(CatalogError):
        assert parse_changes(text)


@given(files=st.dictionaries(st.text(max_size=4), st.binary(max_size=4), max_size=4))
def test_the_digest_tells_catalogues_apart(files: dict[str, bytes]) -> None:
    assert catalog_digest(files) == catalog_digest(dict(reversed(list(files.items()))))
    assert catalog_digest(files) != catalog_digest(files | {"extra": b""})


@given(number=st.sampled_from(ITEMS), data=st.data())
def test_any_texts_are_a_row_or_a_fault_that_names_a_field(
    number: str, data: st.DataObject
) -> None:
    item = CATALOG.items[number]
    likely = st.sampled_from(("H33030200001", "2026H1", "1", "0.5", "city", "2026-03-31", ""))
    values = {name: data.draw(likely | st.text(max_size=20)) for name in item.header}
    subjects, period = ["H33030200001"], Period.parse("2026H1")
    rows: list[Mapping[str, object]] = []
    faults: list[ItemRowError] = []
    try:
        rows.append(parse_row(item, values).values)
    except ItemRowError as error:
        faults.append(error)
    known = {*item.header, *(field.column for field in item.fields)}
    assert all(fault.field in known and fault.rule and fault.mend for fault in faults)
    found = item_inputs(item, rows, subjects, period, frozenset((period.name,)))
    assert set(found) == set(item.input_columns)


@given(fen=st.integers(0, 10**13))
def test_an_amount_in_yuan_is_the_same_amount_in_fen(fen: int) -> None:
    text = f"{fen // 100}.{fen % 100:02d}"
    row = {"institution": "H33030200001", "period": "2026H1", "rejected_visits": "0"}
    parsed = parse_row(CATALOG.items["05"], row | {"rejected_yuan": text})
    assert parsed.values["rejected_fen"] == fen == Fraction(text) * 100


@given(text=st.text(max_size=20) | st.from_regex(r"[1-9][0-9]{16}[0-9X]", fullmatch=True))
def test_at_most_one_check_digit_is_right(text: str) -> None:
    assert is_valid_id_card(text) in (True, False)
    right = [sign for sign in "0123456789X" if is_valid_id_card(text[:17] + sign)]
    assert len(right) <= 1


@given(body=st.from_regex(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}", fullmatch=True))
def test_exactly_one_check_sign_is_right(body: str) -> None:
    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    assert sum(is_valid_uscc(body + sign) for sign in signs) == 1


days = st.dates(min_value=date(1990, 1, 1), max_value=date(2190, 1, 1))


@given(first=days, last=days, more=st.integers(0, 400))
def test_a_longer_agreement_has_no_fewer_months(first: date, last: date, more: int) -> None:
    assert 0 <= full_months(first, last) <= full_months(first, last + timedelta(days=more))
