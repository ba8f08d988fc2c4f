"""Restore (恢复) a node from a snapshot into an empty directory.

The order of work:
0. Open the manifest with the passphrase, and refuse paths that lead out of the directory.
1. Write every file beside the target, each compared with its SHA-256.
2. Open what was written as a node would: databases whole, every segment and every leaf there.
3. Note that the node was restored: its next synchronisation opens a new incarnation of every
   lane, which names the last receipt the hub gave for the old one.
4. Rename into place. A restore that is cut off leaves nothing under the target's name.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from node.backup.manifest import FileEntry, Manifest, read_manifest, snapshots
from node.backup.objects import Objects
from node.backup.state import read_state
from node.backup.taking import DATABASES, opened_pieces
from node.errors import BackupError
from node.store.database import open_database
from node.store.restored import note_restored
from node.store.transactions import transaction
from security.at_rest import Vault
from security.private_files import sync_directory
from security.progress import ProgressReporter, no_progress

__all__ = ["RestoreReport", "restore_backup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What a restore brought back."""

    snapshot: str
    created_at: str
    files: int
    bytes: int
    records: int
    messages: int
    tree_size: int
    receipts: tuple[str, ...]
    """Last receipt of every lane that the snapshot knows."""


def restore_backup(
    location: Path,
    home: Path,
    passphrase: str,
    *,
    now: datetime,
    snapshot: str = "",
    progress: ProgressReporter = no_progress,
) -> RestoreReport:
    """Restore a node.

    Args:
        location: Directory of the backup.
        home: Directory of the node; it is not there yet, or empty.
        passphrase: The passphrase the backup was made with.
        now: The time, UTC-aware.
        snapshot: Name of the snapshot; the newest when empty.
        progress: Told bytes.

    Raises:
        BackupError: Nothing to restore, the passphrase or a piece is wrong, or the target holds
            something; nothing is left in the target.
    """
    if home.exists() and any(home.iterdir()):
        raise BackupError(
            f"{home} is not empty; nothing was changed. Name a new directory with --dir"
        )
    found = snapshots(location)
    if not found:
        raise BackupError(f"{location} holds no snapshot; check the directory")
    manifest, vault = read_manifest(location, snapshot or found[-1], passphrase)
    for entry in manifest.files:
        _refuse_outside(entry)
    home.parent.mkdir(parents=True, exist_ok=True)
    work = home.with_name(f".{home.name}.restoring-{os.getpid()}")
    try:
        _write(location, vault, manifest, work, progress)
        _check(work, manifest)
        database = open_database(work)
        try:
            with transaction(database.conn):
                note_restored(
                    database.conn,
                    snapshot=manifest.name,
                    restored_at=now.isoformat(timespec="seconds"),
                    receipts=manifest.receipts,
                )
            database.conn.execute("pragma wal_checkpoint(truncate)")
        finally:
            database.close()
        if home.exists():
            home.rmdir()
        work.rename(home)
        sync_directory(home.parent)
    except OSError as error:
        raise BackupError(
            f"the node cannot be restored to {home} ({error.strerror}); check the disk's free "
            f"space: {manifest.bytes} bytes are needed"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return RestoreReport(
        snapshot=manifest.name,
        created_at=manifest.created_at,
        files=len(manifest.files),
        bytes=manifest.bytes,
        records=sum(manifest.records.values()),
        messages=manifest.messages,
        tree_size=manifest.tree_size,
        receipts=manifest.receipts,
    )


def _write(
    location: Path, vault: Vault, manifest: Manifest, work: Path, progress: ProgressReporter
) -> None:
    objects, done = Objects(location), 0
    work.mkdir(mode=0o700)
    directories = {work}
    for entry in manifest.files:
        target = work / entry.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directories.add(target.parent)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in opened_pieces(objects, vault, manifest.name, entry):
                file.write(piece)
                done += len(piece)
                progress("restore", done, manifest.bytes, "bytes")
            file.flush()
            os.fsync(file.fileno())
    for directory in directories:
        sync_directory(directory)


def _check(work: Path, manifest: Manifest) -> None:
    """Open the restored databases and compare what they say with the manifest."""
    for name in DATABASES:
        path = work / name
        if not path.exists():
            continue
        with closing(sqlite3.connect(path)) as connection:
            damage = connection.execute("pragma integrity_check").fetchone()[0]
        if damage != "ok":
            raise BackupError(f"{name} of snapshot {manifest.name} is damaged ({damage})")
    state = read_state(work, work)
    written = {entry.path: entry for entry in manifest.files}
    for one in state.files:
        entry = written.get(one.path)
        if (
            entry is None
            or entry.bytes < (one.bytes or 0)
            or (one.sha256 not in {"", entry.sha256})
        ):
            raise BackupError(
                f"snapshot {manifest.name} lacks {one.path}, which its ledger names; restore an "
                "earlier snapshot"
            )
    said = (state.tree_size, state.tree_root, dict(state.records))
    if said != (manifest.tree_size, manifest.tree_root, dict(manifest.records)):
        raise BackupError(
            f"the ledger of snapshot {manifest.name} does not hold what its manifest says; restore "
            "an earlier snapshot"
        )


def _refuse_outside(entry: FileEntry) -> None:
    path = PurePosixPath(entry.path)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BackupError(f"{entry.path[:120]!r} leads out of the node's directory")
