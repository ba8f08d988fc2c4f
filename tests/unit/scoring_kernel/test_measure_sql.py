"""The catalogue's measure SQL, run by DuckDB over small hand-made ledgers."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from scoring_kernel.measure_sets import KEY_COLUMNS, MeasureSet, parse_measure_set
from scoring_kernel.record_kinds import RecordKind, parse_record_kinds
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CATALOG = files("scoring_kernel") / "catalog"
KINDS: Mapping[str, RecordKind] = parse_record_kinds(
    load_strict((CATALOG / "records.yaml").read_bytes(), "records.yaml"),
    ("record_retention_proposal",),
)
SETS: Mapping[str, MeasureSet] = {
    name: parse_measure_set(
        load_strict((CATALOG / "measures" / f"{name}.yaml").read_bytes(), name),
        units=("fen", "visit", "message"),
        relations=KINDS,
    )
    for name in ("completeness", "settlement", "inpatient", "interface")
}
SQL_TYPES = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "timestamp[s]": "TIMESTAMP_S",
}
DEFAULTS: Mapping[str, Any] = {
    "string": "x",
    "bool": False,
    "int8": 1,
    "int32": 202603,
    "int64": 0,
    "timestamp[s]": "2026-03-01 08:00:00",
}
HOSPITAL = "H33030200001"


class Ledger:
    """A DuckDB with one empty relation per record kind."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        for kind in KINDS.values():
            columns = ", ".join(f'"{name}" {SQL_TYPES[word]}' for name, word in kind.schema)
            self.connection.execute(f"CREATE TABLE {kind.id} ({columns})")

    def add(self, kind: str, **given: object) -> None:
        schema = KINDS[kind].schema
        row = {name: DEFAULTS[word] for name, word in schema} | {"institution": HOSPITAL} | given
        marks = ", ".join("?" for _ in row)
        names = ", ".join(f'"{name}"' for name in row)
        self.connection.execute(
            f"INSERT INTO {kind} ({names}) VALUES ({marks})",  # noqa: S608 - names of the catalogue
            list(row.values()),
        )

    def measure(self, name: str) -> dict[tuple[str, int], dict[str, int]]:
        result = self.connection.execute(SETS[name].sql)
        assert [column[0] for column in result.description] == list(SETS[name].columns)
        rows = {}
        for institution, month, subject, *values in result.fetchall():
            assert subject == institution
            measures = (measure.id for measure in SETS[name].measures)
            rows[institution, month] = dict(zip(measures, values, strict=True))
        return rows


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    book = Ledger()
    yield book
    book.connection.close()


@pytest.mark.parametrize("name", SETS)
def test_sql_returns_its_columns_as_bigint_and_nothing_for_an_empty_ledger(
    ledger: Ledger, name: str
) -> None:
    assert ledger.measure(name) == {}
    described = ledger.connection.execute(f"DESCRIBE {SETS[name].sql}").fetchall()
    types = {row[0]: row[1] for row in described}
    assert [types[key] for key in KEY_COLUMNS] == ["VARCHAR", "INTEGER", "VARCHAR"]
    assert {types[measure.id] for measure in SETS[name].measures} == {"BIGINT"}


def test_a_reversal_takes_back_count_and_money(ledger: Ledger) -> None:
    money = {"medfee_fen": 9560, "fund_fen": 6692, "inscp_fen": 9000}
    ledger.add("settlement", record_id="a", **money)
    ledger.add("settlement", record_id="b", **money)
    ledger.add("settlement", record_id="c", sign=-1, **{key: -fen for key, fen in money.items()})
    assert ledger.measure("settlement") == {(HOSPITAL, 202603): {"settlements": 1, **money}}


def test_settlements_are_kept_apart_by_institution_and_booking_month(ledger: Ledger) -> None:
    ledger.add("settlement", medfee_fen=100)
    ledger.add("settlement", medfee_fen=200, month=202604)
    ledger.add("settlement", medfee_fen=400, institution="H33030200002")
    found = {key: row["medfee_fen"] for key, row in ledger.measure("settlement").items()}
    assert found == {
        (HOSPITAL, 202603): 100,
        (HOSPITAL, 202604): 200,
        ("H33030200002", 202603): 400,
    }


