from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.information import MAX_VALUE
from scoring_kernel.items import full_months, item_inputs
from scoring_kernel.periods import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ITEMS = load_catalog().items
PERIOD = Period.parse("2026H1")
A, B, C = "H33030200001", "H33030200002", "H33030200003"
NOW = frozenset(("2026H1",))
BOTH = frozenset(("2026H1", "2025H1"))


def inputs(
    number: str,
    rows: Sequence[Mapping[str, object]],
    imported: frozenset[str] = NOW,
    subjects: Sequence[str] = (A, B, C),
) -> dict[str, list[int | None]]:
    """Columns of an item without its prefix; None where a value is not present."""
    found = item_inputs(ITEMS[number], rows, subjects, PERIOD, imported)
    assert set(found) == set(ITEMS[number].input_columns)
    shown = {}
    for column, (values, present) in found.items():
        assert (str(values.dtype), str(present.dtype)) == ("int64", "bool")
        assert all(value == 0 for value, here in zip(values, present, strict=True) if not here)
        shown[column.removeprefix(f"item.{number}.")] = [
            int(value) if here else None for value, here in zip(values, present, strict=True)
        ]
    return shown


def row(institution: str, period: str, **values: object) -> dict[str, object]:
    return {"institution": institution, "period": period, **values}


def event(institution: str, day: date, number: str = "1", **values: object) -> dict[str, object]:
    return {
        "institution": institution,
        "authority": "局",
        "document_number": number,
        "event_day": day,
        **values,
    }


def test_rows_state_their_own_period_the_one_before_and_the_year_before() -> None:
    rows = [
        row(A, "2026H1", score_centi=9500),
        row(A, "2025H1", score_centi=9000),
        row(B, "2025H2", score_centi=8000),
        row("H33030209999", "2026H1", score_centi=1),
    ]
    assert inputs("09", rows) == {
        "score_centi@current": [9500, None, None],
        "score_centi@base": [9000, None, None],
        "score_centi@prior": [None, 8000, None],
    }


def test_nothing_handed_in_is_missing_and_not_zero() -> None:
    assert inputs("09", [], BOTH)["score_centi@current"] == [None, None, None]


def test_an_empty_optional_value_of_a_row_is_missing() -> None:
    rows = [row(A, "2026H1", score_centi=None)]
    assert inputs("09", rows)["score_centi@current"] == [None, None, None]


def test_events_count_by_window_and_kind() -> None:
    rows = [
        event(A, date(2026, 1, 1), "1", handling="interview", amount_fen=100),
        event(A, date(2026, 6, 30), "2", handling="refusal", amount_fen=None),
        event(A, date(2025, 12, 31), "3", handling="interview", amount_fen=7),
        event(A, date(2025, 1, 1), "4", handling="suspension", amount_fen=0),
        event(A, date(2024, 12, 31), "5", handling="suspension"),
        event(A, date(2023, 1, 1), "6", handling="interview"),
        event(A, date(2022, 12, 31), "7", handling="interview"),
        event(A, date(2026, 7, 1), "8", handling="interview"),
    ]
    found = inputs("03", rows, BOTH)
    assert found["interview@current"] == [1, 0, 0]
    assert found["handlings@current"] == [2, 0, 0]
    assert found["amount_fen@current"] == [100, 0, 0]
    assert found["handlings@base"] == [1, 0, 0]
    assert [found[f"handlings@age{age}"][0] for age in (1, 2, 3)] == [2, 1, 1]


def test_no_event_is_zero_only_when_the_item_was_imported() -> None:
    assert inputs("07", [])["cases@current"] == [0, 0, 0]
    assert inputs("07", [])["cases@age3"] == [0, 0, 0]
    assert inputs("07", [])["cases@base"] == [None, None, None]
    assert inputs("07", [], BOTH)["cases@base"] == [0, 0, 0]
    assert inputs("07", [], frozenset())["cases@current"] == [None, None, None]


def test_events_are_counted_by_flag() -> None:
    rows = [
        event(A, date(2026, 2, 1), "1", fraud=1, amount_fen=5),
        event(A, date(2026, 2, 1), "2", fraud=0, amount_fen=6),
    ]
    found = inputs("21", rows)
    assert found["cases@current"][0] == 2
    assert found["fraud_cases@current"][0] == 1
    assert found["amount_fen@current"][0] == 11


def test_the_register_states_completeness_and_full_months() -> None:
    full: dict[str, object] = {
        field.column: "x" for field in ITEMS["20"].fields if field.name != "institution"
    }
    rows: list[dict[str, object]] = [
        {"institution": A, **full, "first_agreement_day": date(2016, 7, 1)},
        {"institution": B, "name": "x", "phone": None, "address": ""},
    ]
    found = inputs("20", rows)
    assert found["required_fields@current"] == [11, 11, None]
    assert found["filled_fields@current"] == [11, 2, None]
    assert found["agreement_months@current"] == [120, None, None]


@pytest.mark.parametrize(
    ("first", "expect"),
    [
        (date(2026, 6, 1), 1),
        (date(2026, 6, 2), 0),
        (date(2026, 5, 31), 1),
        (date(2026, 7, 1), 0),
        (date(2027, 1, 1), 0),
        (date(2020, 2, 29), 76),
    ],
)
def test_months_count_when_they_are_full(first: date, expect: int) -> None:
    assert full_months(first, date(2026, 6, 30)) == expect


def test_every_event_can_be_revoked_and_every_entry_removed() -> None:
    for item in ITEMS.values():
        days = {one.name for one in item.fields if one.type == "date" and not one.required}
        wanted = {"event": {"revoked_day"}, "listing": {"until_day"}}.get(item.kind, set())
        assert wanted <= days, item.number


@pytest.mark.parametrize("number", sorted(ITEMS))
def test_every_item_states_every_one_of_its_columns(number: str) -> None:
    assert inputs(number, [], BOTH)


@pytest.mark.parametrize(
    ("number", "rows", "message"),
    [
        ("09", [{"institution": A}], "a row has no 'period'"),
        ("07", [{"authority": "局", "document_number": "1"}], "a row has no 'institution'"),
        ("09", [row(A, "2026H1", score_centi=1)] * 2, "stands twice: keep its last version"),
        ("09", [row(A, "2026H1", score_centi="95")], "column score_centi holds str, expected a wh"),
        ("09", [row(A, "2026H1", score_centi=True)], "column score_centi holds bool"),
        (
            "d03",
            [{"organisation": A, "period": "2026H1", "uncorrected_warnings": 0, "rating": "4"}],
            "column rating holds '4', expected one of normal, general, medium, serious",
        ),
        (
            "07",
            [event(A, date(2026, 1, 1)) | {"event_day": "2026-01-01"}],
            "column event_day holds str, expected a day",
        ),
        (
            "07",
            [event(A, date(2026, 1, 1), str(n), amount_fen=MAX_VALUE) for n in range(2)],
            f"amount_fen of {A} is {2 * MAX_VALUE} and exceeds {MAX_VALUE}: check",
        ),
    ],
)
def test_rows_that_were_not_parsed_are_refused(
    number: str, rows: list[dict[str, object]], message: str
) -> None:
    with pytest.raises(KernelInputError, match=message):
        inputs(number, rows)


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [event((A, B)[n % 2], date(2026, 1, 1 + n), str(n), fraud=n % 2) for n in range(6)]
    assert inputs("21", rows) == inputs("21", rows[::-1])
