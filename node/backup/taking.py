"""Take a backup (备份) of a running node.

The order of work:
0. Copy the databases as of one moment each, the exchange's first: what the copy of the exchange
   says was sent is never more than what the copy of the ledger holds.
1. Copy the files that the copied ledger names. They are immutable and encrypted already, so a
   later backup of the same place adds only new ones. The tree's files only grow: their recorded
   part is copied.
2. Seal and copy everything else, the keys among it.
3. Write the manifest: with it the snapshot exists.
4. Read everything back from the location and compare.

A backup that is cut off leaves pieces that the next one uses or removes, and no snapshot.
"""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from node.backup.copier import Copier, FileGoneError
from node.backup.manifest import (
    FileEntry,
    Manifest,
    piece_context,
    read_manifest,
    snapshots,
    write_manifest,
)
from node.backup.objects import Objects
from node.backup.owner import claim_location
from node.backup.pruning import prune
from node.backup.state import NodeState, read_state
from node.errors import BackupError
from security.at_rest import Vault
from security.at_rest.passphrase import PassphraseSalt, passphrase_vault
from security.errors import VaultError
from security.progress import ProgressReporter, no_progress

__all__ = ["BackupReport", "take_backup", "verify_snapshot"]

DATABASES: Final = ("exchange.db", "node.db")
"""In the order of their copies."""
LEFT_OUT: Final = ("control.sock", "node.lock", "rules.lock")
_WORK_PREFIX: Final = ".backup-"
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What a backup did."""

    snapshot: str
    files: int
    bytes: int
    """Size of the node's files together."""
    added_bytes: int
    """Bytes the location grew by, before old snapshots were removed."""
    records: int
    tree_size: int
    verified: bool
    removed_snapshots: tuple[str, ...]


def take_backup(
    home: Path,
    location: Path,
    passphrase: str,
    *,
    now: datetime,
    keep: int = 0,
    progress: ProgressReporter = no_progress,
) -> BackupReport:
    """Back a node up; its daemon may run.

    Args:
        home: The node's directory.
        location: Directory of the backup, outside of the node's; made when it is not there.
        passphrase: Protects keys and databases; without it nothing can be restored.
        now: The time, UTC-aware; names the snapshot.
        keep: Remove all but this many newest snapshots afterwards; 0 keeps all.
        progress: Told bytes.

    Raises:
        BackupError: The location cannot be used, or what was written differs from the node.
    """
    _refuse_overlap(home, location)
    salt = PassphraseSalt.new()
    try:
        vault = passphrase_vault(passphrase, salt)
    except VaultError as error:
        raise BackupError(str(error)) from error
    name = _free_name(location, now)
    claim_location(home, location)
    _refuse_another_passphrase(location, passphrase)
    objects = Objects(location)
    objects.sweep()
    copier = Copier(objects=objects, vault=vault, snapshot=name, progress=progress)
    manifest = _copy_again(home, copier, name, now)
    write_manifest(location, manifest, salt, vault)
    verify_snapshot(location, name, passphrase, progress=progress)
    removed = prune(location, passphrase, keep) if keep else ()
    return BackupReport(
        snapshot=name,
        files=len(manifest.files),
        bytes=manifest.bytes,
        added_bytes=objects.added_bytes,
        records=sum(manifest.records.values()),
        tree_size=manifest.tree_size,
        verified=True,
        removed_snapshots=removed,
    )


def verify_snapshot(
    location: Path, name: str, passphrase: str, *, progress: ProgressReporter = no_progress
) -> Manifest:
    """Read every piece of a snapshot and compare each file with its SHA-256.

    Raises:
        BackupError: Something is missing or was changed.
    """
    manifest, vault = read_manifest(location, name, passphrase)
    objects, done = Objects(location), 0
    for entry in manifest.files:
        for piece in opened_pieces(objects, vault, name, entry):
            done += len(piece)
            progress("verify", done, manifest.bytes, "bytes")
    return manifest


def opened_pieces(
    objects: Objects, vault: Vault, snapshot: str, entry: FileEntry
) -> Iterator[bytes]:
    """Read a file out of a snapshot.

    Raises:
        BackupError: A piece is missing or was changed, or the whole is not the file.
    """
    digest, size = hashlib.sha256(), 0
    for index, piece in enumerate(entry.pieces):
        content = objects.get(piece)
        if entry.sealed:
            try:
                content = vault.open(content, piece_context(snapshot, entry.path, index))
            except VaultError as error:
                raise BackupError(f"{entry.path} of snapshot {snapshot}: {error}") from error
        digest.update(content)
        size += len(content)
        yield content
    if digest.hexdigest() != entry.sha256 or size != entry.bytes:
        raise BackupError(
            f"{entry.path} of snapshot {snapshot} is not the file that was backed up; restore an "
            "earlier snapshot"
        )


