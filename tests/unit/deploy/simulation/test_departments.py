"""Department files are rows the import desk accepts, for all 23 items and both periods."""

import re
from pathlib import Path

import pytest

from scoring_kernel import load_catalog
from scoring_kernel.item_rows import parse_row
from tests.unit.deploy.simulation.conftest import Written

CATALOG = load_catalog()
FILE = re.compile(r"item_(\d\d)(?:_(2025H1|2026H1))?\.csv")


def files(written: Written) -> list[Path]:
    return sorted((written.out / "departments").iterdir())


def test_there_is_one_file_per_item_and_period_and_one_register(written: Written) -> None:
    names = {path.name for path in files(written)}
    expected = {
        f"item_{number}_{period}.csv"
        for number in CATALOG.items
        if number != "20"
        for period in ("2025H1", "2026H1")
    }
    assert names == expected | {"item_20.csv"}
    assert len(CATALOG.items) == 23


def test_every_row_of_every_file_is_accepted_by_the_catalogue(written: Written) -> None:
    rows = 0
    for path in files(written):
        match = FILE.fullmatch(path.name)
        assert match is not None
        item = CATALOG.items[match[1]]
        for row in written.rows(f"departments/{path.name}"):
            assert tuple(row) == item.header
            parsed = parse_row(item, row)
            assert parsed.period in {None, match[2]}
            rows += 1
    assert rows > 500


def test_documents_are_numbered_once_and_later_files_repeat_earlier_events(
    written: Written,
) -> None:
    for number in ("03", "07", "12", "13", "17", "18", "19", "21"):
        earlier = written.rows(f"departments/item_{number}_2025H1.csv")
        later = written.rows(f"departments/item_{number}_2026H1.csv")
        for events in (earlier, later):
            keys = [(row["authority"], row["document_number"]) for row in events]
            assert len(keys) == len(set(keys))
        known = {row["document_number"]: row for row in later}
        for row in earlier:
            if row["event_day"] >= "2023-01-01":
                assert known[row["document_number"]] == row


def test_the_register_names_every_institution_and_pharmacy_with_its_custodian(
    written: Written,
) -> None:
    register = {row["institution"]: row for row in written.rows("departments/item_20.csv")}
    listed = {row["institution"]: row for row in written.rows("institutions.csv")}
    assert register.keys() == listed.keys()
    assert sum(code.startswith("H") for code in listed) == 24
    assert sum(code.startswith("P") for code in listed) == 4
    assert all(row["type"] == "pharmacy" for code, row in listed.items() if code[0] == "P")
    assert {row["custodian"] for row in listed.values()} == {
        "H33030200001",
        "H33038100002",
        "county",
    }
    for custodian in {row["custodian"] for row in listed.values()}:
        own = {row["institution"] for row in written.rows(f"custody/{custodian}.csv")}
        assert own == {code for code, row in listed.items() if row["custodian"] == custodian}


def test_work_done_and_readmissions_are_those_of_the_messages(written: Written) -> None:
    work = {row["institution"]: row for row in written.rows("departments/item_04_2026H1.csv")}
    discharged: dict[str, int] = {}
    for exchange in written.exchanges("2026H1"):
        if exchange["infno"] in {"2402", "2405"}:
            code = exchange["request"]["fixmedins_code"]
            step = 1 if exchange["infno"] == "2402" else -1
            discharged[code] = discharged.get(code, 0) + step
    assert {code: int(row["inpatient_discharges"]) for code, row in work.items()} == {
        code: discharged.get(code, 0) for code in work
    }


@pytest.mark.parametrize(
    ("kind", "item"),
    [("fraud_case", "17"), ("dishonest_debtor", "18"), ("health_penalty", "07")],
)
def test_what_departments_found_out_is_in_their_files(
    written: Written, kind: str, item: str
) -> None:
    truth = [row for row in written.rows("ground_truth.csv") if row["misconduct"] == kind]
    events = written.rows(f"departments/item_{item}_2026H1.csv")
    found = {row["institution"] for row in events if row["event_day"] >= "2026-01-01"}
    assert {row["institution"] for row in truth} == found
    assert all(row["detail"] for row in truth)
    assert found or kind != "health_penalty"
