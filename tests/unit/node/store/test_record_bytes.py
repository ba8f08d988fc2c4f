"""The canonical bytes of records: the fast way against the plain one, and what they tell apart."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from node.domain.records import record_schemas
from node.errors import StoreError
from node.store import record_bytes
from node.store.record_bytes import (
    canonical_bytes,
    key_digests,
    leaf_content,
    leaf_contents,
    row_digests,
    value_digests,
)
from scoring_kernel import load_catalog

SECRET = bytes(range(32))
SCHEMA = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("month", pa.int32(), nullable=False),
        pa.field("at", pa.timestamp("s")),
        pa.field("amount_fen", pa.int64()),
        pa.field("sign", pa.int8()),
        pa.field("is_rx", pa.bool_()),
        pa.field("note", pa.string()),
    ]
)
ROW: dict[str, Any] = {
    "record_id": "a",
    "month": 202607,
    "at": datetime(2026, 7, 1, 12, 30),  # noqa: DTZ001 - wall clock, as records keep it
    "amount_fen": -1,
    "sign": -1,
    "is_rx": True,
    "note": "医院",
}


def table(rows: Sequence[dict[str, Any]], schema: pa.Schema = SCHEMA) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def plain(rows: Sequence[dict[str, Any]], schema: pa.Schema = SCHEMA) -> list[bytes]:
    return [hashlib.sha256(canonical_bytes(row, schema)).digest() for row in rows]


def fast(found: pa.Table) -> list[bytes]:
    """Digests by columns, which are those of the way for a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_bytes, "_FEW_ROWS", 1_000)
        few = row_digests(found)
        patch.setattr(record_bytes, "_FEW_ROWS", -1)
        many = row_digests(found)
    assert (few == many).all()
    return [row.tobytes() for row in many]


def test_a_row_has_the_documented_bytes() -> None:
    present = [f"\0{field.name}\0{field.type}" for field in SCHEMA]
    shape = hashlib.sha256(b"yixin/row/v1" + "".join(present).encode()).digest()[:16]
    numbers = (202607).to_bytes(4, "little") + (1_782_909_000).to_bytes(8, "little")
    expected = (
        shape
        + numbers
        + b"\xff" * 8
        + b"\xff"
        + b"\x01"
        + b"\xffa"
        + b"\xff\xe5\x8c\xbb\xe9\x99\xa2"
    )
    assert canonical_bytes(ROW, SCHEMA) == expected
    assert fast(table([ROW])) == [hashlib.sha256(expected).digest()]


@pytest.mark.parametrize("missing", [name for name in ROW if name not in {"record_id", "month"}])
def test_null_differs_from_empty_and_from_zero(missing: str) -> None:
    nothing = {"at": datetime(1970, 1, 1), "amount_fen": 0, "sign": 0, "is_rx": False, "note": ""}  # noqa: DTZ001 - wall clock
    rows: list[dict[str, Any]] = [ROW, ROW | {missing: None}, ROW | {missing: nothing[missing]}]
    assert fast(table(rows)) == plain(rows)
    assert len(set(plain(rows))) == 3


def test_bytes_do_not_move_between_neighbouring_texts() -> None:
    schema = pa.schema([("a", pa.string()), ("b", pa.string()), ("c", pa.string())])
    rows: list[dict[str, Any]] = [
        {"a": "xy", "b": "", "c": "z"},
        {"a": "x", "b": "y", "c": "z"},
        {"a": "", "b": "xy", "c": "z"},
        {"a": "xy", "b": None, "c": "z"},
        {"a": None, "b": "xy", "c": "z"},
        {"a": None, "b": None, "c": None},
    ]
    assert len(set(plain(rows, schema))) == len(rows)
    assert fast(table(rows, schema)) == plain(rows, schema)


def test_a_column_of_a_later_catalogue_changes_no_digest() -> None:
    later = pa.schema([*list(SCHEMA)[:3], pa.field("new", pa.int64()), *list(SCHEMA)[3:]])
    assert fast(table([ROW], later)) == fast(table([ROW]))
    assert fast(table([ROW | {"new": 0}], later)) != fast(table([ROW]))


def test_the_same_values_under_other_names_or_types_differ() -> None:
    tables = [
        pa.table({"a": pa.array([1], pa.int64())}),
        pa.table({"b": pa.array([1], pa.int64())}),
        pa.table({"a": pa.array([1], pa.timestamp("s"))}),
        pa.table({"ab": pa.array([1], pa.int64())}),
    ]
    assert len({fast(one)[0] for one in tables}) == len(tables)


