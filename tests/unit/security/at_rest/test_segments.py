from __future__ import annotations

import base64
import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from security.at_rest import Vault
from security.at_rest.kms import SegmentKeys
from security.at_rest.segments import Segment, SegmentStore
from security.errors import SegmentTamperedError

if TYPE_CHECKING:
    from pathlib import Path

VAULT = Vault(bytes(32))


def table(*, first: int = 0, rows: int = 100) -> pa.Table:
    return pa.table(
        {
            "record_id": [f"record-{number}" for number in range(first, first + rows)],
            "amount_fen": list(range(first, first + rows)),
        }
    )


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "records"


def reopened(records: Path) -> SegmentStore:
    """The store as a new process sees it: no key and no digest is remembered."""
    return SegmentStore(records, VAULT)


def test_a_segment_reads_back_in_another_process(records: Path) -> None:
    segment = SegmentStore(records, VAULT).write(table(), "fee_detail-202601-1")
    assert (segment.name, segment.rows) == ("fee_detail-202601-1", 100)
    path = records / "fee_detail-202601-1.parquet"
    assert segment.bytes == path.stat().st_size
    assert reopened(records).read(segment).equals(table())


def test_the_file_is_private_encrypted_and_alone(records: Path) -> None:
    SegmentStore(records, VAULT).write(table(), "a")
    assert [path.name for path in records.iterdir()] == ["a.parquet"]
    assert stat.S_IMODE((records / "a.parquet").stat().st_mode) == 0o600
    assert stat.S_IMODE(records.stat().st_mode) == 0o700
    content = (records / "a.parquet").read_bytes()
    assert content[:4] == content[-4:] == b"PARE"
    assert b"record-1" not in content
    assert b"amount_fen" not in content
    with pytest.raises((OSError, pa.ArrowInvalid)):
        pq.read_table(records / "a.parquet")


