"""Salts of the tree's leaves: what makes a leaf tell nothing once its record is deleted.

Rules:
- each (kind, month) has one random secret, wrapped by the vault for that place; the salt of leaf
  ``seq`` is AES-256 under the secret over ``seq`` as a block of 16 bytes, big-endian, which is
  the block of counter mode that stands at ``seq``: no leaf's salt is stored;
- ``forget`` erases the secret, and with it every salt of the month, never a leaf; leaves that
  come later get a secret of their own, which does not reach back.

Source: SECURITY §13; the counter blocks are those of NIST SP 800-38A, section 6.5.
"""

import secrets
import sqlite3
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from node.errors import StoreError
from security.at_rest import Vault

__all__ = ["SALT_BYTES", "SALT_TABLES", "Salts", "salt_context"]

SALT_BYTES: Final = 16
SALT_TABLES: Final = (
    # The secret of a kind's month holds for leaves from first_seq on.
    """create table salt(
        kind text not null,
        month integer not null,
        first_seq integer not null,
        secret blob not null,
        primary key(kind, month)
    ) strict, without rowid""",
)
_SECRET_BYTES: Final = 32


class Salts:
    """Table ``salt``: the secrets, and the salts that they give."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self._ciphers: dict[bytes, Cipher[Any]] = {}

    def make(
        self, kind: str, months: npt.NDArray[np.int32], first_seq: int
    ) -> npt.NDArray[np.uint8]:
        """Give every new leaf its salt; inside the caller's transaction.

        Args:
            kind: Kind of the records.
            months: Month of each, yyyymm, shape (n,).
            first_seq: Place of the first one's leaf; the others follow.

        Returns:
            Salts, shape (n, 16).
        """
        blocks = np.zeros((len(months), 2), ">u8")
        blocks[:, 1] = np.arange(first_seq, first_seq + len(months))
        salts = np.empty((len(months), SALT_BYTES), np.uint8)
        for month in np.unique(months).tolist():
            chosen = months == month
            cipher = self._cipher(kind, month) or self._add(kind, month, first_seq)
            salts[chosen] = _encrypted(cipher, blocks[chosen])
        return salts

    def get(self, kind: str, month: int, seq: int) -> bytes:
        """Get the salt of one leaf.

        Raises:
            StoreError: The month's salts were erased when its records were.
        """
        row = self._connection.execute(
            "select first_seq from salt where kind = ? and month = ?", (kind, month)
        ).fetchone()
        cipher = self._cipher(kind, month)
        if row is None or cipher is None or seq < row[0]:
            raise StoreError(
                f"leaf {seq} of {kind} in {month} has no salt any more: the records of the month"
                " were deleted by retention, and nothing can be proved about them"
            )
        block = np.array([[0, seq]], ">u8")
        return bytes(_encrypted(cipher, block).tobytes())

    def forget(self, kind: str, month: int) -> bool:
        """Erase a month's secret; inside the caller's transaction.

        Returns:
            False when there was none.
        """
        row = self._connection.execute(
            "select secret from salt where kind = ? and month = ?", (kind, month)
        ).fetchone()
        if row is None:
            return False
        self._ciphers.pop(row[0], None)
        # Overwritten in its place first: a deleted row's bytes may stay in the file.
        self._connection.execute(
            "update salt set secret = zeroblob(length(secret)) where kind = ? and month = ?",
            (kind, month),
        )
        self._connection.execute("delete from salt where kind = ? and month = ?", (kind, month))
        return True

    def _cipher(self, kind: str, month: int) -> Cipher[Any] | None:
        row = self._connection.execute(
            "select secret from salt where kind = ? and month = ?", (kind, month)
        ).fetchone()
        if row is None:
            return None
        # Kept by the wrapped secret: a row that was rolled back leaves nothing that is used.
        if row[0] not in self._ciphers:
            secret = self._vault.unwrap(row[0], salt_context(kind, month))
            self._ciphers[row[0]] = _make_cipher(secret)
        return self._ciphers[row[0]]

    def _add(self, kind: str, month: int, first_seq: int) -> Cipher[Any]:
        secret = secrets.token_bytes(_SECRET_BYTES)
        self._connection.execute(
            "insert into salt values(?, ?, ?, ?)",
            (kind, month, first_seq, self._vault.wrap(secret, salt_context(kind, month))),
        )
        return _make_cipher(secret)


def _make_cipher(secret: bytes) -> Cipher[Any]:
    return Cipher(algorithms.AES(secret), modes.ECB())  # noqa: S305 - over counters that never repeat


def _encrypted(cipher: Cipher[Any], blocks: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    found = cipher.encryptor().update(blocks.tobytes())
    return np.frombuffer(found, np.uint8).reshape(-1, SALT_BYTES)


def salt_context(kind: str, month: int) -> str:
    """Name the place that the secret of a kind and month is wrapped for."""
    return f"salt:{kind}:{month}"
