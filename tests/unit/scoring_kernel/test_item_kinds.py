"""Items of staff, persons and organisations: listings, registers, windows and points."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.items import item_inputs, read_periods
from scoring_kernel.periods import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ITEMS = load_catalog().items
H1, H2 = Period.parse("2026H1"), Period.parse("2026H2")
DOCTOR, NURSE, PHARMACIST = "D330302000001", "N330302000001", "HY330302000001"
STAFF = (DOCTOR, NURSE, PHARMACIST)
NOW = frozenset(("2026H1", "2026H2"))


def found(
    number: str,
    rows: Sequence[Mapping[str, object]],
    period: Period = H1,
    imported: frozenset[str] = NOW,
    subjects: Sequence[str] = STAFF,
) -> dict[str, list[int | None]]:
    columns = item_inputs(ITEMS[number], rows, subjects, period, imported)
    assert tuple(columns) == ITEMS[number].input_columns
    return {
        name.removeprefix(f"item.{number}."): [
            int(value) if here else None for value, here in zip(values, present, strict=True)
        ]
        for name, (values, present) in columns.items()
    }


def entry(staff: str, from_day: date, until_day: date | None, number: str) -> dict[str, object]:
    return {
        "staff": staff,
        "authority": "法院",
        "document_number": number,
        "from_day": from_day,
        "until_day": until_day,
        "listed_as": "judgment_defaulter",
    }


def points(staff: str, day: date, given: int, number: str, **more: object) -> dict[str, object]:
    return {
        "staff": staff,
        "authority": "局",
        "document_number": number,
        "event_day": day,
        "points": given,
        **more,
    }


@pytest.mark.parametrize(
    ("from_day", "until_day", "expect"),
    [
        (date(2020, 1, 1), None, 1),
        (date(2026, 6, 30), None, 1),
        (date(2026, 7, 1), None, 0),
        (date(2020, 1, 1), date(2026, 6, 30), 0),
        (date(2020, 1, 1), date(2026, 7, 1), 1),
        (date(2026, 6, 30), date(2026, 6, 30), 0),
    ],
)
def test_a_listing_counts_who_is_on_it_on_the_last_day(
    from_day: date, until_day: date | None, expect: int
) -> None:
    columns = found("l02", [entry(DOCTOR, from_day, until_day, "1")])
    assert columns["judgment_defaulter@current"] == [expect, 0, 0]
    assert columns["serious_dishonesty@current"] == [0, 0, 0]


def test_two_entries_of_one_subject_are_two() -> None:
    entries = [entry(DOCTOR, date(2026, 1, day), None, str(day)) for day in (1, 2)]
    assert found("l02", entries)["judgment_defaulter@current"] == [2, 0, 0]


def test_a_listing_that_was_not_handed_in_says_nothing() -> None:
    columns = found("l02", [], imported=frozenset({"2025H2"}))
    assert columns["judgment_defaulter@current"] == [None] * 3


def test_a_register_states_days_as_months_and_flags_as_numbers() -> None:
    rows: list[dict[str, object]] = [
        {"staff": DOCTOR, "practice_start_day": date(2016, 7, 1), "commitment_signed": 1},
        {"staff": NURSE, "practice_start_day": None, "commitment_signed": None},
    ]
    columns = found("s01", rows)
    assert columns["practice_months@current"] == [120, None, None]
    assert columns["commitment_signed@current"] == [1, None, None]
    assert columns["filled_fields@current"] == [2, 1, None]


def test_a_score_of_the_period_before_is_read_as_prior() -> None:
    rows = [
        {"staff": DOCTOR, "period": "2025H2", "score_centi": 70_000},
        {"staff": DOCTOR, "period": "2026H1", "score_centi": 80_000},
    ]
    columns = found("s05", rows)
    assert columns["score_centi@prior"] == [70_000, None, None]
    assert columns["score_centi@base"] == [None] * 3
    assert [one.name for one in read_periods(H2)] == ["2026H2", "2025H2", "2026H1"]


def test_the_year_window_runs_from_new_year_to_the_last_day() -> None:
    rows = [
        points(DOCTOR, date(2025, 12, 31), 1, "1"),
        points(DOCTOR, date(2026, 1, 1), 2, "2"),
        points(DOCTOR, date(2026, 7, 1), 3, "3"),
        points(DOCTOR, date(2026, 12, 31), 1, "4"),
    ]
    assert found("s03", rows, H1)["points@year"] == [2, 0, 0]
    second = found("s03", rows, H2)
    assert (second["points@year"], second["points@current"]) == ([6, 0, 0], [4, 0, 0])


def test_points_left_are_none_while_suspended() -> None:
    rows = [
        points(DOCTOR, date(2026, 5, 1), 9, "1"),
        points(NURSE, date(2026, 2, 1), 9, "2"),
    ]
    columns = found("s03", rows)
    assert columns["points_left@current"] == [0, 3, 12]
    assert columns["barred@current"] == [1, 1, 0]
    later = found("s03", rows, H2)
    assert (later["points_left@current"], later["barred@current"]) == ([3, 3, 12], [0, 0, 0])


def test_a_termination_of_years_ago_still_bars() -> None:
    columns = found("s03", [points(DOCTOR, date(2024, 10, 1), 12, "1")])
    assert columns["barred@current"] == [1, 0, 0]
    assert columns["points@year"] == [0, 0, 0]


def test_one_act_counts_once_whoever_decides() -> None:
    same = [
        points(DOCTOR, date(2026, 2, 1), 4, "1", act_id="a"),
        points(DOCTOR, date(2026, 3, 1), 5, "2", act_id="a"),
    ]
    assert found("s03", same)["points_left@current"][0] == 7
    other = [same[0], same[1] | {"authority": "另一局"}]
    assert found("s03", other)["points_left@current"][0] == 7
    unnamed = [one | {"act_id": None} for one in same]
    assert found("s03", unnamed)["points_left@current"][0] == 3


def test_points_of_an_item_that_was_not_handed_in_are_unknown() -> None:
    columns = found("s03", [], imported=frozenset())
    assert columns["points_left@current"] == [None] * 3


def test_a_period_before_the_rules_states_no_points() -> None:
    columns = found("s03", [], Period.parse("2024H1"), frozenset({"2024H1"}))
    assert columns["points_left@current"] == [None] * 3
    assert columns["points@current"] == [0, 0, 0]


@pytest.mark.parametrize("wrong", [{"points": "9"}, {"points": 9, "suspended_months": "2"}])
def test_decisions_that_were_not_parsed_are_refused(wrong: dict[str, object]) -> None:
    row = points(DOCTOR, date(2026, 2, 1), 9, "1") | wrong
    with pytest.raises(KernelInputError, match=r"s03: (points str|column points)|months str"):
        found("s03", [row])


def test_points_without_the_catalogues_rules_are_refused() -> None:
    bare = replace(ITEMS["s03"], qualification=None)
    with pytest.raises(KernelInputError, match=r"points_left needs the rules of qualification\.y"):
        item_inputs(bare, [], STAFF, H1, NOW)


def test_a_row_without_its_subject_is_refused() -> None:
    with pytest.raises(KernelInputError, match="a row has no 'organisation'"):
        found("e01", [{"institution": "H33030200001"}])
