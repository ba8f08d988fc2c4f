from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import StatementError
from hub.intake.decoding import decode_batch
from hub.intake.rows import MAX_BATCHES, MAX_IPC_BYTES, read_rows, rows_schema
from protos.yixin.v1 import statement_pb2
from scoring_kernel import load_catalog
from tests.support.hub_city import FIRST, MEASURES, SECOND, Slot, batch, ipc

SETS = load_catalog().measure_sets
SCHEMA = rows_schema(MEASURES)


def table(rows: int = 2, **columns: pa.Array) -> pa.Table:
    parts = {
        "institution": pa.array([FIRST] * rows),
        "month": pa.array([202601] * rows, pa.int32()),
        "subject": pa.array([FIRST] * rows),
        **{name: pa.array([1] * rows, pa.int64()) for name in MEASURES},
    }
    return pa.table(parts | columns)


def test_rows_are_read_with_measures_in_any_order() -> None:
    mixed = table().select(["institution", "month", "subject", *sorted(MEASURES)])

    assert read_rows(ipc(mixed), SCHEMA).column_names == SCHEMA.names


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_rows_are_refused_before_they_grow(codec: str) -> None:
    bomb = table(rows=100_000)
    data = ipc(bomb, pa.ipc.IpcWriteOptions(compression=codec))
    assert len(data) < MAX_IPC_BYTES

    with pytest.raises(StatementError, match="compressed"):
        read_rows(data, SCHEMA)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not arrow",
        ipc(table())[:40],
        ipc(table())[:-30],
        ipc(table().drop_columns(["fund_fen"])),
        ipc(table(fund_fen=pa.array([1.0, 2.0]))),
        ipc(table(institution=pa.array([FIRST, FIRST]).dictionary_encode())),
        ipc(table(fund_fen=pa.array([1, None], pa.int64()))),
        ipc(table().append_column("extra", pa.array([1, 2]))),
        ipc(pa.concat_tables([table(1)] * (MAX_BATCHES + 1))),
        bytes(MAX_IPC_BYTES + 1),
    ],
)
def test_rows_of_another_shape_are_refused(data: bytes) -> None:
    with pytest.raises(StatementError):
        read_rows(data, SCHEMA)


@given(st.binary(max_size=300), st.integers(0, 600), st.integers(0, 255))
def test_any_bytes_are_rows_or_our_error(noise: bytes, at: int, value: int) -> None:
    changed = bytearray(ipc(table()))
    changed[at % len(changed)] = value
    for data in (noise, bytes(changed)):
        try:
            read_rows(data, SCHEMA)
        except StatementError:
            continue


@given(st.binary(max_size=400))
def test_any_payload_is_a_batch_or_our_error(payload: bytes) -> None:
    try:
        decode_batch(payload, SETS)
    except StatementError:
        return


def test_a_sound_batch_gives_its_slots_and_its_rows_as_received() -> None:
    payload = batch(Slot(version=3, value=7), Slot(institution=SECOND, empty=True))

    decoded = decode_batch(payload, SETS)

    assert decoded.faults == ()
    assert [(slot.institution, slot.version, slot.rows) for slot in decoded.slots] == [
        (FIRST, 3, 1),
        (SECOND, 1, 0),
    ]
    assert decoded.rows_ipc == statement_pb2.StatementBatch.FromString(payload).rows_ipc


@pytest.mark.parametrize(
    ("slot", "rule"),
    [
        (Slot(institution="H1"), "institution"),
        (Slot(month=202613), "month"),
        (Slot(month=199912), "month"),
        (Slot(version=0), "shape"),
        (Slot(version=2**63), "shape"),
        (Slot(part=2, parts=1), "shape"),
        (Slot(part=0), "shape"),
        (Slot(parts=2000), "shape"),
        (Slot(digest=b"short"), "shape"),
        (Slot(rows=2), "rows"),
        (Slot(subject=SECOND), "rows"),
        (Slot(value=10**13 + 1), "rows"),
        (Slot(value=-(10**13) - 1), "rows"),
        (Slot(digest=bytes(32)), "digest"),
    ],
)
def test_a_broken_slot_is_refused_and_the_rest_goes_in(slot: Slot, rule: str) -> None:
    decoded = decode_batch(batch(slot, Slot(institution=SECOND)), SETS)

    assert [fault.rule for fault in decoded.faults] == [rule]
    assert decoded.faults[0].mend
    assert [sound.institution for sound in decoded.slots] == [SECOND]


def test_a_slot_stated_twice_in_one_batch_is_refused_both_times() -> None:
    decoded = decode_batch(batch(Slot(version=1), Slot(version=2)), SETS)

    assert [fault.rule for fault in decoded.faults] == ["slot_twice", "slot_twice"]


def test_a_slot_of_another_measure_set_than_its_batch_is_refused() -> None:
    message = statement_pb2.StatementBatch.FromString(batch(Slot()))
    message.slots[0].measure_set = "inpatient"

    assert [fault.rule for fault in decode_batch(message.SerializeToString(), SETS).faults] == [
        "shape"
    ]


def test_rows_of_a_slot_that_is_not_stated_refuse_the_batch() -> None:
    message = statement_pb2.StatementBatch.FromString(batch(Slot(), Slot(institution=SECOND)))
    del message.slots[1]

    with pytest.raises(StatementError, match="does not state"):
        decode_batch(message.SerializeToString(), SETS)


def test_values_at_the_bound_go_in() -> None:
    decoded = decode_batch(batch(Slot(value=10**13)), SETS)

    assert decoded.faults == ()


def staff_batch(*slots: Slot) -> bytes:
    names = tuple(measure.id for measure in SETS["physician"].measures)
    return batch(*slots, measure_set="physician", names=names)


def test_rows_of_a_staff_measure_set_name_staff_of_the_slot() -> None:
    decoded = decode_batch(staff_batch(Slot(subject="D330302000101")), SETS)

    assert decoded.faults == ()


@pytest.mark.parametrize("subject", [FIRST, "D33030200010", "R0123456789abcdef0123456789abcdef"])
def test_rows_of_a_staff_measure_set_name_nobody_else(subject: str) -> None:
    decoded = decode_batch(staff_batch(Slot(subject=subject)), SETS)

    assert [fault.rule for fault in decoded.faults] == ["rows"]


@pytest.mark.parametrize(("measure_set", "rules"), [("settlement", []), ("interface", ["rows"])])
def test_a_net_sum_may_be_negative_and_a_count_may_not(measure_set: str, rules: list[str]) -> None:
    names = tuple(measure.id for measure in SETS[measure_set].measures)
    payload = batch(Slot(value=-1), measure_set=measure_set, names=names)

    assert [fault.rule for fault in decode_batch(payload, SETS).faults] == rules
