"""Department files are rows the import desk accepts, for every item and both periods."""

import re
from pathlib import Path

import pytest

from scoring_kernel import load_catalog
from scoring_kernel.document_numbers import document_fault
from scoring_kernel.item_rows import parse_row
from tests.unit.deploy.simulation.conftest import Written

CATALOG = load_catalog()
FILE = re.compile(r"item_([a-z]?\d\d)(?:_(202[56]H[12]))?\.csv")
LAGGED = {"s05", "r04"}


def files(written: Written) -> list[Path]:
    return sorted((written.out / "departments").iterdir())


def test_there_is_one_file_per_item_and_period_and_one_per_register(written: Written) -> None:
    names = {path.name for path in files(written)}
    registers = {item.number for item in CATALOG.items.values() if item.kind == "register"}
    expected = {
        f"item_{number}_{period}.csv"
        for number in CATALOG.items.keys() - registers
        for period in ("2025H1", "2026H1")
    }
    expected |= {f"item_{number}_2025H2.csv" for number in LAGGED}
    assert names == expected | {f"item_{number}.csv" for number in registers}
    assert registers == {"20", "s01", "r01", "e01", "d01", "t01"}


def test_every_row_of_every_file_is_accepted_by_the_catalogue(written: Written) -> None:
    keys: dict[str, set[tuple[str, ...]]] = {}
    for path in files(written):
        match = FILE.fullmatch(path.name)
        assert match is not None
        item = CATALOG.items[match[1]]
        rows = written.rows(f"departments/{path.name}")
        parsed = [parse_row(item, row) for row in rows]
        assert all(tuple(row) == item.header for row in rows)
        assert {row.period for row in parsed} <= {None, match[2]}
        keys.setdefault(item.number, set()).update(row.key for row in parsed)
        assert len({row.key for row in parsed}) == len(parsed), f"{path.name} repeats a key"
    empty = {number for number, found in keys.items() if not found}
    assert len(empty) <= 3, f"nobody is in {sorted(empty)}"


def test_everybody_a_file_names_is_in_the_register_of_its_item(written: Written) -> None:
    for path in files(written):
        match = FILE.fullmatch(path.name)
        assert match is not None
        item = CATALOG.items[match[1]]
        if item.register is None:
            continue
        field = CATALOG.items[item.register].subject_field
        known = {row[field] for row in written.rows(f"departments/item_{item.register}.csv")}
        named = {row[item.subject_field] for row in written.rows(f"departments/{path.name}")}
        assert named <= known, path.name


def test_technicians_are_registered_and_nothing_else_names_them(written: Written) -> None:
    rows = written.rows("departments/item_s01.csv")
    technicians = {row["staff"] for row in rows if row["role"] == "technician"}
    assert len(technicians) == 24
    assert all(code.startswith("HJ") for code in technicians)
    for path in files(written):
        if path.name != "item_s01.csv":
            named = {row.get("staff") for row in written.rows(f"departments/{path.name}")}
            assert not named & technicians, path.name


def test_documents_about_persons_are_codes_and_numbers(written: Written) -> None:
    rows = written.rows("departments/item_r03_2026H1.csv")
    assert {row["authority"] for row in rows} == {"insurance_bureau", "court"}
    assert {row["decision"] for row in rows} == {"penalty", "handling", "judgment"}
    assert all(document_fault(row["document_number"]) is None for row in rows)


def test_doctors_of_the_messages_are_the_physicians_of_the_register(written: Written) -> None:
    register = {
        (row["institution"], row["staff"])
        for row in written.rows("departments/item_s01.csv")
        if row["role"] == "physician"
    }
    seen = set()
    for exchange in written.exchanges():
        for line in exchange["request"]["input"].get("feedetail", []):
            seen.add((exchange["request"]["fixmedins_code"], line["bilg_dr_codg"]))
    assert len(seen) > 100
    assert seen <= register
    rejected = {
        row["staff"]: row["rejected_yuan"]
        for row in written.rows("departments/item_s02_2026H1.csv")
    }
    worked = {code for _, code in seen}
    assert {code for code, yuan in rejected.items() if code[0] == "D" and yuan != "0.00"} <= worked


def test_no_file_of_a_department_carries_a_number_of_a_person(written: Written) -> None:
    numbers = set()
    for exchange in written.exchanges():
        for value in exchange["request"]["input"].values():
            for one in value if isinstance(value, list) else [value]:
                numbers |= {one.get("psn_no"), one.get("mdtrt_cert_no")}
    numbers.discard(None)
    assert len(numbers) > 200
    for path in [*files(written), written.out / "ground_truth.csv"]:
        words = set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
        assert not words & numbers, path.name


def test_organisations_have_codes_that_no_institution_has(written: Written) -> None:
    institutions = {row["uscc"] for row in written.rows("departments/item_20.csv")}
    organisations = [
        row["organisation"]
        for number in ("e01", "d01", "t01")
        for row in written.rows(f"departments/item_{number}.csv")
    ]
    assert len(organisations) == len(set(organisations)) > 30
    assert not institutions & set(organisations)


def test_points_go_only_to_staff_of_institutions_that_were_handled(written: Written) -> None:
    staff = {row["staff"]: row["institution"] for row in written.rows("departments/item_s01.csv")}
    points = written.rows("departments/item_s03_2026H1.csv")
    handled = {row["institution"] for row in written.rows("departments/item_03_2026H1.csv")}
    assert points
    assert {staff[row["staff"]] for row in points} <= handled


def test_decisions_of_the_ground_truth_stand_in_a_file_under_their_subject(
    written: Written,
) -> None:
    documents = {}
    for path in files(written):
        match = FILE.fullmatch(path.name)
        assert match is not None
        item = CATALOG.items[match[1]]
        if item.kind in {"event", "listing"} and match[2] == "2026H1":
            for row in written.rows(f"departments/{path.name}"):
                documents[row["document_number"]] = row[item.subject_field]
    told = [row for row in written.rows("ground_truth.csv") if not row["subject"].startswith("H")]
    assert {row["subject"][0] for row in told} >= set("PDNR9")
    assert all(documents[row["detail"]] == row["subject"] for row in told)


def test_documents_are_numbered_once_and_later_files_repeat_earlier_events(
    written: Written,
) -> None:
    decided = [item.number for item in CATALOG.items.values() if item.kind in {"event", "listing"}]
    assert len(decided) == 22
    for number in decided:
        earlier = written.rows(f"departments/item_{number}_2025H1.csv")
        later = written.rows(f"departments/item_{number}_2026H1.csv")
        for events in (earlier, later):
            keys = [(row["authority"], row["document_number"]) for row in events]
            assert len(keys) == len(set(keys))
        known = {row["document_number"]: row for row in later}
        for row in earlier:
            if row.get("event_day", "2023-01-01") >= "2023-01-01":
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
    [("fraud_case", "17"), ("debtor", "18"), ("health_penalty", "07")],
)
def test_what_departments_found_out_is_in_their_files(
    written: Written, kind: str, item: str
) -> None:
    truth = [
        row
        for row in written.rows("ground_truth.csv")
        if row["misconduct"].endswith(kind) and row["subject"] == row["institution"]
    ]
    events = written.rows(f"departments/item_{item}_2026H1.csv")
    day = "from_day" if item == "18" else "event_day"
    found = {row["institution"] for row in events if row[day] >= "2026-01-01"}
    assert {row["institution"] for row in truth} == found
    assert all(row["detail"] for row in truth)
    assert found or kind != "health_penalty"