def discharge(ledger: Ledger, visit: str = "v1", **given: object) -> None:
    row: dict[str, object] = {
        "record_id": visit,
        "mdtrt_id": visit,
        "discharged_at": "2026-03-10 09:00:00",
        "discharge_way": "1",
    }
    ledger.add("discharge", **(row | given))


def admission(ledger: Ledger, admitted_at: str, **given: object) -> None:
    row: dict[str, object] = {"mdtrt_id": "v2", "admitted_at": admitted_at, "inpatient": True}
    ledger.add("admission", **(row | given))


def readmitted(ledger: Ledger) -> tuple[int, int]:
    row = ledger.measure("inpatient")[HOSPITAL, 202603]
    return row["discharges"], row["readmissions_15d"]


@pytest.mark.parametrize(
    ("admitted_at", "expect"),
    [
        ("2026-03-01 09:00:00", 0),
        ("2026-03-09 23:59:59", 0),
        ("2026-03-10 00:00:00", 1),
        ("2026-03-10 08:00:00", 1),
        ("2026-03-10 09:00:00", 1),
        ("2026-03-20 00:00:00", 1),
        ("2026-03-25 00:00:00", 1),
        ("2026-03-25 23:59:59", 1),
        ("2026-03-26 00:00:00", 0),
    ],
)
@pytest.mark.parametrize("discharged_at", ["2026-03-10 09:00:00", "2026-03-10 00:00:00"])
def test_readmitted_means_from_the_day_of_discharge_to_the_fifteenth_after_it(
    ledger: Ledger, discharged_at: str, admitted_at: str, expect: int
) -> None:
    admission(ledger, "2026-03-02 09:00:00", mdtrt_id="v1")
    discharge(ledger, discharged_at=discharged_at)
    admission(ledger, admitted_at)
    assert readmitted(ledger) == (1, expect)


DAY = "2026-03-10 00:00:00"


@pytest.mark.parametrize(
    ("begun_at", "ended_at", "other_begun_at", "other_ended_at", "expect"),
    [
        ("2026-03-10 08:00:00", "2026-03-10 12:00:00", "2026-03-10 14:00:00", None, 1),
        ("2026-03-10 08:00:00", "2026-03-10 12:00:00", "2026-03-10 07:00:00", None, 0),
        ("2026-03-01 08:00:00", "2026-03-10 12:00:00", "2026-02-20 08:00:00", None, 0),
        ("2026-03-01 08:00:00", "2026-03-10 12:00:00", "2026-03-09 08:00:00", None, 0),
        (DAY, DAY, DAY, None, 1),
        (DAY, DAY, DAY, "2026-03-14 00:00:00", 1),
        (DAY, "2026-03-14 00:00:00", DAY, DAY, 0),
        ("2026-03-10 08:00:00", "2026-03-10 12:00:00", DAY, "2026-03-10 15:00:00", 1),
        ("2026-03-10 08:00:00", "2026-03-10 12:00:00", DAY, "2026-03-10 11:00:00", 0),
        (DAY, "2026-03-10 12:00:00", "2026-03-10 08:00:00", "2026-03-10 15:00:00", 1),
        (DAY, DAY, DAY, DAY, 1),
        (None, "2026-03-10 12:00:00", "2026-03-10 14:00:00", None, 1),
        (None, "2026-03-10 12:00:00", "2026-03-10 08:00:00", "2026-03-10 09:00:00", 0),
        (None, DAY, DAY, "2026-03-12 00:00:00", 1),
    ],
    ids=[
        "later_on_the_day",
        "earlier_on_the_day",
        "longer_stay_around_it",
        "begun_before_the_day_of_discharge",
        "days_only_not_yet_discharged",
        "days_only_discharged_later",
        "days_only_discharged_earlier",
        "other_without_time_discharged_later",
        "other_without_time_discharged_earlier",
        "own_without_time",
        "days_only_all_on_one_day",
        "own_admission_unknown_later",
        "own_admission_unknown_earlier",
        "own_admission_unknown_days_only",
    ],
)
def test_a_readmission_begins_after_the_visit_itself(
    ledger: Ledger,
    *,
    begun_at: str | None,
    ended_at: str,
    other_begun_at: str,
    other_ended_at: str | None,
    expect: int,
) -> None:
    if begun_at is not None:
        admission(ledger, begun_at, mdtrt_id="v1")
    discharge(ledger, "v1", discharged_at=ended_at)
    admission(ledger, other_begun_at, mdtrt_id="v2")
    if other_ended_at is not None:
        # Died: cannot be readmitted itself, so that the count is v1's alone.
        discharge(ledger, "v2", discharged_at=other_ended_at, died=True)
    assert readmitted(ledger)[1] == expect


