"""Files of a spool: sealed copies, one after the other, until the daemon has taken them in.

| file | is |
|---|---|
| ``NAME.open`` | written by the gateway that holds ``gateway.lock`` |
| ``NAME.spool`` | closed: the daemon takes it in and deletes it after its commit |
| ``NAME.damaged`` | holds a copy that could not be read or taken in; an operator looks at it |
| ``gateway.json`` | counts of the gateway: kept, lost, not answered |

0. A frame is its length (4 bytes, big endian) and the exchange, sealed for its file and place.
1. A file that a crash cut off ends at its last whole frame.
2. A frame that does not open spoils no other.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from node.errors import StoreError
from node.gateway.exchanges import MAX_KEPT_BYTES, Exchange, pack_exchange, unpack_exchange
from security.at_rest import Vault
from security.at_rest.vault import epoch_of
from security.errors import LockHeldError, VaultError
from security.operator import writer_lock
from security.private_files import sync_directory

__all__ = [
    "CLOSED",
    "COUNTS_FILE",
    "GATEWAY_LOCK",
    "OPEN",
    "SPOOL_DIRECTORY",
    "SpoolFile",
    "close_file",
    "close_left_open",
    "close_orphans",
    "closed_files",
    "frame_epochs",
    "gateway_counts",
    "seal_frame",
    "spool_bytes",
]

SPOOL_DIRECTORY: Final = "spool"
"""In the node's state directory."""
GATEWAY_LOCK: Final = "gateway.lock"
COUNTS_FILE: Final = "gateway.json"
OPEN: Final = ".open"
CLOSED: Final = ".spool"
_DAMAGED: Final = ".damaged"
_LENGTH: Final = struct.Struct(">I")
_MAX_FRAME_BYTES: Final = 2 * MAX_KEPT_BYTES + 256 * 1024


def seal_frame(vault: Vault, name: str, number: int, exchange: Exchange) -> bytes:
    """Seal an exchange for its place.

    Args:
        vault: The node's vault.
        name: Name of the file without its ending.
        number: Place in the file, from 1.
        exchange: What is kept.
    """
    sealed = vault.seal(pack_exchange(exchange), f"spool:{name}#{number}")
    return _LENGTH.pack(len(sealed)) + sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolFile:
    """One closed file."""

    path: Path

    @property
    def name(self) -> str:
        """Name without its ending."""
        return self.path.stem

    def exchanges(self, vault: Vault) -> Iterator[tuple[int, Exchange | None]]:
        """Read the file.

        Yields:
            Place in the file, from 1, and the exchange; None where one cannot be read, or
            where the file breaks off.

        Raises:
            StoreError: The file cannot be read at all.
        """
        try:
            with self.path.open("rb") as file:
                number = 0
                while head := file.read(_LENGTH.size):
                    number += 1
                    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
                    frame = file.read(length) if 0 < length <= _MAX_FRAME_BYTES else b""
                    if len(frame) != length or not frame:
                        yield number, None
                        return
                    yield number, self._open(vault, number, frame)
        except OSError as error:
            raise StoreError(
                f"spool file {self.path.name} cannot be read ({error.strerror}); check the disk"
            ) from error

    def _open(self, vault: Vault, number: int, frame: bytes) -> Exchange | None:
        try:
            return unpack_exchange(vault.open(frame, f"spool:{self.name}#{number}"))
        except (VaultError, StoreError):
            return None

    def forget(self) -> None:
        """Delete the file, durably: what it held is in the store."""
        self.path.unlink()
        sync_directory(self.path.parent)

    def set_aside(self) -> None:
        """Keep the file for an operator, out of the way."""
        self.path.rename(self.path.with_suffix(_DAMAGED))
        sync_directory(self.path.parent)


def closed_files(directory: Path) -> tuple[SpoolFile, ...]:
    """List closed files, the oldest first; none where there is no spool."""
    return tuple(SpoolFile(path=path) for path in sorted(directory.glob("*" + CLOSED)))


def close_file(path: Path) -> None:
    """Close a file that is written no more."""
    path.rename(path.with_suffix(CLOSED))
    sync_directory(path.parent)


def close_orphans(directory: Path) -> None:
    """Close what a gateway left open that is gone; a gateway that runs keeps its file."""
    if not any(directory.glob("*" + OPEN)):
        return
    try:
        with writer_lock(directory, GATEWAY_LOCK):
            close_left_open(directory)
    except LockHeldError:
        return


def close_left_open(directory: Path) -> None:
    """Close every open file; the caller holds the gateway's lock."""
    for path in sorted(directory.glob("*" + OPEN)):
        close_file(path)


def spool_bytes(directory: Path) -> int:
    """Sum the sizes of all copies that wait, damaged ones included."""
    total = 0
    for path in directory.iterdir():
        if path.suffix in (OPEN, CLOSED, _DAMAGED):
            try:
                total += path.stat().st_size
            except FileNotFoundError:  # The daemon took it in meanwhile.
                continue
    return total


def frame_epochs(directory: Path) -> Mapping[int, int]:
    """Count the copies that wait, damaged ones included, by the key epoch they are sealed under."""
    counts: Counter[int] = Counter()
    for path in sorted(directory.glob("*")):
        if path.suffix in (OPEN, CLOSED, _DAMAGED):
            with suppress(FileNotFoundError):  # The daemon took it in meanwhile.
                counts.update(_frame_epochs(path))
    return counts


def _frame_epochs(path: Path) -> Iterator[int]:
    with path.open("rb") as file:
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            length = _LENGTH.unpack(head)[0]
            frame = file.read(length) if length <= _MAX_FRAME_BYTES else b""
            with suppress(VaultError):  # Opens under no key at all.
                yield epoch_of(frame)


def gateway_counts(directory: Path) -> Mapping[str, object] | None:
    """Read what the gateway counted, with the files that wait; None where none ever ran."""
    try:
        counts = orjson.loads((directory / COUNTS_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(counts, dict):
        return None
    return counts | {
        "waiting_bytes": spool_bytes(directory),
        "damaged_files": len(list(directory.glob("*" + _DAMAGED))),
    }
