"""The index of keys finds what a dict would, wherever the entries lie and whatever was merged."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import StoreError
from node.store import key_runs
from node.store.key_runs import ENTRY, Entries, merge_runs, open_run, write_run
from node.store.keys import ABSENT, KEY_TABLES, KeyIndex
from node.store.transactions import transaction
from security.at_rest import DISK

Key = tuple[int, int]
keys = st.tuples(st.integers(0, 5), st.integers(0, 2))
"""Few first halves, so that many keys share one."""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    yield (made := _database(":memory:"))
    made.close()


def _database(path: str) -> sqlite3.Connection:
    made = sqlite3.connect(path, isolation_level=None)
    for statement in KEY_TABLES:
        made.execute(statement)
    return made


def _entries(held: dict[Key, int]) -> Entries:
    rows = [(hi, lo, value, 2 * value, value) for (hi, lo), value in sorted(held.items())]
    return np.array(rows, ENTRY)


def _numbers(seed: str, count: int) -> npt.NDArray[np.uint64]:
    return np.frombuffer(hashlib.shake_128(seed.encode()).digest(8 * count), np.uint64)


def _spread(count: int, first: int) -> Entries:
    entries = np.zeros(count, ENTRY)
    entries["hi"] = np.sort(_numbers(f"hi {first}", count))
    entries["lo"] = _numbers(f"lo {first}", count)
    entries["place"] = entries["value"] = entries["order"] = np.arange(first, first + count)
    return entries


def _commit(index: KeyIndex, connection: sqlite3.Connection, **batches: Entries) -> None:
    with transaction(connection):
        index.write(batches)
    index.adopt(batches)


def _find(index: KeyIndex, kind: str, wanted: list[Key]) -> list[tuple[int, int, int]]:
    hi, lo = np.array(wanted, np.uint64).reshape(-1, 2).T
    found = index.find(kind, hi, lo)
    return [(int(row["value"]), int(row["order"]), int(row["place"])) for row in found]


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.dictionaries(keys, st.integers(1, 99), min_size=1),
            st.sampled_from(("flush", "reopen", "drop")),
        ),
        max_size=12,
    )
)
def test_the_index_is_a_dict(steps: list[dict[Key, int] | str]) -> None:
    wanted = [(hi, lo) for hi in range(6) for lo in range(3)][::-1]
    model: dict[Key, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        connection = _database(":memory:")
        index = KeyIndex(connection, Path(folder) / "keys")
        for step in steps:
            if step == "flush":
                index.flush(1)
            elif step == "reopen":
                index = KeyIndex(connection, Path(folder) / "keys")
            elif step == "drop":
                odd = {key for key, value in model.items() if value % 2}
                assert index.drop("a", lambda entries: entries["place"] % 2 == 1) == len(odd)
                model = {key: value for key, value in model.items() if key not in odd}
            else:
                assert isinstance(step, dict)
                changed = {key: value for key, value in step.items() if model.get(key) != value}
                model |= changed
                _commit(index, connection, a=_entries(changed))
            expected = [
                (model[key], 2 * model[key], model[key]) if key in model else (0, 0, ABSENT)
                for key in wanted
            ]
            assert _find(index, "a", wanted) == expected
            assert _find(index, "b", wanted) == [(0, 0, ABSENT)] * len(wanted)
        files = {path.name for path in (Path(folder) / "keys").iterdir()}
        assert files == {row[0] for row in connection.execute("select name from key_run")}
        connection.close()


def test_many_keys_are_found_in_runs_of_many_windows(
    connection: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_runs, "_WINDOW", 4 * 1_024)
    index = KeyIndex(connection, tmp_path)
    parts = [_spread(20_000, 20_000 * turn) for turn in range(9)]
    for part in parts:
        _commit(index, connection, a=part)
        index.flush(1)
    assert connection.execute("select count(*) from key_run").fetchone() == (3,)
    held = np.concatenate(parts)
    for size in (1, 40, 3_000, len(held)):
        some = held[np.argsort(_numbers("turn", len(held)))[:size]]
        absent = _numbers("absent", 2 * size).reshape(2, -1)
        assert (index.find("a", some["hi"], some["lo"]) == some).all()
        assert (index.find("a", some["hi"], absent[0])["place"] == ABSENT).all()
        assert (index.find("a", absent[0], absent[1])["place"] == ABSENT).all()
    assert index.count("a") == len(held)
    assert len(index.find("a", held["hi"][:0], held["lo"][:0])) == 0


def test_merged_chunks_are_the_newest_of_equal_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_runs.KeyRun.chunks, "__defaults__", (7,))
    model: dict[Key, int] = {}
    runs = []
    for turn in range(4):
        drawn = (_numbers(f"drawn {turn}", 60) % 120).tolist()
        held = {(one // 3, one % 3): 100 * turn + row for row, one in enumerate(drawn)}
        model |= held
        part = iter([_entries(held)])
        runs.append(write_run(tmp_path / f"{turn}.run", DISK, part, len(held)))
    chunks = list(merge_runs(runs))
    assert (np.concatenate(chunks) == _entries(model)).all()
    assert max(map(len, chunks)) < 100


def test_small_kinds_stay_in_batches(connection: sqlite3.Connection, tmp_path: Path) -> None:
    index = KeyIndex(connection, tmp_path)
    _commit(index, connection, a=_entries({(1, 1): 1}), b=_entries({(1, 1): 2, (2, 1): 3}))
    assert index.flush(2) == 1
    assert index.pending() == 1
    assert _find(index, "a", [(1, 1)]) + _find(index, "b", [(2, 1)]) == [(1, 2, 1), (3, 6, 3)]


def test_what_a_transaction_did_not_keep_is_not_known(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    index = KeyIndex(connection, tmp_path)
    connection.execute("begin")
    index.write({"a": _entries({(1, 1): 1})})
    connection.execute("rollback")
    assert _find(index, "a", [(1, 1)]) == [(0, 0, ABSENT)]
    _commit(index, connection, a=_entries({(1, 1): 2}))
    assert _find(index, "a", [(1, 1)]) == [(2, 4, 2)]


def test_a_second_writer_is_noticed(connection: sqlite3.Connection, tmp_path: Path) -> None:
    first, second = (KeyIndex(connection, tmp_path) for _ in range(2))
    _commit(first, connection, a=_entries({(1, 1): 1}))
    with pytest.raises(StoreError, match="another process writes"):
        _commit(second, connection, a=_entries({(1, 1): 2}))
    second.refresh()
    assert _find(second, "a", [(1, 1)]) == [(1, 2, 1)]
    second.flush(1)
    with pytest.raises(StoreError, match="another process writes"):
        first.flush(1)


def test_leftovers_are_removed_and_a_changed_run_is_refused(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    index = KeyIndex(connection, tmp_path)
    _commit(index, connection, a=_entries({(1, 1): 1, (2, 1): 2}))
    index.flush(1)
    (kept,) = tmp_path.iterdir()
    for name in ("a-1.run", ".a-2.run.tmp"):
        (tmp_path / name).write_bytes(b"half")
    KeyIndex(connection, tmp_path)
    assert list(tmp_path.iterdir()) == [kept]
    content = bytearray(kept.read_bytes())
    for damaged in (content[:-1], bytes([content[0] ^ 1]) + content[1:], b""):
        kept.write_bytes(damaged)
        with pytest.raises(StoreError, match="not the file its row describes"):
            KeyIndex(connection, tmp_path)
    kept.unlink()
    with pytest.raises(StoreError, match="restore the node's directory"):
        KeyIndex(connection, tmp_path)


def test_a_failed_write_leaves_no_run(
    connection: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = KeyIndex(connection, tmp_path)
    _commit(index, connection, a=_entries({(1, 1): 1}))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("security.at_rest.file_layer.DiskFiles.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            index.flush(1)
    assert not list(tmp_path.iterdir())
    assert index.flush(1) == 1
    assert _find(index, "a", [(1, 1)]) == [(1, 2, 1)]


def test_an_opened_run_is_the_written_one(tmp_path: Path) -> None:
    part = _spread(5_000, 0)
    pieces = (part[at : at + 700] for at in range(0, 5_000, 700))
    written = write_run(tmp_path / "a.run", DISK, pieces, 9_000)
    opened = open_run(tmp_path / "a.run", count=5_000, room=9_000, sha256=written.sha256)
    assert (opened.fences == written.fences).all()
    assert (opened.fences == part["hi"][::1_024]).all()
