"""Files about every class of subjects go through the import desk."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from hub.departments import open_faults
from hub.store.engine import reading
from hub.store.item_imports import covered_periods
from hub.store.item_rows import known_subjects
from scoring_kernel.items import item_inputs
from scoring_kernel.periods import Period
from tests.support.department_files import CLINIC, HOSPITAL, write_csv, write_register

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scoring_kernel import Catalog
    from tests.support.import_desk import Desk

DOCTOR: Final = "D330302000001"
PHARMACIST: Final = "HY330302000002"
PERSON: Final = "R0123456789abcdef0123456789abcdef"
OTHER_PERSON: Final = "Rfedcba9876543210fedcba9876543210"
COMPANY: Final = "91350100M000100Y43"
SUBJECTS: Final = {
    "institution": HOSPITAL,
    "staff": DOCTOR,
    "person": PERSON,
    "organisation": COMPANY,
}
ID_NUMBER: Final = "990001195803121016"
DAYS: Final = {
    "event_day": "2026-03-31",
    "from_day": "2026-01-01",
    "until_day": "2026-12-31",
    "revoked_day": "",
    "restored_day": "",
}


def line_of(catalog: Catalog, number: str, given: Mapping[str, str] | None = None) -> str:
    """A good line of any item: its subject, documents by number, first codes, ones."""
    item = catalog.items[number]
    cells: list[str] = []
    for field in item.fields:
        if given is not None and field.name in given:
            value = given[field.name]
        elif field.type in SUBJECTS:
            value = SUBJECTS[field.type]
        elif field.type == "code":
            value = next(iter(field.codes))
        elif field.type == "text":
            value = f"文{number}"
        elif field.type == "document":
            value = "温示例\u30142026\u30151号"
        elif field.type == "date":
            value = DAYS.get(field.name, "2015-01-01")
        else:
            by_type = {"uscc": COMPANY, "division": "330302", "phone": "0577-88000000"}
            value = by_type.get(field.type, "2026H1" if field.type == "period" else "1")
        cells.append(value)
    return ",".join(cells)


def write(folder: Path, catalog: Catalog, number: str, *lines: str) -> Path:
    item = catalog.items[number]
    period = "_2026H1" if item.has_period else ""
    path = folder / f"item_{number}{period}.csv"
    return write_csv(path, ",".join(item.header), lines or (line_of(catalog, number),))


@pytest.fixture
def city(desk: Desk, tmp_path: Path) -> Desk:
    """A hub that knows one subject of every kind."""
    folder = tmp_path / "registers"
    folder.mkdir()
    write_register(folder)
    for number in ("s01", "r01", "e01", "d01", "t01"):
        write(folder, desk.catalog, number)
    report = desk.take(folder)
    assert (report.added, report.quarantined) == (8, 0)
    return desk


def test_one_directory_with_an_item_of_every_number_goes_in(desk: Desk, tmp_path: Path) -> None:
    for number in desk.catalog.items:
        write(tmp_path, desk.catalog, number)
    report = desk.take(tmp_path)
    assert report.by_rule == {}
    assert report.added == len(desk.catalog.items)
    kinds = [desk.catalog.items[file.item].kind for file in report.files]
    assert kinds[:6] == ["register"] * 6
    for number, item in desk.catalog.items.items():
        (row,) = desk.rows(number)
        assert row[item.subject_field] == SUBJECTS[item.subject_type]


def test_a_subject_must_stand_in_the_register_of_its_own_kind(city: Desk, tmp_path: Path) -> None:
    stranger = line_of(city.catalog, "s02", {"staff": PHARMACIST})
    supplier = line_of(city.catalog, "d02", {"organisation": "91350100M000100A47"})
    report = city.take(write(tmp_path, city.catalog, "s02", stranger))
    assert report.by_rule == {"unknown_subject": 1}
    with reading(city.engine) as connection:
        (fault,) = open_faults(connection)
        assert known_subjects(connection, "s01") == {DOCTOR}
    assert (fault.field, fault.masked) == ("staff", PHARMACIST)
    assert "import the register (item s01)" in fault.mend
    assert city.take(write(tmp_path, city.catalog, "d02", supplier)).quarantined == 1


def test_a_stranger_on_a_list_of_institutions_keeps_its_rule(city: Desk, tmp_path: Path) -> None:
    stranger = line_of(city.catalog, "l01", {"institution": "H33030299999"})
    report = city.take(write(tmp_path, city.catalog, "l01", stranger))
    assert report.by_rule == {"unknown_institution": 1}


def test_of_an_unknown_pseudonym_enough_is_shown_to_find_it(city: Desk, tmp_path: Path) -> None:
    stranger = line_of(city.catalog, "r02", {"person": OTHER_PERSON})
    assert city.take(write(tmp_path, city.catalog, "r02", stranger)).by_rule == {
        "unknown_subject": 1
    }
    with reading(city.engine) as connection:
        (fault,) = open_faults(connection)
    assert fault.masked == "Rfedcba98…"


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        (ID_NUMBER, "id_number"),
        ("33030219900101123X", "id_number"),
        ("13800138000", "phone_number"),
        ("42020000000000100077041214", "person_number"),
    ],
)
def test_a_number_of_a_person_is_refused_and_leaves_no_trace(
    city: Desk, tmp_path: Path, number: str, rule: str
) -> None:
    lines = [line_of(city.catalog, "r02", {"person": number}), line_of(city.catalog, "r02")]
    report = city.take(write(tmp_path, city.catalog, "r02", *lines))
    assert (report.added, report.by_rule) == (1, {rule: 1})
    assert number not in repr(city.table())
    assert number.encode() not in (tmp_path / "hub.db-wal").read_bytes()


def test_a_fault_in_a_file_about_persons_is_known_by_its_place(city: Desk, tmp_path: Path) -> None:
    bad = line_of(city.catalog, "r02", {"person": ID_NUMBER})
    city.take(write(tmp_path, city.catalog, "r02", bad))
    city.take(write(tmp_path, city.catalog, "r02", line_of(city.catalog, "r02"), bad))
    with reading(city.engine) as connection:
        assert [fault.line for fault in open_faults(connection)] == [3]
    city.take(
        write(tmp_path, city.catalog, "r02", line_of(city.catalog, "r02", {"period": "2026H1"}))
    )
    with reading(city.engine) as connection:
        assert open_faults(connection) == ()


@pytest.mark.parametrize(
    ("day", "rules"), [("2026-07-10", {}), ("2026-07-11", {"event_outside_period": 1})]
)
def test_nobody_is_listed_tomorrow(
    city: Desk, tmp_path: Path, day: str, rules: dict[str, int]
) -> None:
    entry = line_of(city.catalog, "l04", {"from_day": day})
    assert city.take(write(tmp_path, city.catalog, "l04", entry)).by_rule == rules


def test_a_listing_without_entries_covers_its_period(city: Desk, tmp_path: Path) -> None:
    header = ",".join(city.catalog.items["l02"].header)
    city.take(write_csv(tmp_path / "item_l02_2026H1.csv", header, []))
    with reading(city.engine) as connection:
        assert covered_periods(connection, "l02") == {"2026H1"}


def test_a_removal_from_a_list_is_a_new_version(city: Desk, tmp_path: Path) -> None:
    held = line_of(city.catalog, "l03", {"until_day": ""})
    city.take(write(tmp_path, city.catalog, "l03", held))
    removed = line_of(city.catalog, "l03", {"until_day": "2026-06-30"})
    report = city.take(write(tmp_path, city.catalog, "l03", removed))
    assert (report.added, report.corrected) == (0, 1)
    item = city.catalog.items["l03"]
    columns = item_inputs(
        item, city.rows("l03"), [PERSON], Period.parse("2026H1"), frozenset({"2026H1"})
    )
    assert set(columns) == set(item.input_columns)
    assert all(values.tolist() == [0] for values, _ in columns.values())
    assert all(present.all() for _, present in columns.values())


def test_points_of_a_person_hold_wherever_they_were_given(city: Desk, tmp_path: Path) -> None:
    lines = [
        line_of(city.catalog, "s03", {"suspended_months": "", **given})
        for given in (
            {"document_number": "1", "act_id": "a", "points": "6"},
            {"document_number": "2", "act_id": "b", "points": "5"},
        )
    ]
    city.take(write(tmp_path, city.catalog, "s03", *lines))
    item = city.catalog.items["s03"]
    columns = item_inputs(
        item, city.rows("s03"), [DOCTOR], Period.parse("2026H1"), frozenset({"2026H1"})
    )
    assert columns["item.s03.barred@current"][0].tolist() == [1]
    assert columns["item.s03.points@year"][0].tolist() == [11]


def test_a_register_needs_no_period_and_every_other_file_does(city: Desk, tmp_path: Path) -> None:
    header = ",".join(city.catalog.items["l01"].header)
    report = city.take(write_csv(tmp_path / "item_l01.csv", header, []))
    assert report.by_rule == {"file_name": 1}


def test_an_item_number_of_the_command_may_have_a_letter(city: Desk, tmp_path: Path) -> None:
    source = write(tmp_path, city.catalog, "r05")
    other = source.rename(tmp_path / "退款.csv")
    assert city.take(other, item="r05", period="2026H1").added == 1
    assert CLINIC not in repr(city.rows("r05"))


@pytest.mark.parametrize(
    ("day", "rules"), [("2024-09-27", {}), ("2024-09-26", {"event_outside_period": 1})]
)
def test_points_of_many_years_ago_come_again_with_the_day_of_restoration(
    city: Desk, tmp_path: Path, day: str, rules: dict[str, int]
) -> None:
    given = {"event_day": day, "points": "12", "suspended_months": "", "restored_day": "2030-01-31"}
    header = ",".join(city.catalog.items["s03"].header)
    path = tmp_path / "item_s03_2030H1.csv"
    report = city.take(
        write_csv(path, header, [line_of(city.catalog, "s03", given)]),
        now=datetime(2030, 7, 10, tzinfo=UTC),
    )
    assert report.by_rule == rules
