"""Backups: whole, sealed, incremental; every damage is found before anything is restored."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

import security.at_rest.passphrase
from node.backup.manifest import read_manifest, snapshots
from node.backup.restoring import restore_backup
from node.backup.taking import take_backup, verify_snapshot
from node.errors import BackupError
from node.store import NodeStore
from security.at_rest import Vault
from security.private_files import write_private
from tests.support import node_messages as m

PASSPHRASE: Final = "correct horse battery staple"  # noqa: S105  # Protects copies of this test only.
NOW: Final = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security.at_rest.passphrase, "_LOG2_COST", 14)


def _fees(number: int) -> m.Document:
    """Two lines of a visit of their own."""
    document = m.fees(number, lines=2)
    for line in document["request"]["input"]["feedetail"]:
        line["mdtrt_id"] = f"330302G000000010000{number}"
    return document


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node with records in segments and staged, a setting file and a key of its own."""
    directory = tmp_path / "node"
    with m.open_store(directory) as store:
        write_private(directory / "node.key", m.VAULT_KEY)
        write_private(directory / "node.toml", b"[sync]\ninterval_s = 60\n")
        m.ingest_documents(store, tmp_path / "a.jsonl", [_fees(n) for n in (1, 2, 3)])
        store.flush()
        m.ingest_documents(store, tmp_path / "b.jsonl", [_fees(4)])
    return directory


@pytest.fixture
def location(home: Path, tmp_path: Path) -> Iterator[Path]:
    """A location with one snapshot."""
    place = tmp_path / "copies"
    take_backup(home, place, PASSPHRASE, now=NOW)
    yield place
    assert not list(home.glob(".backup-*"))


def _digest(home: Path) -> str:
    with NodeStore(home, Vault.load(home / "node.key")) as store:
        return store.digest()


def _objects(location: Path) -> list[Path]:
    return sorted((location / "objects").glob("*/*"))


def test_a_restored_node_holds_the_same(home: Path, location: Path, tmp_path: Path) -> None:
    report = restore_backup(location, tmp_path / "new", PASSPHRASE, now=NOW)
    assert report.records == 8
    assert report.messages == 4
    assert report.tree_size == 8
    assert _digest(tmp_path / "new") == _digest(home)
    assert (tmp_path / "new" / "node.toml").read_bytes() == b"[sync]\ninterval_s = 60\n"
    modes = {
        path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*") if path.is_file()
    }
    assert modes <= {0o600}
    with NodeStore(tmp_path / "new", Vault.load(home / "node.key")) as store:
        restored = store.restored()
    assert restored is not None
    assert restored.snapshot == report.snapshot
    assert not restored.chains_opened


def test_a_second_backup_adds_what_is_new_only(home: Path, location: Path, tmp_path: Path) -> None:
    before = {path.name for path in _objects(location)}
    segments = {path.name for path in (home / "records").iterdir()}
    with m.open_store(home) as store:
        m.ingest_documents(store, tmp_path / "c.jsonl", [_fees(5)])
        store.flush()
    report = take_backup(home, location, PASSPHRASE, now=NOW + timedelta(hours=1))
    manifest, _ = read_manifest(location, report.snapshot, PASSPHRASE)
    kept = [one for one in manifest.files if Path(one.path).name in segments]
    assert kept
    assert {piece for one in kept for piece in one.pieces} <= before
    assert report.records == 10
    assert len(snapshots(location)) == 2


def test_old_snapshots_go_and_the_newest_stays_whole(home: Path, location: Path) -> None:
    for hour in (1, 2):
        take_backup(home, location, PASSPHRASE, now=NOW + timedelta(hours=hour), keep=1)
    (name,) = snapshots(location)
    manifest = verify_snapshot(location, name, PASSPHRASE)
    needed = {piece for entry in manifest.files for piece in entry.pieces}
    assert {path.name for path in _objects(location)} == needed


def test_two_backups_in_one_second_have_two_names(home: Path, location: Path) -> None:
    take_backup(home, location, PASSPHRASE, now=NOW)
    assert len(snapshots(location)) == 2


def test_nothing_personal_and_no_key_lies_in_the_copy_in_clear(location: Path) -> None:
    files = [path.read_bytes() for path in location.rglob("*") if path.is_file()]
    for secret in (m.VAULT_KEY, m.PERSON.encode(), m.CARD.encode(), m.HOSPITAL.encode()):
        assert not any(secret in content for content in files)