def _copy_again(home: Path, copier: Copier, name: str, now: datetime) -> Manifest:
    """Copy a node's files, anew when the node merged some of them away meanwhile."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(FileGoneError):
            return _copy(home, copier, name, now)
        copier.done = 0
    try:
        return _copy(home, copier, name, now)
    except FileGoneError as error:
        raise BackupError(
            f"{error} is named by the node's ledger and is not there, {_ATTEMPTS} times in a row; "
            "run the backup when less is taken in, and if this comes back restore the node from "
            "an earlier backup"
        ) from error


def _copy(home: Path, copier: Copier, name: str, now: datetime) -> Manifest:
    """Copy a node's files; returns what was copied."""
    with _work_directory(home) as work:
        for database in DATABASES:
            _copy_database(home / database, work / database)
        state = read_state(work, home)
        sealed = [(path, str(path.relative_to(home))) for path in _others(home, state)]
        sealed += [(path, path.name) for path in sorted(work.iterdir())]
        copier.total = sum(one.bytes or 0 for one in state.files)
        copier.total += sum(path.stat().st_size for path, _ in sealed)
        entries: list[FileEntry] = []
        entries += [copier.keep_named(home, one) for one in state.files]
        for path, relative in sealed:
            entries.append(copier.keep(path, relative, path.stat().st_size, sealed=True))
    return Manifest(
        name=name,
        created_at=now.isoformat(timespec="seconds"),
        institutions=state.institutions,
        messages=state.messages,
        records=dict(state.records),
        tree_size=state.tree_size,
        tree_root=state.tree_root,
        receipts=state.receipts,
        files=tuple(sorted(entries, key=lambda entry: entry.path)),
    )


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database as of one moment, while others may write to it."""
    if not source.exists():
        return
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    try:
        reader = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)
        writer = sqlite3.connect(target)
        try:
            reader.backup(writer)
            damage = writer.execute("pragma quick_check").fetchone()[0]
        finally:
            writer.close()
            reader.close()
    except sqlite3.Error as error:
        raise BackupError(f"{source.name} cannot be copied ({error}); nothing was kept") from error
    if damage != "ok":
        raise BackupError(
            f"{source.name} is damaged ({damage}); restore the node from an earlier backup"
        )


def _others(home: Path, state: NodeState) -> Iterator[Path]:
    """Files of the node that neither a database nor its ledger accounts for: settings and keys."""
    own = {f"{name}{end}" for name in DATABASES for end in ("", "-wal", "-shm", "-journal")}
    for path in sorted(home.rglob("*")):
        relative = path.relative_to(home)
        top = relative.parts[0]
        if top in own or top in LEFT_OUT or top in state.directories:
            continue
        if not top.startswith(_WORK_PREFIX) and path.is_file() and not path.is_symlink():
            yield path


@contextmanager
def _work_directory(home: Path) -> Iterator[Path]:
    """A directory for the copies of the databases, inside the node's: they are not sealed yet."""
    for leftover in home.glob(f"{_WORK_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    work = home / f"{_WORK_PREFIX}{os.getpid()}"
    work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refuse_overlap(home: Path, location: Path) -> None:
    here, there = home.resolve(), location.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise BackupError(
            f"the backup location {location} and the node's directory {home} lie in each other; "
            "name a directory on another disk with --to"
        )


def _refuse_another_passphrase(location: Path, passphrase: str) -> None:
    """A location has one passphrase: a mistyped one would make a snapshot nobody can open."""
    for name in snapshots(location)[-1:]:
        try:
            read_manifest(location, name, passphrase)
        except BackupError as error:
            raise BackupError(
                f"{error}. One location keeps to one passphrase: give that of its newest snapshot, "
                "or name a new directory with --to"
            ) from error


def _free_name(location: Path, now: datetime) -> str:
    name = now.strftime("%Y%m%dT%H%M%SZ")
    taken = set(snapshots(location))
    if name not in taken:
        return name
    return next(f"{name}-{n}" for n in range(1, len(taken) + 2) if f"{name}-{n}" not in taken)
