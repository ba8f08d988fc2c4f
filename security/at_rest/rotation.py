"""Rotation of the keys at rest (密钥轮换): wrapped keys are wrapped anew, records stay as they are.

Rules:
    1. A rotation adds a key to the ring, durably, and then wraps anew, in short transactions, the
       keys that older epochs wrapped. No record, no segment and no file is touched.
    2. It may be killed at any moment and be run again: every step leaves wrapped keys of which
       each opens under an epoch of the ring.
    3. Values that were sealed directly keep their epoch until they expire or are written anew; an
       epoch goes only when nothing at all is left of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from security.at_rest.key_ring import KeyRing
from security.at_rest.master_keys import FILE, TokenMaster
from security.errors import KeyRotationError, VaultError
from security.progress import ProgressReporter, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from security.at_rest.vault import Vault

__all__ = [
    "BATCH",
    "Census",
    "WrappedKey",
    "WrappedKeys",
    "add_epoch",
    "destroy_epoch",
    "protect_ring",
    "rewrap",
    "take_census",
]

BATCH: Final = 200
"""Keys of one transaction: a few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A wrapped key and where it stands."""

    row: tuple[Any, ...]
    """Primary key of its row."""
    wrapped: bytes = field(repr=False)
    context: str
    """Place that it is bound to."""


class WrappedKeys(Protocol):
    """One column of wrapped keys."""

    @property
    def name(self) -> str:
        """Table and column, for messages."""

    def older(self, newest: int, limit: int) -> Sequence[WrappedKey]:
        """Keys that an epoch before ``newest`` wrapped, at most ``limit``."""

    def replace(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> None:
        """Put keys that were wrapped anew in the place of the old ones, in one transaction.

        A row that holds another key by now stays as it is.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What stands under which epoch."""

    wrapped: Mapping[int, Mapping[str, int]]
    """Wrapped keys by epoch and place."""
    sealed: Mapping[int, Mapping[str, int]]
    """Directly sealed values by epoch and place."""

    def of(self, epoch: int) -> int:
        """How much stands under an epoch."""
        return sum(self.wrapped.get(epoch, {}).values()) + sum(self.sealed.get(epoch, {}).values())


def add_epoch(path: Path, now_ms: int) -> int:
    """Add a key to a ring: from now on it seals.

    Args:
        path: File of the ring.
        now_ms: Now, milliseconds since the epoch, UTC.

    Returns:
        The new epoch.

    Raises:
        KeyFileError: The file or its token cannot be used; the ring is as it was.
        KeyRotationError: There is no further epoch.
    """
    ring = KeyRing.load(path).grown(now_ms)
    ring.save(path)
    return ring.newest


def rewrap(
    places: Iterable[WrappedKeys], vault: Vault, progress: ProgressReporter = no_progress
) -> dict[str, int]:
    """Wrap anew whatever an older epoch wrapped.

    Args:
        places: Columns of wrapped keys.
        vault: Opens under every epoch and wraps under the newest.
        progress: Takes the number of keys done.

    Returns:
        Number of keys wrapped anew, by place.

    Raises:
        KeyRotationError: A wrapped key does not open; what was done before it stays.
    """
    done: dict[str, int] = {}
    for place in places:
        done[place.name] = 0
        while batch := place.older(vault.newest, BATCH):
            try:
                fresh = [(one, vault.rewrap(one.wrapped, one.context)) for one in batch]
            except VaultError as error:
                raise KeyRotationError(
                    f"a wrapped key of {place.name} does not open: {error}. The rotation stands "
                    "where it is; mend that and run it again"
                ) from error
            place.replace(fresh)
            done[place.name] += len(batch)
            progress("wrap keys anew", sum(done.values()), 0, "keys")
    return done


def take_census(
    wrapped: Iterable[tuple[str, Mapping[int, int]]],
    sealed: Iterable[tuple[str, Mapping[int, int]]],
) -> Census:
    """Count what stands under which epoch.

    Args:
        wrapped: Places of wrapped keys, each with its number by epoch.
        sealed: Places of sealed values, likewise.
    """
    return Census(wrapped=_by_epoch(wrapped), sealed=_by_epoch(sealed))


def destroy_epoch(path: Path, epoch: int, census: Census, now_ms: int) -> None:
    """Destroy the key of an epoch that nothing is left of.

    Args:
        path: File of the ring.
        epoch: Which.
        census: Taken under the writer's lock just now.
        now_ms: Now, milliseconds since the epoch, UTC.

    Raises:
        KeyRotationError: Something still stands under it, or it is the newest, or too young.
        KeyFileError: The file or its token cannot be used; the ring is as it was.
    """
    left = census.of(epoch)
    if left:
        kept = {**census.wrapped.get(epoch, {}), **census.sealed.get(epoch, {})}
        where = ", ".join(f"{place} {count}" for place, count in sorted(kept.items()))
        raise KeyRotationError(
            f"{left} values still stand under epoch {epoch} ({where}); wrapped keys go with "
            "`keys rotate`, sealed values when they expire. Its key stays"
        )
    KeyRing.load(path).without(epoch, now_ms).save(path)


def protect_ring(path: Path, *, token: str | None, label: str, create: bool) -> str:
    """Put a ring under a key of a PKCS #11 token, or back under its file's mode.

    Args:
        path: File of the ring.
        token: Label of the token; None for the file's mode.
        label: Label of its AES key.
        create: Whether that key is made first.

    Returns:
        What protects the ring now, as it was read back.

    Raises:
        KeyFileError: The file or the token cannot be used; the ring is as it was.
    """
    ring = KeyRing.load(path)
    if token is None:
        ring.under(FILE).save(path)
        return FILE.line
    master = TokenMaster(token=token, label=label)
    if create:
        master.create()
    ring.under(master).save(path)
    return KeyRing.load(path).master.line


def _by_epoch(places: Iterable[tuple[str, Mapping[int, int]]]) -> dict[int, dict[str, int]]:
    found: dict[int, Counter[str]] = {}
    for name, counts in places:
        for epoch, count in counts.items():
            found.setdefault(epoch, Counter())[name] += count
    return {epoch: dict(found[epoch]) for epoch in sorted(found)}