def test_duckdb_reads_many_segments_as_one_relation(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    segments = [store.write(table(first=100 * at), f"s{at}") for at in range(3)]
    connection = duckdb.connect()
    connection.register("records", reopened(records).dataset(segments))
    found = connection.execute("select count(*), sum(amount_fen) from records").fetchone()
    assert found == (300, sum(range(300)))


def test_no_segments_are_an_empty_relation_of_the_given_schema(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    assert store.dataset([], table().schema).to_table().equals(table().schema.empty_table())
    with pytest.raises(ValueError, match="needs a schema"):
        store.dataset([])


def test_an_empty_segment_and_a_wider_schema_read(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    segments = [store.write(table(rows=0), "empty"), store.write(table(rows=2), "two")]
    wider = table().schema.append(pa.field("sign", pa.int8()))
    assert store.dataset(segments, wider).to_table().column("sign").to_pylist() == [None, None]


def test_swapped_segment_files_are_refused(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    one, two = store.write(table(), "one"), store.write(table(first=7), "two")
    shutil.move(records / "one.parquet", records / "x")
    shutil.move(records / "two.parquet", records / "one.parquet")
    shutil.move(records / "x", records / "two.parquet")
    for reader in (store, reopened(records)):
        for segment in (one, two):
            with pytest.raises(SegmentTamperedError, match=r"SHA-256 differs.*backup"):
                reader.read(segment)


def test_a_swap_after_a_first_reading_is_noticed(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    segment = store.write(table(), "one")
    store.write(table(first=7), "two")
    assert store.read(segment).num_rows == 100
    shutil.copy(records / "two.parquet", records / "one.parquet")
    with pytest.raises(SegmentTamperedError):
        store.dataset([segment])


def test_a_flipped_bit_in_any_region_is_refused(records: Path) -> None:
    segment = SegmentStore(records, VAULT).write(table(), "one")
    content = (records / "one.parquet").read_bytes()
    for at in range(0, len(content), max(1, len(content) // 40)):
        changed = bytearray(content)
        changed[at] ^= 1
        (records / "one.parquet").write_bytes(changed)
        with pytest.raises(SegmentTamperedError):
            reopened(records).read(segment)


def test_a_truncated_or_missing_file_is_refused(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    segment = store.write(table(), "one")
    path = records / "one.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SegmentTamperedError, match="SHA-256 differs"):
        store.read(segment)
    path.unlink()
    with pytest.raises(SegmentTamperedError, match=r"is missing \(No such file"):
        store.read(segment)


def test_wrapped_keys_of_two_rows_cannot_be_exchanged(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    one, two = store.write(table(), "one"), store.write(table(), "two")
    with pytest.raises(SegmentTamperedError, match="key of segment one"):
        reopened(records).read(replace(one, wrapped_key=two.wrapped_key))


def test_a_row_that_names_another_file_of_equal_digest_length_is_refused(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    one = store.write(table(), "one")
    store.write(table(first=7), "two")
    with pytest.raises(SegmentTamperedError, match="SHA-256 differs"):
        reopened(records).read(replace(one, name="two"))
    with pytest.raises(SegmentTamperedError, match="has no SHA-256"):
        reopened(records).read(replace(one, sha256=b""))


def test_a_copied_file_needs_the_key_its_own_name_stands_for(records: Path) -> None:
    # The row of "two" is forged to describe a copy of "one"; the file still names key "one".
    store = SegmentStore(records, VAULT)
    one, two = store.write(table(), "one"), store.write(table(first=7), "two")
    shutil.copy(records / "one.parquet", records / "two.parquet")
    forged = replace(two, sha256=one.sha256)
    with pytest.raises((SegmentTamperedError, OSError)):
        reopened(records).read(forged)


def test_another_vault_reads_nothing(records: Path) -> None:
    segment = SegmentStore(records, VAULT).write(table(), "one")
    with pytest.raises(SegmentTamperedError, match="sealed under another key"):
        SegmentStore(records, Vault(bytes([1]) * 32)).read(segment)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../a", "a b", "a" * 121, "a\n"])
def test_a_name_that_could_leave_the_directory_is_refused(records: Path, name: str) -> None:
    store = SegmentStore(records, VAULT)
    with pytest.raises(ValueError, match="is not a segment name"):
        store.write(table(), name)
    with pytest.raises(ValueError, match="is not a segment name"):
        store.read(Segment(name=name, rows=0, sha256=bytes(32), wrapped_key=b"", bytes=0))


def test_a_segment_is_never_overwritten(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    segment = store.write(table(), "one")
    with pytest.raises(ValueError, match="segments are never overwritten"):
        store.write(table(first=7), "one")
    assert store.read(segment).equals(table())


def test_a_failed_write_leaves_nothing_under_the_name(
    records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SegmentStore(records, VAULT)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(OSError, match="No space left"):
            store.write(table(), "one")
    assert list(records.iterdir()) == []
    assert store.read(store.write(table(), "one")).num_rows == 100


def test_leftovers_of_an_interrupted_flush_are_swept(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    kept = store.write(table(), "kept")
    store.write(table(), "orphan")
    (records / ".half.parquet.77.tmp").write_bytes(b"half")
    (records / "readme.txt").write_text("not ours")
    assert reopened(records).sweep(["kept", "erased"]) == (
        ".half.parquet.77.tmp",
        "orphan.parquet",
    )
    assert reopened(records).sweep(["kept"]) == ()
    assert sorted(path.name for path in records.iterdir()) == ["kept.parquet", "readme.txt"]
    assert reopened(records).read(kept).num_rows == 100


def test_an_erased_segment_is_gone_from_disk_and_memory(records: Path) -> None:
    store = SegmentStore(records, VAULT)
    segment = store.write(table(), "one")
    content = (records / "one.parquet").read_bytes()
    store.remove(["one"])
    store.remove(["one"])
    assert not list(records.iterdir())
    (records / "one.parquet").write_bytes(content)
    with pytest.raises(SegmentTamperedError, match="key of segment one"):
        store.read(replace(segment, wrapped_key=b""))


def test_a_data_key_inside_a_file_is_bound_to_its_segment() -> None:
    keys = SegmentKeys()
    keys.hold("one", bytes(32))
    keys.hold("two", bytes(32))
    wrapped = keys.wrap(b"data key", "one")
    assert keys.unwrap(wrapped, "one") == b"data key"
    flipped = base64.b64encode(bytes([base64.b64decode(wrapped)[0] ^ 1])).decode() + wrapped[2:]
    for damaged, name in ((wrapped, "two"), (flipped, "one"), ("", "one"), ("%", "one")):
        with pytest.raises(SegmentTamperedError, match="the data key inside segment"):
            keys.unwrap(damaged, name)
    with pytest.raises(SegmentTamperedError, match="names key 'three', not held here"):
        keys.unwrap(wrapped, "three")
