"""Signing of the packs' repository: one step, one key, one file that is handed on.

Rules:
    1. The root is signed by two of three, away from any network; a new root by two of the old
       and two of the new.
    2. A pack holds when both keys of the targets signed: business and security officer. They are
       two keys of two holders, and none of them signs anything else.
    3. What waits for a second signature lies in ``staged/`` and is seen by no member.
    4. Snapshot and timestamp are signed online and can hold packs back, but add none.

Source: The Update Framework specification 1.0.34, sections 2.1 and 4.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from security.errors import PackError
from security.packs.keys import Role
from security.packs.layout import METADATA, STAGED, TIMESTAMP, file_of, target_name
from security.packs.metadata_files import (
    find_newest,
    find_waiting,
    held_root,
    move_metadata,
    newest_root,
    read_metadata,
    signed_part,
    write_metadata,
)
from security.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from securesystemslib.signer import CryptoSigner

    from security.packs.keys import PublicKey

ROOT_DAYS: Final = 365
TARGETS_DAYS: Final = 180
SNAPSHOT_DAYS: Final = 30
TIMESTAMP_DAYS: Final = 7
NEEDED: Final = 2
"""Signatures of root and of targets."""
ROOT_KEYS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Where the signing of something stands."""

    what: str
    """``root`` or ``targets``."""
    version: int
    signatures: int
    """Keys that signed and count."""
    is_complete: bool
    """Whether it was moved to where members see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKeys:
    """Keys of a root."""

    root: Sequence[PublicKey]
    targets: Sequence[PublicKey]
    online: PublicKey

    def verify(self) -> None:
        """Refuse keys that could not keep each other honest.

        Raises:
            PackError: There are too few, one has two roles, or one holder two keys of targets.
        """
        both = (*self.root, *self.targets, self.online)
        roles = (*(Role.ROOT for _ in self.root), *(Role.TARGETS for _ in self.targets))
        faults = {
            f"expected {ROOT_KEYS} keys of the root": len(self.root) != ROOT_KEYS,
            f"expected {NEEDED} keys of the targets": len(self.targets) != NEEDED,
            "a key was made for another role": [one.role for one in both] != [*roles, Role.ONLINE],
            "one key is named twice: every role has keys of its own": len(
                {one.key.keyval["public"] for one in both}
            )
            != len(both)
            or len({one.key_id for one in both}) != len(both),
            "one holder has two keys of the targets: four eyes are two people": len(
                {one.holder for one in self.targets}
            )
            != len(self.targets),
            "one holder has two keys of the root": len({one.holder for one in self.root})
            != len(self.root),
        }
        for fault, is_found in faults.items():
            if is_found:
                raise PackError(f"root of the packs: {fault}")


def stage_root(directory: Path, keys: RootKeys, now: datetime, days: int = ROOT_DAYS) -> Signed:
    """Lay out the next root for signing: the first one, or one with other keys or a later end.

    Args:
        directory: The repository; made when it is not there.
        keys: All keys of the new root.
        now: Present moment, UTC-aware.
        days: Validity.

    Raises:
        PackError: The keys cannot keep each other honest, or another root waits.
    """
    keys.verify()
    held = newest_root(directory)
    root = Root(
        version=1 if held is None else held.version + 1,
        expires=_end(now, days),
        consistent_snapshot=True,
    )
    for role, members in (("root", keys.root), ("targets", keys.targets)):
        for one in members:
            root.add_key(one.key, role)
        root.roles[role].threshold = NEEDED
    for role in ("snapshot", "timestamp"):
        root.add_key(keys.online.key, role)
    path = directory / STAGED / f"{root.version}.root.json"
    if path.exists():
        raise PackError(f"{path} waits for signatures: sign it, or remove it first")
    write_metadata(path, Metadata(root))
    return Signed(what="root", version=root.version, signatures=0, is_complete=False)


def sign_root(directory: Path, signer: CryptoSigner) -> Signed:
    """Sign the root that waits; the last signature needed makes it hold.

    Raises:
        PackError: Nothing waits, the key is none of the root's, or has signed already.
    """
    path, metadata = find_waiting(directory, "root")
    root = signed_part(metadata, Root, path)
    held = newest_root(directory)
    allowed = set(root.roles["root"].keyids)
    if held is not None:
        allowed |= set(held.roles["root"].keyids)
    _sign(metadata, signer, allowed, path)
    result = root.get_root_verification_result(held, metadata.signed_bytes, metadata.signatures)
    write_metadata(path, metadata)
    if result:
        move_metadata(path, directory / METADATA / path.name)
    return Signed(
        what="root",
        version=root.version,
        signatures=len(metadata.signatures),
        is_complete=bool(result),
    )


def stage_pack(
    directory: Path,
    version: str,
    content: bytes,
    *,
    signer: CryptoSigner,
    now: datetime,
    days: int = TARGETS_DAYS,
) -> Signed:
    """Add a pack to the targets and sign them as the first of two.

    Args:
        directory: The repository, with its root.
        version: Version of the pack.
        content: File of the pack; the caller has checked it.
        signer: Key of the first.
        now: Present moment, UTC-aware.
        days: Validity of the targets.

    Raises:
        PackError: There is no root, other targets wait, the version is taken by another file, or
            the key is none of the targets'.
    """
    root = held_root(directory)
    held = find_newest(directory, "targets", Targets)
    targets = Targets(
        version=1 if held is None else held.version + 1,
        expires=_end(now, days),
        targets=dict({} if held is None else held.targets),
    )
    name = target_name(version)
    file = TargetFile.from_data(name, content, ["sha256"])
    earlier = targets.targets.get(name)
    if earlier is not None and earlier.hashes != file.hashes:
        raise PackError(f"{name} is another file already: give the pack a version of its own")
    targets.targets[name] = file
    path = directory / STAGED / f"{targets.version}.targets.json"
    if path.exists():
        raise PackError(f"{path} waits for its second signature: sign it, or remove it first")
    metadata = Metadata(targets)
    _sign(metadata, signer, set(root.roles["targets"].keyids), path)
    place = directory / file_of(name, hashlib.sha256(content).digest())
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_private(place, content, replace=True)
    write_metadata(path, metadata)
    return Signed(what="targets", version=targets.version, signatures=1, is_complete=False)


def sign_targets(directory: Path, signer: CryptoSigner) -> Signed:
    """Sign the targets that wait as the second of two; then they hold.

    Raises:
        PackError: Nothing waits, the key is none of the targets', or has signed already.
    """
    root = held_root(directory)
    path, metadata = find_waiting(directory, "targets")
    targets = signed_part(metadata, Targets, path)
    _sign(metadata, signer, set(root.roles["targets"].keyids), path)
    try:
        root.verify_delegate("targets", metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise PackError(f"{path}: the first signature does not hold: {error}") from error
    write_metadata(path, metadata)
    move_metadata(path, directory / METADATA / path.name)
    return Signed(what="targets", version=targets.version, signatures=NEEDED, is_complete=True)


def waiting_packs(directory: Path) -> dict[str, bytes]:
    """Packs that the waiting targets add: SHA-256 of the file by name, for the second signer."""
    _, metadata = find_waiting(directory, "targets")
    held = find_newest(directory, "targets", Targets)
    known = set() if held is None else set(held.targets)
    return {
        name: bytes.fromhex(one.hashes["sha256"])
        for name, one in signed_part(metadata, Targets, directory).targets.items()
        if name not in known
    }


def release(directory: Path, signer: CryptoSigner, now: datetime) -> dict[str, int]:
    """Sign a new snapshot of the newest targets, and a new timestamp.

    Args:
        directory: The repository.
        signer: The online key.
        now: Present moment, UTC-aware.

    Returns:
        Versions of snapshot, targets and timestamp.

    Raises:
        PackError: There are no targets that hold, or the key is not the online one.
    """
    root = held_root(directory)
    targets = find_newest(directory, "targets", Targets)
    if targets is None:
        raise PackError(f"{directory} has no targets that both signed: publish a pack first")
    held = find_newest(directory, "snapshot", Snapshot)
    snapshot = Snapshot(version=1 if held is None else held.version + 1)
    snapshot.expires = _end(now, SNAPSHOT_DAYS)
    snapshot.meta["targets.json"] = MetaFile(targets.version)
    path = directory / METADATA / f"{snapshot.version}.snapshot.json"
    metadata = Metadata(snapshot)
    _sign(metadata, signer, set(root.roles["snapshot"].keyids), path)
    write_metadata(path, metadata)
    return {
        "snapshot": snapshot.version,
        "targets": targets.version,
        "timestamp": _stamp(directory, root, signer, snapshot.version, now),
    }


def _stamp(
    directory: Path, root: Root, signer: CryptoSigner, snapshot_version: int, now: datetime
) -> int:
    path = directory / TIMESTAMP
    version = signed_part(read_metadata(path), Timestamp, path).version + 1 if path.is_file() else 1
    timestamp = Timestamp(version=version, expires=_end(now, TIMESTAMP_DAYS))
    timestamp.snapshot_meta = MetaFile(snapshot_version)
    metadata = Metadata(timestamp)
    _sign(metadata, signer, set(root.roles["timestamp"].keyids), path)
    write_metadata(path, metadata)
    return version


def _sign(
    metadata: Metadata[Any],
    signer: CryptoSigner,
    allowed: set[str],
    path: Path,
) -> None:
    key_id = signer.public_key.keyid
    if key_id not in allowed:
        raise PackError(f"{path.name}: key {key_id[:16]} is none of those that may sign it")
    if key_id in metadata.signatures:
        raise PackError(
            f"{path.name}: key {key_id[:16]} has signed already: the second signature is another "
            "person's, with another key"
        )
    metadata.sign(signer, append=True)
    try:
        signer.public_key.verify_signature(metadata.signatures[key_id], metadata.signed_bytes)
    except UnverifiedSignatureError as error:
        raise PackError(f"{path.name}: the signature does not hold: {error}") from error


def _end(now: datetime, days: int) -> datetime:
    return now.replace(microsecond=0) + timedelta(days=days)