def test_of_two_stays_with_the_same_days_one_is_the_readmission(ledger: Ledger) -> None:
    for visit in ("v1", "v2"):
        admission(ledger, DAY, mdtrt_id=visit)
        discharge(ledger, visit, discharged_at=DAY)
    assert readmitted(ledger) == (2, 1)


@pytest.mark.parametrize(
    ("diagnosis", "expect"),
    [("Z51.100", 0), ("z51.0", 0), ("Z49.1", 0), ("Z50.1", 1), ("C34.900", 1), (None, 1)],
)
def test_chemotherapy_radiotherapy_and_dialysis_are_no_readmissions(
    ledger: Ledger, diagnosis: str | None, expect: int
) -> None:
    discharge(ledger)
    admission(ledger, "2026-03-12 09:00:00", diagnosis=diagnosis)
    assert readmitted(ledger) == (1, expect)


def test_an_unplanned_admission_besides_chemotherapy_is_a_readmission(ledger: Ledger) -> None:
    discharge(ledger)
    admission(ledger, "2026-03-12 09:00:00", diagnosis="Z51.100")
    admission(ledger, "2026-03-20 09:00:00", mdtrt_id="v3", diagnosis="I63.900")
    assert readmitted(ledger) == (1, 1)


def sent(second: int) -> str:
    """Give the id of a message that was sent at a second of a minute."""
    return f"{HOSPITAL}202603121000{second:02d}0001"


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ({"what": "admission"}, 0),
        ({"what": "discharge"}, 1),
        ({"what": "admission", "institution": "H33030200002"}, 1),
        ({"what": "admission", "mdtrt_id": "v3"}, 1),
    ],
)
def test_a_cancelled_admission_is_no_readmission(
    ledger: Ledger, given: dict[str, object], expect: int
) -> None:
    discharge(ledger, record_id=sent(1))
    admission(ledger, "2026-03-12 09:00:00")
    ledger.add("cancellation", **({"record_id": sent(9), "mdtrt_id": "v2"} | given))
    assert readmitted(ledger) == (1, expect)


@pytest.mark.parametrize(
    ("discharges", "cancellations", "expect"),
    [
        ((1,), (2,), 0),
        ((1, 3), (2,), 1),
        ((1, 3), (2, 4), 0),
        ((3,), (2,), 1),
        ((1, 3, 5), (2, 4), 1),
    ],
)
def test_a_discharge_that_was_undone_does_not_count_and_the_next_one_counts_once(
    ledger: Ledger, discharges: tuple[int, ...], cancellations: tuple[int, ...], expect: int
) -> None:
    discharge(ledger, "other")
    for second in discharges:
        discharge(ledger, "v1", record_id=sent(second))
    for second in cancellations:
        ledger.add("cancellation", record_id=sent(second), mdtrt_id="v1", what="discharge")
    assert readmitted(ledger) == (1 + expect, 0)


def test_the_day_of_a_repeated_discharge_is_the_one_that_counts(ledger: Ledger) -> None:
    discharge(ledger, record_id=sent(1), discharged_at="2026-04-12 09:00:00", month=202604)
    ledger.add("cancellation", record_id=sent(2), mdtrt_id="v1", what="discharge")
    discharge(ledger, record_id=sent(3))
    assert set(ledger.measure("inpatient")) == {(HOSPITAL, 202603)}


