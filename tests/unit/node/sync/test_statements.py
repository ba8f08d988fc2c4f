import pyarrow as pa
import pytest

from node.domain.reported import ReportedSet, reported_set
from node.sync import statements
from node.sync.statements import changed_slots, statement_payloads, unstated
from protos.yixin.v1 import statement_pb2
from scoring_kernel.statements import rows_digest

MONTHS = [202601, 202602]
CUSTODY = {"H33030200001", "H33030200002"}


def report(fund: int = 500) -> ReportedSet:
    rows = pa.table(
        {
            "institution": ["H33030200001", "H33030200002"],
            "month": pa.array([202601, 202602], pa.int32()),
            "subject": ["H33030200001", "H33030200002"],
            "fund_fen": pa.array([fund, 70], pa.int64()),
        }
    )
    first = dict.fromkeys(["H33030200001", "H33030200002"], MONTHS[0])
    return reported_set("settlement", ["fund_fen"], rows, MONTHS, first)


def marks_of(reported: ReportedSet, known: dict[str, bytes]) -> dict[str, bytes]:
    marks = dict(known)
    for part in statement_payloads(
        reported, changed_slots(reported, known, CUSTODY), ledger_size=9
    ):
        marks |= part.marks
    return marks


def test_every_slot_is_stated_once_and_then_not_again() -> None:
    assert len(changed_slots(report(), {}, CUSTODY)) == 4
    assert changed_slots(report(), marks_of(report(), {}), CUSTODY) == []


def test_a_changed_slot_alone_is_stated_again_with_the_next_version() -> None:
    marks = marks_of(report(), {})
    changed = changed_slots(report(fund=501), marks, CUSTODY)
    assert [(slot.institution, slot.month, slot.version) for slot in changed] == [
        ("H33030200001", 202601, 2)
    ]


def test_the_payload_carries_the_rows_its_digests_promise() -> None:
    reported = report()
    (part,) = statement_payloads(reported, changed_slots(reported, {}, CUSTODY), ledger_size=9)
    batch = statement_pb2.StatementBatch.FromString(part.payload)
    rows = pa.ipc.open_stream(batch.rows_ipc).read_all().to_pylist()
    assert len(rows) == sum(slot.rows for slot in batch.slots) == 4
    for slot in batch.slots:
        mine = [
            row
            for row in rows
            if (row["institution"], row["month"]) == (slot.institution, slot.month)
        ]
        assert slot.digest == rows_digest(
            [row["institution"] for row in mine],
            [row["month"] for row in mine],
            [row["subject"] for row in mine],
            {"fund_fen": [row["fund_fen"] for row in mine]},
        )
        assert (slot.ledger_size, slot.part, slot.parts) == (9, 1, 1)


def test_an_empty_slot_is_one_part_without_rows_and_is_stated_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = pa.table(
        {
            "institution": ["H33030200001"],
            "month": pa.array([202601], pa.int32()),
            "subject": ["D330302000001"],
            "fund_fen": pa.array([500], pa.int64()),
        }
    )
    first = {"H33030200001": MONTHS[0]}
    reported = reported_set("physician", ["fund_fen"], rows, MONTHS, first, of_staff=True)
    monkeypatch.setattr(statements, "MAX_ROWS_PER_PAYLOAD", 1)
    parts = list(statement_payloads(reported, changed_slots(reported, {}, CUSTODY), ledger_size=9))
    (_, empty) = (statement_pb2.StatementBatch.FromString(part.payload) for part in parts)
    (slot,) = empty.slots
    assert (slot.month, slot.rows, slot.part, slot.parts) == (202602, 0, 1, 1)
    assert slot.digest == rows_digest([], [], [], {"fund_fen": []})
    assert pa.ipc.open_stream(empty.rows_ipc).read_all().num_rows == 0
    assert changed_slots(reported, marks_of(reported, {}), CUSTODY) == []


def test_a_slot_too_large_for_one_payload_comes_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statements, "MAX_ROWS_PER_PAYLOAD", 2)
    count = 5
    table = pa.table(
        {
            "institution": ["H33030200001"] * count,
            "month": pa.array([202601] * count, pa.int32()),
            "subject": [f"D33030200000{number}" for number in range(count)],
            "fund_fen": pa.array(range(count), pa.int64()),
        }
    )
    reported = reported_set("staff", ["fund_fen"], table, [202601], {"H33030200001": 202601})
    parts = list(statement_payloads(reported, changed_slots(reported, {}, CUSTODY), ledger_size=1))
    batches = [statement_pb2.StatementBatch.FromString(part.payload) for part in parts]
    assert [(batch.slots[0].part, batch.slots[0].parts) for batch in batches] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    assert {batch.slots[0].rows for batch in batches} == {count}
    sizes = [pa.ipc.open_stream(batch.rows_ipc).read_all().num_rows for batch in batches]
    assert sizes == [2, 2, 1]
    assert [bool(part.marks) for part in parts] == [False, False, True]


def test_records_of_institutions_outside_the_custody_stay_here() -> None:
    changed = changed_slots(report(), {}, {"H33030200002"})
    assert {slot.institution for slot in changed} == {"H33030200002"}


def test_a_slot_to_be_stated_again_gets_its_next_version() -> None:
    marks = {key: unstated(mark) for key, mark in marks_of(report(), {}).items()}
    again = changed_slots(report(), marks, CUSTODY)
    assert [slot.version for slot in again] == [2, 2, 2, 2]
