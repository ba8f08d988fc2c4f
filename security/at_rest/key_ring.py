"""The key ring of a machine (密钥环): one key for each epoch, in one file of mode 0600.

Rules: the newest epoch seals, every epoch opens; a change of the ring replaces the file whole, and
the bytes of the old one are overwritten; a file of 32 bytes is a ring of the epoch 0 alone, as
every machine begins; the mark of the machine stays the same under all its keys.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from security.at_rest.master_keys import FILE, MasterKey, find_master
from security.errors import KeyFileError, KeyRotationError
from security.private_files import read_private, sync_directory, write_private

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEY_BYTES", "EpochKey", "KeyRing"]

KEY_BYTES: Final = 32
MAX_EPOCH: Final = 2**16 - 1
SETTLED_MS: Final = 3_600_000
"""How long an epoch must have been followed before it may go, milliseconds: by then every process
that looks at the ring before it seals has looked."""
_HEADER: Final = "yixin-key-ring-1"
_END: Final = "end"
"""Last line: a ring that was cut off has lost keys."""
_MARK: Final = b"yixin/backup/owner/v1\n"
_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochKey:
    """The key of one epoch."""

    epoch: int
    """From 0."""
    made_at_ms: int
    """Moment, milliseconds since the epoch, UTC; 0 for the first one."""
    key: bytes = field(repr=False)
    """AES-256, 32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """Keys by epoch, oldest first."""

    keys: tuple[EpochKey, ...]
    mark: str
    """Names the machine, whatever its keys are: 64 hex digits."""
    master: MasterKey = FILE
    """Protects the file."""

    @classmethod
    def of(cls, key: bytes) -> KeyRing:
        """A ring of the epoch 0 alone."""
        first = EpochKey(epoch=0, made_at_ms=0, key=key)
        return cls(keys=(first,), mark=hashlib.sha256(_MARK + key).hexdigest())

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """Read a ring from its file.

        Raises:
            KeyFileError: The file is missing, damaged or open to others, or its token is absent.
        """
        content = read_private(path, _MAX_BYTES)
        if len(content) == KEY_BYTES and not content.startswith(_HEADER.encode()):
            return cls.of(content)
        try:
            return _parse(content.decode("ascii"))
        except (ValueError, IndexError) as error:
            raise KeyFileError(
                f"{path} is damaged: a key ring or {KEY_BYTES} bytes expected, found "
                f"{len(content)}. Restore it from the backup of this directory; without it "
                "the records stay closed"
            ) from error

    @property
    def newest(self) -> int:
        """The epoch that seals."""
        return self.keys[-1].epoch

    def grown(self, now_ms: int) -> KeyRing:
        """The ring with a fresh key for the next epoch.

        Raises:
            KeyRotationError: There is no further epoch.
        """
        if self.newest == MAX_EPOCH:
            raise KeyRotationError(f"epoch {MAX_EPOCH} is the last one a blob can name")
        fresh = EpochKey(
            epoch=self.newest + 1, made_at_ms=now_ms, key=secrets.token_bytes(KEY_BYTES)
        )
        return replace(self, keys=(*self.keys, fresh))

    def without(self, epoch: int, now_ms: int) -> KeyRing:
        """The ring without an epoch that nothing is sealed under any more.

        Raises:
            KeyRotationError: The ring has no such epoch, it is the newest, or the one after it
                is so young that a process may still seal under the old one.
        """
        held = [one.epoch for one in self.keys]
        if epoch not in held or epoch == self.newest:
            raise KeyRotationError(
                f"epoch {epoch} cannot be destroyed: the ring holds {held}, and the newest of "
                "them seals; rotate first"
            )
        next_key = self.keys[held.index(epoch) + 1]
        if now_ms - next_key.made_at_ms < SETTLED_MS:
            raise KeyRotationError(
                f"epoch {next_key.epoch} is younger than an hour, and a process may still seal "
                f"under epoch {epoch}; try again later"
            )
        return replace(self, keys=tuple(one for one in self.keys if one.epoch != epoch))

    def under(self, master: MasterKey) -> KeyRing:
        """The same keys, protected by another master key."""
        return replace(self, master=master)

    def save(self, path: Path) -> None:
        """Replace the file, durably, and overwrite the bytes of the old one if it has no name left.

        Raises:
            KeyFileError: The file cannot be written, or the token is absent or refuses.
        """
        lines = [_HEADER, f"master {self.master.line}", f"mark {self.mark}"]
        for one in self.keys:
            closed = self.master.close_key(one.epoch, one.key)
            lines.append(f"epoch {one.epoch} {one.made_at_ms} {closed.hex()}")
        old = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_private(path, "\n".join([*lines, _END, ""]).encode(), replace=True)
            left = os.fstat(old)
            # A second name is somebody's copy of the directory, which needs its key.
            if not left.st_nlink:
                os.pwrite(old, bytes(left.st_size), 0)
                os.fsync(old)
        finally:
            os.close(old)
        sync_directory(path.parent)


def _parse(text: str) -> KeyRing:
    header, master_line, mark_line, *lines, end = text.splitlines()
    if header != _HEADER or end != _END or not text.endswith("\n"):
        raise ValueError(header)
    words = [line.split(" ") for line in lines]
    if any(len(one) != 4 or one[0] != "epoch" for one in words) or not words:
        raise ValueError(lines)
    master = find_master(master_line.removeprefix("master "))
    keys = tuple(
        EpochKey(
            epoch=int(epoch),
            made_at_ms=int(made_at_ms),
            key=master.open_key(int(epoch), bytes.fromhex(closed)),
        )
        for _, epoch, made_at_ms, closed in words
    )
    epochs = [one.epoch for one in keys]
    if epochs != sorted(set(epochs)) or not 0 <= epochs[0] <= epochs[-1] <= MAX_EPOCH:
        raise ValueError(epochs)
    mark = mark_line.removeprefix("mark ")
    if any(len(one.key) != KEY_BYTES for one in keys) or len(bytes.fromhex(mark)) != KEY_BYTES:
        raise ValueError(mark)
    return KeyRing(keys=keys, mark=mark, master=master)