@pytest.mark.parametrize("damage", ["changed", "missing", "truncated"])
def test_a_damaged_piece_is_found_and_nothing_is_restored(
    location: Path, tmp_path: Path, damage: str
) -> None:
    (name,) = snapshots(location)
    for path in _objects(location):
        content = path.read_bytes()
        if damage == "missing":
            path.unlink()
        elif damage == "truncated":
            path.write_bytes(content[:-1])
        else:
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(BackupError, match="piece"):
            verify_snapshot(location, name, PASSPHRASE)
        with pytest.raises(BackupError, match="piece"):
            restore_backup(location, tmp_path / "new", PASSPHRASE, now=NOW)
        path.write_bytes(content)
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".new.restoring*"))
    assert verify_snapshot(location, name, PASSPHRASE).name == name


def test_a_piece_in_the_place_of_another_is_found(location: Path, tmp_path: Path) -> None:
    (name,) = snapshots(location)
    first, second = _objects(location)[:2]
    first_content, second_content = first.read_bytes(), second.read_bytes()
    first.write_bytes(second_content)
    second.write_bytes(first_content)
    with pytest.raises(BackupError, match="SHA-256"):
        restore_backup(location, tmp_path / "new", PASSPHRASE, now=NOW, snapshot=name)


def test_another_passphrase_or_a_changed_manifest_opens_nothing(
    location: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="passphrase"):
        restore_backup(location, tmp_path / "new", PASSPHRASE + "!", now=NOW)
    (path,) = (location / "snapshots").iterdir()
    content = path.read_bytes()
    for at in (0, 8, 9, 30, len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(BackupError):
            restore_backup(location, tmp_path / "new", PASSPHRASE, now=NOW)
    path.write_bytes(content[:20])
    with pytest.raises(BackupError, match="no snapshot of a node"):
        restore_backup(location, tmp_path / "new", PASSPHRASE, now=NOW)


def test_a_mistyped_passphrase_makes_no_snapshot(home: Path, location: Path) -> None:
    before = sorted(path.name for path in location.rglob("*"))
    with pytest.raises(BackupError, match="one passphrase"):
        take_backup(home, location, PASSPHRASE + "e", now=NOW + timedelta(hours=1), keep=1)
    assert sorted(path.name for path in location.rglob("*")) == before


def test_a_short_passphrase_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="at least 12"):
        take_backup(home, tmp_path / "copies", "short", now=NOW)
    assert not (tmp_path / "copies").exists()


def test_a_location_belongs_to_one_node(home: Path, location: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(home, other)
    (other / "node.key").unlink()
    write_private(other / "node.key", bytes(32))
    with pytest.raises(BackupError, match="another node"):
        take_backup(other, location, PASSPHRASE, now=NOW)
    with pytest.raises(BackupError, match="lie in each other"):
        take_backup(home, home / "copies", PASSPHRASE, now=NOW)
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("x", encoding="utf-8")
    with pytest.raises(BackupError, match="not empty"):
        take_backup(home, full, PASSPHRASE, now=NOW)


def test_a_directory_that_holds_something_is_not_restored_into(
    home: Path, location: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(location, home, PASSPHRASE, now=NOW)
    with pytest.raises(BackupError, match="no snapshot"):
        restore_backup(tmp_path / "nothing", tmp_path / "new", PASSPHRASE, now=NOW)
    with pytest.raises(BackupError, match="no snapshot"):
        restore_backup(location, tmp_path / "new", PASSPHRASE, now=NOW, snapshot="../x")


def test_a_damaged_node_is_told_instead_of_copied(home: Path, tmp_path: Path) -> None:
    segment = next((home / "records").iterdir())
    content = segment.read_bytes()
    segment.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BackupError, match="SHA-256 differs"):
        take_backup(home, tmp_path / "copies", PASSPHRASE, now=NOW)
    segment.unlink()
    with pytest.raises(BackupError, match="not there"):
        take_backup(home, tmp_path / "copies", PASSPHRASE, now=NOW)
    assert snapshots(tmp_path / "copies") == ()


def test_a_backup_beside_a_writer_is_one_moment(home: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(home / "node.db", isolation_level=None)
    try:
        writer.execute("begin immediate")
        writer.execute("insert into setting values('half', 'done')")
        take_backup(home, tmp_path / "copies", PASSPHRASE, now=NOW)
        writer.execute("rollback")
    finally:
        writer.close()
    restore_backup(tmp_path / "copies", tmp_path / "new", PASSPHRASE, now=NOW)
    with NodeStore(tmp_path / "new", Vault.load(home / "node.key")) as store:
        assert store.setting("half") is None