def test_slices_chunks_and_sizes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = [
        ROW | {"record_id": f"r{number}", "note": None if number % 3 else "n" * number}
        for number in range(200)
    ]
    whole = table(rows)
    chunked = pa.concat_tables([table(rows[:50]), table(rows[50:])])
    assert fast(chunked) == plain(rows)
    assert fast(whole.slice(17, 60)) == plain(rows[17:77])
    assert fast(whole.slice(0, 0)) == []
    monkeypatch.setattr(record_bytes, "_SLICE_ROWS", 64)
    monkeypatch.setattr(record_bytes, "_SLICE_BYTES", 500)
    assert fast(chunked) == plain(rows)


def test_every_kind_of_the_catalogue_is_hashed_as_the_plain_way_does() -> None:
    for schema in record_schemas(load_catalog().records).values():
        full = {field.name: _value(field) for field in schema}
        rows = [full] + [full | {field.name: None} for field in schema if field.nullable]
        assert fast(table(rows, schema)) == plain(rows, schema)
        assert len(set(plain(rows, schema))) == len(rows)


@pytest.mark.parametrize("few", [-1, 8])
def test_a_text_that_is_not_utf8_is_refused(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_bytes, "_FEW_ROWS", few)
    broken = pa.array([b"a\xff"], pa.binary()).view(pa.string())
    with pytest.raises(StoreError, match="note holds a text that is not UTF-8"):
        row_digests(pa.table({"note": broken}))


def test_moments_that_no_calendar_has_are_hashed_all_the_same() -> None:
    seconds = pa.array([-(2**62), 2**62], pa.int64())
    found = fast(pa.table({"at": seconds.cast(pa.timestamp("s"))}))
    schema = pa.schema([("at", pa.timestamp("s"))])
    assert found == plain([{"at": -(2**62)}, {"at": 2**62}], schema)


@pytest.mark.parametrize("few", [-1, 8])
def test_a_column_of_another_type_is_refused(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_bytes, "_FEW_ROWS", few)
    with pytest.raises(StoreError, match="share is of type double, expected one of string, bool"):
        row_digests(pa.table({"share": pa.array([0.5])}))
    with pytest.raises(StoreError, match="amount_fen holds a value of type str, expected int64"):
        canonical_bytes({"amount_fen": "1"}, SCHEMA)
    with pytest.raises(StoreError, match="note holds a value of type int, expected string"):
        canonical_bytes({"note": 1}, SCHEMA)


def test_a_leaf_tells_values_and_id_apart() -> None:
    rows: list[dict[str, Any]] = [ROW, ROW | {"record_id": "b医"}, ROW | {"amount_fen": 7}]
    found = table(rows)
    digests = value_digests(found)
    assert (digests[0] == digests[1]).all()
    assert (digests[0] != digests[2]).any()
    contents = leaf_contents(digests, found).to_pylist()
    assert contents == [leaf_content(row, SCHEMA) for row in rows]
    assert len(set(contents)) == len(rows)
    without_id = {name: value for name, value in ROW.items() if name != "record_id"}
    values = hashlib.sha256(canonical_bytes(without_id, SCHEMA)).digest()
    assert contents[1] == values + "b医".encode()
    with pytest.raises(StoreError, match="the record has no record_id"):
        leaf_content(without_id, SCHEMA)


def test_keys_are_keyed_hashes_of_their_columns_in_their_order() -> None:
    rows = [ROW, ROW | {"record_id": "b"}]
    found = key_digests(table(rows), ["record_id", "month"], SECRET)
    key_schema = pa.schema([SCHEMA.field("record_id"), SCHEMA.field("month")])
    for row, digest in zip(rows, found, strict=True):
        plain = canonical_bytes({name: row[name] for name in key_schema.names}, key_schema)
        keyed = hashlib.blake2b(plain, digest_size=16, key=SECRET)
        assert digest.astype("<u8").tobytes() == keyed.digest()
    assert (key_digests(table(rows), ["month", "record_id"], SECRET) != found).any()
    assert (key_digests(table(rows), ["record_id", "month"], bytes(32)) != found).any()
    assert key_digests(table([]), ["record_id"], SECRET).shape == (0, 2)


def test_a_key_does_not_depend_on_other_columns() -> None:
    other = ROW | {"note": None, "amount_fen": 7}
    found = key_digests(table([ROW, other]), ["record_id", "month"], SECRET)
    assert (found[0] == found[1]).all()


def test_every_kind_of_the_catalogue_has_leaves() -> None:
    for schema in record_schemas(load_catalog().records).values():
        rows = [{field.name: _value(field) for field in schema}]
        found = table(rows, schema)
        contents = leaf_contents(value_digests(found), found).to_pylist()
        assert contents == [leaf_content(row, schema) for row in rows]


def _value(field: pa.Field) -> object:
    if pa.types.is_string(field.type):
        return field.name
    if pa.types.is_timestamp(field.type):
        return datetime(1969, 12, 31, 23, 59, 59)  # noqa: DTZ001 - wall clock
    return True if pa.types.is_boolean(field.type) else -5