@pytest.mark.parametrize(
    "given",
    [
        {"inpatient": False},
        {"person": "another"},
        {"institution": "H33030200002"},
        {"mdtrt_id": "v1"},
    ],
    ids=["outpatient", "another_person", "another_institution", "same_visit"],
)
def test_other_admissions_are_not_readmissions(ledger: Ledger, given: dict[str, object]) -> None:
    discharge(ledger)
    admission(ledger, "2026-03-12 09:00:00", **given)
    assert readmitted(ledger) == (1, 0)


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ({}, 1),
        ({"died": True, "discharge_way": "5"}, 0),
        ({"discharge_way": "2"}, 0),
        ({"discharge_way": "3"}, 0),
        ({"discharge_way": "4"}, 1),
    ],
)
def test_deaths_and_transfers_are_not_readmitted(
    ledger: Ledger, given: dict[str, object], expect: int
) -> None:
    discharge(ledger, "v1", **given)
    admission(ledger, "2026-03-12 09:00:00")
    assert readmitted(ledger) == (1, expect)


@pytest.mark.parametrize(("planned", "expect"), [(True, 0), (False, 1)])
def test_a_readmission_planned_on_the_list_does_not_count(
    ledger: Ledger,
    planned: bool,  # noqa: FBT001 - a case of the table
    expect: int,
) -> None:
    discharge(ledger)
    admission(ledger, "2026-03-12 09:00:00")
    ledger.add("settlement_list", mdtrt_id="v1", planned_readmission=planned)
    assert readmitted(ledger) == (1, expect)


def test_several_readmissions_count_the_discharge_once(ledger: Ledger) -> None:
    discharge(ledger)
    admission(ledger, "2026-03-12 09:00:00")
    admission(ledger, "2026-03-13 09:00:00", mdtrt_id="v3")
    assert readmitted(ledger) == (1, 1)


def test_the_latest_discharge_of_a_visit_counts(ledger: Ledger) -> None:
    discharge(ledger, record_id="first", month=202602, discharged_at="2026-02-27 09:00:00")
    discharge(ledger, record_id="second")
    assert set(ledger.measure("inpatient")) == {(HOSPITAL, 202603)}
    assert readmitted(ledger) == (1, 0)


def test_lists_are_counted_against_net_inpatient_settlements(ledger: Ledger) -> None:
    for number, sign in (("s1", 1), ("s2", 1), ("s3", 1), ("s3", -1)):
        ledger.add("settlement", record_id=sent(1), setl_id=number, sign=sign, inpatient=True)
    ledger.add("settlement", setl_id="s9", inpatient=False)
    for number in ("s1", "s1", "s3", "s9"):
        ledger.add("settlement_list", setl_id=number)
    row = ledger.measure("inpatient")[HOSPITAL, 202603]
    assert (row["inpatient_settlements"], row["settlement_lists"]) == (2, 1)


def test_settlements_that_came_through_a_mapping_owe_no_lists(ledger: Ledger) -> None:
    ledger.add("settlement", record_id="city-his:1", inpatient=True)
    assert ledger.measure("inpatient") == {}
    assert ledger.measure("settlement")[HOSPITAL, 202603]["settlements"] == 1


def test_a_message_is_complete_with_its_response_accepted_or_not(ledger: Ledger) -> None:
    for accepted in (True, True, False, None):
        ledger.add("message", accepted=accepted)
    ledger.add("message", accepted=None, month=202604)
    march, april = (HOSPITAL, 202603), (HOSPITAL, 202604)
    assert ledger.measure("interface")[march] == {"messages": 3, "messages_accepted": 2}
    assert ledger.measure("completeness") == {
        march: {"messages_received": 4, "messages_complete": 3},
        april: {"messages_received": 1, "messages_complete": 0},
    }


@pytest.mark.parametrize("name", SETS)
def test_sql_does_not_depend_on_the_order_of_records(name: str) -> None:
    def filled(order: int) -> dict[tuple[str, int], dict[str, int]]:
        book = Ledger()
        for number in (range(6), range(5, -1, -1))[order]:
            book.add("settlement", setl_id=f"s{number}", inpatient=number % 2 == 0, fund_fen=number)
            discharge(book, f"v{number}", person=f"p{number % 2}")
            admission(book, f"2026-03-1{number} 10:00:00", person="p0", mdtrt_id=f"w{number}")
            book.add("message", accepted=number % 3 == 0)
        found = book.measure(name)
        book.connection.close()
        return found

    assert filled(0) == filled(1)
